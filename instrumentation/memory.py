"""An agent's memory, seen from outside: that something was stored or looked up, and how much; never what.

memory_id = run.store_memory("Bob prefers tea", kind="preference", importance=0.8)
with run.search_memory("preferences") as step:
    step.add_metadata({"result_count": 3})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from agenttracer.instrumentation.content import is_identifier, scalar
from agenttracer.instrumentation.digest import canonical, sha256
from agenttracer.instrumentation.events import emit_event
from agenttracer.instrumentation.guard import guard, warn_once
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import EventName, Operation

if TYPE_CHECKING:
    from agenttracer.instrumentation.step import StepParent


def store_memory(
    parent: StepParent,
    content: object,
    kind: str,
    importance: float | None,
    memory_id: str | None,
    metadata: Mapping[str, object] | None,
) -> str:
    """A step and an event that a memory was stored; returns its id, a new one unless it was given."""
    if memory_id is not None and not is_identifier(str(memory_id)):
        warn_once("memory id", "agenttracer: a memory's id was refused: not a label; a new one is used")
        memory_id = None
    chosen = str(memory_id or uuid4())
    with parent.memory_step("store_memory", Operation.UPSERT_MEMORY, metadata) as step, guard("store_memory"):
        raw = canonical(content)
        attributes: dict[str, Any] = {
            semconv.AGENT_MEMORY_ID: chosen,
            semconv.AGENT_MEMORY_SIZE: len(raw),
            semconv.AGENT_MEMORY_HASH: sha256(raw),
        }
        label, weight = scalar(kind), scalar(importance)
        if isinstance(label, str):
            attributes[semconv.AGENT_MEMORY_KIND] = label
        if isinstance(weight, int | float):
            attributes[semconv.AGENT_MEMORY_IMPORTANCE] = min(1.0, max(0.0, float(weight)))
        step.set_attributes(attributes)
        scope = parent.scope
        event = scope.permitted({**scope.attributes, **attributes})
        emit_event(scope.signals.logger, EventName.MEMORY, event, step.context)
    return chosen
