"""What the captures can be held to: the fake models' answers, and what a dialect is known not to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.accuracy.corpus import Capture

SENT_FIELDS: Mapping[str, tuple[tuple[str, str, tuple[Any, ...]], ...]] = {
    "model": (
        ("model", "Model", ()),
        ("provider", "Provider", ("openai", "anthropic", "gcp.gemini")),
        ("tokens", "InputTokens", (21, 29)),
        ("tokens", "OutputTokens", (9, 11, 18)),
        ("finish", "FinishReason", ("stop", "tool_call", "length", "content_filter")),
    ),
    "tool": (("tool", "ToolName", ()),),
    "retrieve": (),
}
"""Kind of call → (measure, column, values that the fake models gave; empty: any).

They read 21 tokens and write 9; Anthropic's read 29, of which 5 from the cache and 3 into it; Gemini's write
11, of which 2 for reasoning; the Anthropic stream of one dialect counts its 9 twice.
"""


class Gap(NamedTuple):
    """Captures whose name starts so lack these columns, as their payloads show."""

    prefix: str
    columns: frozenset[str]
    reason: str


_USAGE = frozenset({"InputTokens", "OutputTokens"})
_ANSWER = frozenset({"Model", "Provider", "FinishReason"}) | _USAGE

GAPS: tuple[Gap, ...] = (
    Gap("haystack-native-nocontent", _ANSWER, "without content a model's span has no attributes"),
    Gap("langfuse-native", frozenset({"FinishReason"}), "the code that made the observation gave none"),
    Gap(
        "langgraph-legacy-openllmetry040",
        frozenset({"FinishReason"}),
        "only the answer with tool calls has one",
    ),
    Gap("llama_index-native-workflow_timeout", _USAGE | {"FinishReason"}, "the call was cancelled"),
    Gap("llama_index-openinference-workflow_timeout", _USAGE | {"FinishReason"}, "the call was cancelled"),
    Gap("openai-openinference", frozenset({"FinishReason"}), "the Responses API has none"),
    Gap("openai_agents-openinference-chatapi", frozenset({"FinishReason"}), "a generation's span has none"),
    Gap(
        "openai_agents-openllmetry-chatapi", _USAGE | {"FinishReason"}, "neither usage nor answer on the span"
    ),
    Gap("smolagents-openinference", frozenset({"FinishReason"}), "no span has one"),
)
"""The reviewed exceptions: what is missing was never sent."""


def not_sent(capture: Capture, kind: str) -> str:
    """Why a miss is none of ours; empty if it is. ``kind`` is a total's name or a column's."""
    if kind in capture.observable:
        return "" if capture.observable[kind] else "not in this telemetry, says the manifest"
    return next(
        (gap.reason for gap in GAPS if capture.name.startswith(gap.prefix) and kind in gap.columns), ""
    )
