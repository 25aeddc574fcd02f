"""Switches every framework of an environment on by importing it, and off again; prints what became of each."""

from __future__ import annotations

import json
import os
from importlib import import_module

before = dict(os.environ)

import agenttracer  # noqa: E402
from agenttracer.instrumentation.libraries.installed import active_instrumentor  # noqa: E402
from agenttracer.instrumentation.libraries.switching import SWITCHBOARD  # noqa: E402
from agenttracer.instrumentation.libraries.table import BY_NAME  # noqa: E402

waiting = {
    outcome.framework: outcome.state for outcome in agenttracer.instrument(api_url="http://localhost:9")
}
loaded = sorted(name for name in waiting if BY_NAME[name].module in __import__("sys").modules)
changed = {name for name in os.environ if os.environ[name] != before.get(name)}
for name in waiting:
    import_module(BY_NAME[name].module)
outcomes = {outcome.framework: [outcome.state, outcome.instrumentor] for outcome in SWITCHBOARD.outcomes()}
own = {name: value for name, value in os.environ.items() if name in changed or name not in before}
agenttracer.uninstrument(timeout_seconds=0.1)
report = {
    "loaded": loaded,
    "outcomes": outcomes,
    "active": [name for name in waiting if active_instrumentor(BY_NAME[name])],
    "left": sorted(name for name in changed if os.environ.get(name) != before.get(name)),
    "changed": len(own),
    "again": [outcome.state for outcome in agenttracer.instrument(only=["langchain", "crewai"])],
}
print("REPORT" + json.dumps(report))
