"""From requests to the journal: group → decode → process → one durable transaction → answer.

    receivers' threads ──deliver──▶ waiting requests, a line for each (signal, tenant)
                                          │ taken in turn, all that wait, so groups grow with the load
    worker threads ◀──────────────────────┘
        decode (one call for the group) → processors → pack → journal.append (one fsync) → answers

A request is answered only after its rows are in the journal. A re-sent request is answered as the first
one was, and its rows are not stored again.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from agenttracer.collector.bug_report import report_bug
from agenttracer.collector.codec import pack
from agenttracer.collector.component import Accepted, Deliver, Processor, Request
from agenttracer.collector.decode import Outcome, decode, decode_thread
from agenttracer.collector.errors import CollectorError, Rejected, Unavailable
from agenttracer.collector.journal import Group, Journal
from agenttracer.collector.linger import linger
from agenttracer.collector.receipts import Receipt
from agenttracer.collector.shared_limit import SharedLimit
from agenttracer.collector.telemetry import BookLine, Telemetry
from agenttracer.schemas.batch import Batch, Signal

_MAX_GROUP_BYTES = 16 * 1024 * 1024
_MAX_GROUP_REQUESTS = 1024
_OVERHEAD_BYTES = 16 * 1024
"""About what a request holds besides its body while it waits: a flood of tiny ones must count, too."""
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RunningPipeline:
    """A pipeline's receiving half: which receivers feed it and what its rows pass through."""

    id: str
    signal: Signal
    receivers: tuple[str, ...]
    processors: tuple[Processor[Any], ...]


@dataclass(slots=True)
class _Waiting:
    request: Request
    digest: bytes
    answer: Future[Accepted] = field(default_factory=Future)


