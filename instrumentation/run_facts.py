"""What is known about a run before it starts, and the events that say where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context

from agenttracer.instrumentation.content import hashed_id, is_name, name_or, scalar
from agenttracer.instrumentation.digest import input_attributes
from agenttracer.instrumentation.events import emit_event
from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.run_context import RunScope
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import EventName, RunStatus


@dataclass(frozen=True)
class RunFacts:
    """Arguments of ``start_run``, unchecked."""

    name: object = None
    user_id: object = None
    conversation_id: object = None
    metadata: Mapping[str, object] | None = None
    input: object = None
    provenance: Mapping[str, object] | None = None

    def attributes(self) -> dict[str, Any]:
        """What may be said of them on the run's span. Metadata come later, with their warnings."""
        found: dict[str, Any] = {}
        if self.name is not None:
            found[semconv.AGENT_RUN_NAME] = name_or(self.name, "run", "run name")
        for key, value in (
            (semconv.USER_ID, self.user_id),
            (semconv.GEN_AI_CONVERSATION_ID, self.conversation_id),
        ):
            known = hashed_id(value, key) if value is not None else None
            if known is not None:
                found[key] = known
        with guard("run input"):
            if self.input is not None:
                found.update(input_attributes(self.input))
        with guard("provenance"):
            for key, value in (self.provenance or {}).items():
                plain = value if isinstance(value, str) and is_name(value) else scalar(value)
                if plain is not None and str(key) in _PROVENANCE:
                    found[str(key)] = plain
        return found


_PROVENANCE = frozenset(
    {
        semconv.GEN_AI_PROVIDER_NAME,
        semconv.GEN_AI_REQUEST_MODEL,
        semconv.GEN_AI_RESPONSE_MODEL,
        semconv.GEN_AI_REQUEST_SEED,
        semconv.GEN_AI_PROMPT_NAME,
        semconv.GEN_AI_PROMPT_VERSION,
        semconv.AGENT_PROMPT_HASH,
        semconv.AGENT_CODE_HASH,
        semconv.AGENT_CONFIG_HASH,
        semconv.VCS_REF_HEAD_REVISION,
    }
)
"""What ``make_provenance`` may say."""


def emit_run_event(scope: RunScope, event: EventName, status: RunStatus, context: Context) -> None:
    """Tell that a run entered a state, before its root span ends."""
    attributes = {
        semconv.AGENT_RUN_ID: scope.run_id,
        semconv.AGENT_RUN_STATUS: status.value,
        **scope.agent.attributes,
    }
    emit_event(scope.signals.logger, event, scope.permitted(attributes), context)
