"""Flushing a provider that isn't ours, within a time that it may not keep to by itself."""

from __future__ import annotations

import threading
from time import monotonic

from agenttracer.instrumentation.guard import guard


def flush_provider(provider: object, deadline: float) -> bool:
    """Flush it, in a thread: OpenTelemetry's flush does not keep to its timeout. True when all was sent in time."""
    flush = getattr(provider, "force_flush", None)
    if flush is None:
        return True
    results: list[bool] = []

    def work() -> None:
        with guard("flush provider"):
            results.append(bool(flush(timeout_millis=max(1, int((deadline - monotonic()) * 1000)))))

    thread = threading.Thread(target=work, name="agenttracer-flush", daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - monotonic()))
    return results == [True]
