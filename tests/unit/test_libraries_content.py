"""Content is switched off at the source, and the environment is put back."""

from __future__ import annotations

import logging

import pytest

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.libraries.content_switches import VARIABLES, switch_off


@pytest.fixture(autouse=True)
def warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been warned about yet."""
    monkeypatch.setattr(guard, "_warned", set())


def test_every_switch_is_set_and_put_back() -> None:
    """What was there comes back, what wasn't goes."""
    environment = {"TRACELOOP_TRACE_CONTENT": "true", "OTHER": "x"}
    before = dict(environment)

    off = switch_off(environment)

    assert {
        name: value for name, value in VARIABLES.items() if value is not None
    }.items() <= environment.items()
    off.restore()
    assert before == environment


def test_what_asks_for_content_is_unset() -> None:
    """A variable whose absence means off."""
    environment = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT"}

    off = switch_off(environment)

    assert "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT" not in environment
    off.restore()
    assert "SPAN_AND_EVENT" == environment["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ("", "gen_ai_latest_experimental,gen_ai_unredacted_attributes="),
        ("http", "http,gen_ai_latest_experimental,gen_ai_unredacted_attributes="),
        (
            "gen_ai_latest_experimental,gen_ai_unredacted_attributes=gen_ai.input.*",
            "gen_ai_latest_experimental,gen_ai_unredacted_attributes=",
        ),
    ],
)
def test_strands_redacts(found: str, expected: str) -> None:
    """Its tokens join those that are there; a list of what not to redact becomes empty."""
    environment = {"OTEL_SEMCONV_STABILITY_OPT_IN": found} if found else {}

    switch_off(environment)

    assert expected == environment["OTEL_SEMCONV_STABILITY_OPT_IN"]


def test_a_change_of_mind_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody asked for content: one warning names the variable, not its value."""
    with caplog.at_level(logging.WARNING):
        switch_off({"HAYSTACK_CONTENT_TRACING_ENABLED": "yes-please"})

    assert [
        "agenttracer: HAYSTACK_CONTENT_TRACING_ENABLED was changed: content is not captured"
    ] == caplog.messages