class Ingest:
    """Owns the requests from ``deliver`` until they are answered."""

    def __init__(
        self,
        pipelines: Sequence[RunningPipeline],
        journal: Journal,
        telemetry: Telemetry,
        *,
        num_workers: int = 1,
        max_in_flight_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self.journal = journal
        self.telemetry = telemetry
        self.in_flight = SharedLimit(max_in_flight_bytes)
        self._pipelines = tuple(pipelines)
        self._lines: OrderedDict[tuple[Signal, str, str], deque[_Waiting]] = OrderedDict()
        self._unanswered: dict[bytes, Future[Accepted]] = {}
        self._waiting_requests = 0
        self._unwritten: Counter[BookLine] = Counter()
        self._changed = threading.Condition()
        self._closing = False
        self._workers = [decode_thread(self._work, f"ingest-{number}") for number in range(num_workers)]

    def start(self) -> None:
        """Start the workers."""
        for worker in self._workers:
            worker.start()

    def stop(self) -> None:
        """Refuse new requests, answer those that wait, end the workers. Safe twice, and before start."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
        self._write_notes()

    # ---- receivers' threads

    def deliver_from(self, receiver: str) -> Deliver:
        """The function through which a receiver hands in its requests."""
        fed = {
            signal: tuple(p for p in self._pipelines if p.signal == signal and receiver in p.receivers)
            for signal in Signal
        }

        def deliver(request: Request) -> Future[Accepted]:
            return self._admit(request, fed[request.signal])

        return deliver

    def _admit(self, request: Request, pipelines: Sequence[RunningPipeline]) -> Future[Accepted]:
        refused: Future[Accepted] = Future()
        try:
            if not pipelines:
                raise Rejected(f"no pipeline takes {request.signal} from this receiver", reason="no_pipeline")
            for pipeline in pipelines:
                for processor in pipeline.processors:
                    processor.admit(request)
            if self.journal.full_for(request.tenant):
                raise Unavailable("the journal is full: an exporter is behind", retry_after_seconds=5)
        except CollectorError as error:
            refused.set_exception(error)
            return refused
        # Copies of a request that is under way count too: each holds its bytes until it is answered.
        num_bytes = len(request.body) + _OVERHEAD_BYTES
        if not self.in_flight.try_take(request.tenant, num_bytes):
            refused.set_exception(Unavailable("too many bytes in flight"))
            return refused
        answer = self._enter(_Waiting(request, _digest(request)))
        answer.add_done_callback(lambda _: self.in_flight.give_back(request.tenant, num_bytes))
        return answer

    def _enter(self, waiting: _Waiting) -> Future[Accepted]:
        """Get in line, unless the same request is there, or was answered, already."""
        request, digest = waiting.request, waiting.digest
        with self._changed:
            first = self._unanswered.get(digest)
            answered = self.journal.answered(digest) if first is None else None
            if first is None and answered is None:
                if self._closing:
                    waiting.answer.set_exception(
                        Unavailable("the collector is stopping", retry_after_seconds=5)
                    )
                    return waiting.answer
                self._unanswered[digest] = waiting.answer
                line = (request.signal, request.tenant, request.receiver)
                self._lines.setdefault(line, deque()).append(waiting)
                self._waiting_requests += 1
                self._changed.notify()
                return waiting.answer
        if first is not None:
            first.add_done_callback(lambda done: self._answer_again(waiting, done))
        elif answered is not None:
            self._note_duplicate(request, *answered)
            waiting.answer.set_result(_answer(*answered))
        return waiting.answer

    def _answer_again(self, waiting: _Waiting, done: Future[Accepted]) -> None:
        error = done.exception()
        if error is not None:
            waiting.answer.set_exception(error)
            return
        answered = self.journal.answered(waiting.digest)
        if answered is not None:
            self._note_duplicate(waiting.request, *answered)
        waiting.answer.set_result(done.result())

    def _note_duplicate(self, request: Request, rows: int, rejected_rows: int) -> None:
        with self._changed:
            for pipeline in self._pipelines:
                if pipeline.signal == request.signal and request.receiver in pipeline.receivers:
                    self._unwritten[(pipeline.id, request.tenant, "received", "", "")] += rows + rejected_rows
                    self._unwritten[(pipeline.id, request.tenant, "duplicate", "", "")] += (
                        rows + rejected_rows
                    )

    # ---- worker threads

    def _work(self) -> None:
        answered, took_seconds = 0, 0.0
        while (taken := self._next(answered, took_seconds)) is not None:
            started = time.perf_counter()
            if taken:
                self._handle(taken)
            else:
                self._write_notes()
            took_seconds = time.perf_counter() - started
            answered = len(taken)

    def _next(self, answered: int, took_seconds: float) -> list[_Waiting] | None:
        """The next group's requests; none after an idle second; None when it is time to end."""
        linger(lambda: self._waiting_requests, answered, took_seconds)
        with self._changed:
            if not self._lines and not self._closing:
                self._changed.wait(_IDLE_SECONDS)
            if self._lines:
                return self._take()
            return None if self._closing else []

    def _take(self) -> list[_Waiting]:
        """The requests of the line whose turn it is; a long line goes to the end with what is left."""
        line, waiting = self._lines.popitem(last=False)
        taken: list[_Waiting] = []
        size = 0
        while waiting and len(taken) < _MAX_GROUP_REQUESTS:
            size += len(waiting[0].request.body)
            if taken and size > _MAX_GROUP_BYTES:
                break
            taken.append(waiting.popleft())
        self._waiting_requests -= len(taken)
        if waiting:
            self._lines[line] = waiting
            self._changed.notify()
        return taken

    def _handle(self, taken: Sequence[_Waiting]) -> None:
        try:
            self._store(taken)
        except CollectorError as error:
            _refuse(taken, error)
        except (MemoryError, OSError) as error:
            report_bug("ingest", error)
            _refuse(taken, Unavailable("the collector is short of a resource", retry_after_seconds=5))
        except Exception as error:
            report_bug("ingest", error)
            self.telemetry.add("agenttracer_component_errors_total", component="ingest")
            if len(taken) == 1:
                _refuse(taken, Rejected("the request can't be processed", reason="processing_error"))
            else:
                # One bad request must not take the others with it.
                for waiting in taken:
                    self._handle([waiting])
        finally:
            with self._changed:
                for waiting in taken:
                    self._unanswered.pop(waiting.digest, None)

    def _store(self, taken: Sequence[_Waiting]) -> None:
        first = taken[0].request
        decoded = decode(
            first.signal,
            [waiting.request.body for waiting in taken],
            first.tenant,
            received_unix_ns=time.time_ns(),
        )
        rows = sum(outcome.rows for outcome in decoded.outcomes)
        rejected = sum(outcome.rejected_rows for outcome in decoded.outcomes)
        lines: Counter[BookLine] = Counter()
        groups = []
        for pipeline in self._pipelines:
            if pipeline.signal != first.signal or first.receiver not in pipeline.receivers:
                continue
            lines[(pipeline.id, first.tenant, "received", "", "")] += rows + rejected
            lines[(pipeline.id, first.tenant, "rejected", "invalid_id", "")] += rejected
            batch = self._process(pipeline, first.tenant, decoded.batch, lines)
            if batch is not None:
                groups.append(Group(pipeline.id, first.tenant, batch.num_rows, pack(batch)))
        receipts = [
            Receipt(waiting.digest, outcome.rows, outcome.rejected_rows)
            for waiting, outcome in zip(taken, decoded.outcomes, strict=True)
            if not outcome.error
        ]
        if receipts:
            with self._changed:
                lines.update(self._unwritten)
                self._unwritten.clear()
            started = time.perf_counter()
            self.journal.append(groups, receipts, lines)
            self.telemetry.observe("agenttracer_journal_commit_seconds", time.perf_counter() - started)
        for waiting, outcome in zip(taken, decoded.outcomes, strict=True):
            _conclude(waiting, outcome)
        self._count(taken, decoded.outcomes, rows)

    def _process(
        self, pipeline: RunningPipeline, tenant: str, batch: Batch | None, lines: Counter[BookLine]
    ) -> Batch | None:
        for processor in pipeline.processors:
            if batch is None:
                return None
            before = batch.num_rows
            batch = processor.process(batch)
            after = batch.num_rows if batch is not None else 0
            name = processor.context.id
            lines[(pipeline.id, tenant, "filtered", name, "")] += before - after
            self.telemetry.add(
                "otelcol_processor_incoming_items", before, processor=name, otel_signal=pipeline.signal
            )
            self.telemetry.add(
                "otelcol_processor_outgoing_items", after, processor=name, otel_signal=pipeline.signal
            )
        return batch if batch is not None and batch.num_rows else None

    def _count(self, taken: Sequence[_Waiting], outcomes: Sequence[Outcome], rows: int) -> None:
        request = taken[0].request
        self.telemetry.observe("agenttracer_group_rows", rows, signal=request.signal)
        accepted: Counter[str] = Counter()
        refused: Counter[str] = Counter()
        for waiting, outcome in zip(taken, outcomes, strict=True):
            accepted[waiting.request.transport] += outcome.rows
            refused[waiting.request.transport] += outcome.rejected_rows
        for name, counts in (("accepted", accepted), ("refused", refused)):
            for transport, count in counts.items():
                metric = f"otelcol_receiver_{name}_{request.signal.items}"
                self.telemetry.add(metric, count, receiver=request.receiver, transport=transport)

    def _write_notes(self) -> None:
        """Write the book lines of duplicates that no group came along to carry."""
        with self._changed:
            lines = Counter(self._unwritten)
            self._unwritten.clear()
        if lines:
            try:
                self.journal.note(lines)
            except Unavailable:
                with self._changed:
                    self._unwritten.update(lines)


def _digest(request: Request) -> bytes:
    # SHA-256, because processors have instructions for it: half the time of BLAKE2.
    owner = hashlib.sha256(f"{request.signal}\0{request.receiver}\0{request.tenant}".encode()).digest()
    digest = hashlib.sha256(owner)
    digest.update(request.body)
    return digest.digest()[:16]


def _answer(rows: int, rejected_rows: int) -> Accepted:
    if not rejected_rows:
        return Accepted()
    return Accepted(
        rejected_rows, f"{rejected_rows} of {rows + rejected_rows} refused: invalid trace or span id"
    )


def _conclude(waiting: _Waiting, outcome: Outcome) -> None:
    if outcome.error:
        waiting.answer.set_exception(Rejected(outcome.message, reason=outcome.error))
    else:
        waiting.answer.set_result(_answer(outcome.rows, outcome.rejected_rows))


def _refuse(taken: Sequence[_Waiting], error: CollectorError) -> None:
    for waiting in taken:
        if not waiting.answer.done():
            waiting.answer.set_exception(error)
