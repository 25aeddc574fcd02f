"""Work that is already done, told afterwards: a run with its steps, result, metrics and artifacts, at its own times.

tracer.ingest_success(
    result={"frames": 180}, metrics={"confidence": 0.92}, started_at=start, finished_at=end,
    artifacts=[{"name": "motion.json", "data": raw, "content_type": "application/json", "meta": {"fps": 30}}],
    steps=[{"type": "model", "name": "generate", "started_at": start, "finished_at": end}],
)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from time import time_ns
from typing import TYPE_CHECKING, Any
from uuid import UUID

from agenttracer.instrumentation.guard import guard
from agenttracer.instrumentation.records import Records
from agenttracer.schemas.semconv import FailureCode, FailureType

if TYPE_CHECKING:
    from agenttracer.instrumentation.run import Run

Time = Any
"""A ``datetime`` (without a zone: local time, as Python has it) or seconds since 1970."""


class Ingest(Records):
    """The part of a tracer that tells of finished work."""

    if TYPE_CHECKING:

        def start_run(
            self,
            name: str | None = None,
            run_id: str | UUID | None = None,
            user_id: str | None = None,
            conversation_id: str | None = None,
            metadata: Mapping[str, object] | None = None,
            *,
            input: object = None,
            provenance: Mapping[str, object] | None = None,
        ) -> Run: ...

    def ingest_success(
        self,
        run_id: str | UUID | None = None,
        *,
        result: Mapping[str, object] | None = None,
        artifacts: Iterable[Mapping[str, Any]] = (),
        metrics: Mapping[str, float | str] | None = None,
        steps: Iterable[Mapping[str, Any]] = (),
        started_at: Time | None = None,
        finished_at: Time | None = None,
        **about: Any,
    ) -> str:
        """Tell of a run that went well; returns its id.

        ``artifacts``: arguments of ``record_artifact``. ``steps``: ``type``, ``name``, ``started_at``,
        ``finished_at``, ``metadata``, and ``failure_code`` for one that failed. ``about``: arguments of
        ``start_run``, as ``name``, ``user_id``, ``metadata``, ``input`` and ``provenance``.
        """
        run = self.start_run(run_id=run_id, **about)
        _tell(run, None, result, artifacts, metrics, steps, started_at, finished_at)
        return run.id

    def ingest_failure(
        self,
        run_id: str | UUID | None = None,
        failure_type: str = FailureType.ORCHESTRATION.value,
        failure_code: str = FailureCode.ERROR.value,
        message: str | None = None,
        *,
        result: Mapping[str, object] | None = None,
        artifacts: Iterable[Mapping[str, Any]] = (),
        metrics: Mapping[str, float | str] | None = None,
        steps: Iterable[Mapping[str, Any]] = (),
        started_at: Time | None = None,
        finished_at: Time | None = None,
        **about: Any,
    ) -> str:
        """Tell of a run that failed, and how, as ``run.record_failure`` does; returns its id."""
        run = self.start_run(run_id=run_id, **about)
        failure = (failure_type, failure_code, message)
        _tell(run, failure, result, artifacts, metrics, steps, started_at, finished_at)
        return run.id


def _tell(
    run: Run,
    failure: tuple[str, str, str | None] | None,
    result: Mapping[str, object] | None,
    artifacts: Iterable[Mapping[str, Any]],
    metrics: Mapping[str, float | str] | None,
    steps: Iterable[Mapping[str, Any]],
    started_at: Time | None,
    finished_at: Time | None,
) -> None:
    with guard("ingest"):
        end = time_ns() if finished_at is None else _ns(finished_at)
        start = end if started_at is None else min(end, _ns(started_at))
        run.start(start)
        try:
            for step in steps:
                _tell_step(run, step, start, end)
            if result:
                run.set_result(result)
            run.record_metrics(metrics or {})
            for artifact in artifacts:
                run.record_artifact(**artifact)
            if failure is not None:
                run.record_failure(*failure)
        finally:
            run.end(at_ns=end)


def _tell_step(run: Run, told: Mapping[str, Any], start: int, end: int) -> None:
    step = run.step(told.get("type", "other"), told.get("name", "step"), metadata=told.get("metadata"))
    begun, ended = told.get("started_at"), told.get("finished_at")
    step.start(start if begun is None else _ns(begun))
    if told.get("failure_code"):
        step.fail(told["failure_code"])
    step.end(at_ns=end if ended is None else _ns(ended))


def _ns(time: Time) -> int:
    from datetime import datetime

    seconds = time.timestamp() if isinstance(time, datetime) else float(time)
    return int(seconds * 1e6) * 1000  # a float holds no more of a time in this century
