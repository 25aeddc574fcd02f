"""What a tracer was asked to do beyond sending spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from agenttracer.instrumentation.policy import Policy


class Settings(NamedTuple):
    """Choices of the program that apply to every run of a tracer."""

    send_error_messages: bool = False
    """Whether the messages of ``run.record_failure`` leave the process."""

    max_artifact_bytes: int = 16 * 2**20
    """Largest artifact that is sent."""

    exit_timeout_seconds: float = 5.0
    """Longest wait for what is unsent when the program ends."""

    policy: Policy | None = None
    """What takes attributes away before they leave."""
