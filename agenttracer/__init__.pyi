"""What type checkers know of the names that ``__init__.py`` loads on first use."""

from agenttracer.instrumentation.agent_config import AgentConfig as AgentConfig
from agenttracer.instrumentation.current import current_run as current_run
from agenttracer.instrumentation.current import current_step as current_step
from agenttracer.instrumentation.decorators import agent as agent
from agenttracer.instrumentation.decorators import memory as memory
from agenttracer.instrumentation.decorators import model as model
from agenttracer.instrumentation.decorators import plan as plan
from agenttracer.instrumentation.decorators import respond as respond
from agenttracer.instrumentation.decorators import retrieve as retrieve
from agenttracer.instrumentation.decorators import step as step
from agenttracer.instrumentation.decorators import tool as tool
from agenttracer.instrumentation.instrumented_agent import InstrumentedAgent as InstrumentedAgent
from agenttracer.instrumentation.libraries.switching import instrument as instrument
from agenttracer.instrumentation.libraries.switching import uninstrument as uninstrument
from agenttracer.instrumentation.monitoring import MonitoringConfig as MonitoringConfig
from agenttracer.instrumentation.provenance import make_provenance as make_provenance
from agenttracer.instrumentation.run import Run as Run
from agenttracer.instrumentation.step import Step as Step
from agenttracer.instrumentation.tracer import AgentTracer as AgentTracer

__version__: str
