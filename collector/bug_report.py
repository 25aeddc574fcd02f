"""An unexpected error as a log line: its class and where it happened, never its message.

A library's message may quote the value it choked on, and that value may be a prompt.
"""

import logging
import time
import traceback

_log = logging.getLogger("agenttracer")
_INTERVAL_SECONDS = 10.0
_last_by_component: dict[str, float] = {}


def report_bug(component: str, error: BaseException) -> None:
    """Log an unexpected error of a component, at most one every ten seconds for each component."""
    now = time.monotonic()
    if now - _last_by_component.get(component, -_INTERVAL_SECONDS) < _INTERVAL_SECONDS:
        return
    _last_by_component[component] = now
    frames = "; ".join(
        f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    )
    _log.error("bug in %s: %s at %s", component, type(error).__name__, frames)
