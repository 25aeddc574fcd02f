"""What the captures can be held to: the fake models' answers, and what a dialect is known not to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.accuracy.corpus import Capture

SENT_FIELDS: Mapping[str, tuple[tuple[str, str, tuple[Any, ...]], ...]] = {
    "model": (
        ("model", "Model", ()),
        ("provider", "Provider", ("openai", "anthropic", "gcp.gemini")),
        ("tokens", "InputTokens", (21, 29)),
        ("tokens", "OutputTokens", (9, 11, 18)),
        ("finish", "FinishReason", ()),
    ),
    "tool": (("tool", "ToolName", ()),),
    "retrieve": (),
}
"""Kind of call → (measure, column, values that the fake models gave; empty: any)."""


def not_sent(capture: Capture, measure: str, kind: str) -> str:
    """Why a miss is none of ours; empty if it is."""
    if kind in capture.observable and not capture.observable[kind]:
        return "not in this telemetry, says the manifest"
    return ""
