"""Every error that crosses a component's boundary.

    CollectorError
    ├── ConfigError    the configuration can't be used: names the file, the path in it and the fix
    ├── StartError     something outside is missing or in the way: one sentence, the process exits
    ├── Rejected       this data can never be stored: do not resend it
    └── Unavailable    not now: resend after ``retry_after_seconds``

Anything else that escapes a component is a bug in it.
"""


class CollectorError(Exception):
    """What an operator or a client is told, in words that carry no telemetry content."""


class ConfigError(CollectorError):
    """The configuration can't be used; the message names the path in the file and the fix."""


class StartError(CollectorError):
    """The collector can't start or go on: what was being done, to what, and what to do next."""


class Rejected(CollectorError):
    """Data that can never be stored. ``reason`` is a short label for the counters."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Unavailable(CollectorError):
    """A refusal that the client repeats after ``retry_after_seconds``; nothing was stored."""

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
