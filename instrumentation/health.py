"""Heartbeats and health checks: a thread of the SDK's asks the program's checks how they are, and says so.

tracer.add_health_check("database", lambda: pool.ping())    # truthy or None is well; an exception is not
tracer.start_monitoring()

agent.health_check   {name, status, duration_ms}     one a check and interval
agent.heartbeat      {status, score, uptime, tasks}  one an interval
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from threading import Thread
from time import monotonic
from typing import Any, Final

from agenttracer.instrumentation.failures import error_type
from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.tasks import Tasks
from agenttracer.schemas import semconv
from agenttracer.schemas.semconv import EventName

Check = Callable[[], Any]
Emit = Callable[[EventName, Mapping[str, Any]], None]

_TIMEOUT_SECONDS: Final = 5.0


class HealthChecks:
    """The program's checks. One that hangs is unhealthy, and is not asked again before it has answered."""

    def __init__(self, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self.checks: dict[str, Check] = {}
        self._timeout_seconds = timeout_seconds
        self._running: dict[str, _Asking] = {}

    def fresh(self) -> HealthChecks:
        """The same checks, none of them being asked: for a forked child, where the threads are gone."""
        copied = HealthChecks(self._timeout_seconds)
        copied.checks = self.checks
        return copied

    def report(self, emit: Emit, tasks: Tasks) -> None:
        """Ask every check at the same time, tell each answer, and then how the agent is altogether."""
        for name, check in list(self.checks.items()):
            if name not in self._running:
                self._running[name] = _Asking(check)
        deadline = monotonic() + self._timeout_seconds
        well = 0
        asked = list(self._running.items())
        for name, asking in asked:
            answer = asking.wait(max(0.0, deadline - monotonic()))
            if answer is not None:
                del self._running[name]
            well += answer is True
            attributes: dict[str, Any] = {
                semconv.AGENT_HEALTH_CHECK_NAME: name,
                semconv.AGENT_HEALTH_CHECK_STATUS: "healthy" if answer is True else "unhealthy",
                semconv.AGENT_HEALTH_CHECK_DURATION: round(asking.seconds * 1000, 3),
            }
            failure = "timeout" if answer is None else asking.error_type
            if failure is not None:
                attributes[semconv.ERROR_TYPE] = failure
            emit(EventName.HEALTH_CHECK, attributes)
        score = well / len(asked) if asked else 1.0
        emit(EventName.HEARTBEAT, {**_status(score), **task_attributes(tasks)})


class _Asking:
    """One question to one check, in a thread of its own."""

    def __init__(self, check: Check) -> None:
        self.seconds = 0.0
        self.error_type: str | None = None
        self._check = check
        self._answer: bool | None = None
        self._started = monotonic()
        self._thread = Thread(target=self._ask, name="agenttracer-check", daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        try:
            found = self._check()
            if inspect.iscoroutine(found):
                found = asyncio.run(found)
            answer = found is None or bool(found)
        except Exception as error:
            self.error_type = error_type(error)
            answer = False
        self.seconds = monotonic() - self._started
        self._answer = answer

    def wait(self, timeout_seconds: float) -> bool | None:
        """The answer, or None when there is none yet."""
        self._thread.join(timeout_seconds)
        if self._answer is None:
            self.seconds = monotonic() - self._started
        return self._answer


def _status(score: float) -> dict[str, Any]:
    status = "online" if score == 1.0 else "warning" if score >= 0.5 else "error"
    return {semconv.AGENT_HEALTH_STATUS: status, semconv.AGENT_HEALTH_SCORE: score}


def task_attributes(tasks: Tasks) -> dict[str, int | float]:
    """The counters, as a heartbeat tells them."""
    with guard("tasks"):
        return {
            semconv.AGENT_UPTIME_SECONDS: round(tasks.uptime_seconds, 3),
            semconv.AGENT_TASKS_PENDING: tasks.pending,
            semconv.AGENT_TASKS_COMPLETED: tasks.completed,
            semconv.AGENT_TASKS_FAILED: tasks.failed,
        }
    return {}
