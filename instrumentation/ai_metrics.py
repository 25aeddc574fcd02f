"""Durations and tokens of model calls, as OpenTelemetry's GenAI client metrics name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.metrics import Meter

from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.run_context import Agent
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import Operation

_LABELS: Final = (
    semconv.GEN_AI_PROVIDER_NAME,
    semconv.GEN_AI_REQUEST_MODEL,
    semconv.GEN_AI_RESPONSE_MODEL,
)
_TOKENS: Final = {
    "input": semconv.GEN_AI_USAGE_INPUT_TOKENS,
    "output": semconv.GEN_AI_USAGE_OUTPUT_TOKENS,
}


class AiMetrics:
    """Records a model step as it ends."""

    def __init__(self, meter: Meter) -> None:
        self._duration = meter.create_histogram(
            "gen_ai.client.operation.duration", "s", "How long a model took to answer"
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage", "{token}", "Tokens that a model read and wrote"
        )

    def record(
        self, agent: Agent, facts: Mapping[str, Any], seconds: float, failure: Mapping[str, Any]
    ) -> None:
        """``facts``: the step's attributes; ``failure``: empty for a call that went well."""
        with guard("ai metrics"):
            labels = {
                semconv.GEN_AI_OPERATION_NAME: Operation.CHAT.value,
                semconv.GEN_AI_AGENT_NAME: agent.id,
                **{key: facts[key] for key in _LABELS if key in facts},
            }
            for kind, key in _TOKENS.items():
                if key in facts:
                    self._tokens.record(facts[key], {**labels, "gen_ai.token.type": kind})
            if semconv.ERROR_TYPE in failure:
                labels[semconv.ERROR_TYPE] = failure[semconv.ERROR_TYPE]
            self._duration.record(seconds, labels)
