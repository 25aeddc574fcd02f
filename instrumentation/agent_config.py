"""Who an agent is, beyond its name: what it tells when it comes up.

AgentConfig(name="my_agent", version="1.0.0", category="OPERATIONAL", capabilities=["reporting"])
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agenttracer.instrumentation.content import labels, metadata_attributes
from agenttracer.instrumentation.digest import sha256
from agenttracer.instrumentation.guard import warn_once
from agenttracer.instrumentation.resource import deployment_type
from agenttracer.schemas import semconv

CATEGORIES: Final = ("strategic", "operational", "support")
TYPES: Final = ("llm_agent", "ml_model", "chatbot", "api_agent", "workflow_agent", "custom")
DEPLOYMENTS: Final = ("docker", "kubernetes", "local", "cloud", "serverless")


@dataclass(frozen=True)
class AgentConfig:
    """An agent as it registers. Lists hold labels; of ``config`` only a hash leaves the process."""

    name: str
    version: str | None = None
    description: str | None = None
    """For the program's readers: free text is never sent."""
    category: str | None = None
    """strategic, operational or support."""
    capabilities: Sequence[str] = ()
    data_sources: Sequence[str] = ()
    type: str = "custom"
    """llm_agent, ml_model, chatbot, api_agent, workflow_agent or custom."""
    deployment_type: str | None = None
    """docker, kubernetes, local, cloud or serverless; found out when not given."""
    environment: str | None = None
    port: int | None = None
    tags: Sequence[str] = ()
    config: Mapping[str, Any] | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)

    def attributes(self) -> dict[str, Any]:
        """What of it leaves the process."""
        found: dict[str, Any] = {
            semconv.AGENT_CATEGORY: _one_of(self.category, CATEGORIES, "category"),
            semconv.AGENT_TYPE: _one_of(self.type, TYPES, "type"),
            semconv.AGENT_DEPLOYMENT_TYPE: _one_of(self.deployment_type, DEPLOYMENTS, "deployment type")
            or deployment_type(os.environ),
            semconv.AGENT_CAPABILITIES: labels(self.capabilities, "capabilities"),
            semconv.AGENT_DATA_SOURCES: labels(self.data_sources, "data sources"),
            semconv.AGENT_TAGS: labels(self.tags, "tags"),
            semconv.AGENT_PORT: self.port if isinstance(self.port, int) else None,
            semconv.AGENT_CONFIG_HASH: sha256(dict(self.config)) if self.config else None,
            semconv.DEPLOYMENT_ENVIRONMENT_NAME: (labels(self.environment or (), "environments") or (None,))[
                0
            ],
        }
        known = {key: value for key, value in found.items() if value not in (None, ())}
        return known | metadata_attributes(self.metadata, semconv.AGENT_METADATA, well_known={})


def _one_of(word: str | None, known: Sequence[str], what: str) -> str | None:
    if word is None:
        return None
    if str(word).lower() in known:
        return str(word).lower()
    warn_once(f"agent {what}", "agenttracer: an agent's %s was refused; known are %s", what, ", ".join(known))
    return None
