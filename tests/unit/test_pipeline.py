"""Requests are answered when their rows are in the journal; every other answer leaves nothing behind."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from pathlib import Path

import pytest

from agenttracer.collector.codec import unpack
from agenttracer.collector.component import Accepted, Context, Deliver, Options, Processor, Request
from agenttracer.collector.errors import CollectorError, Rejected, Unavailable
from agenttracer.collector.journal import Journal
from agenttracer.collector.pipeline import Ingest, RunningPipeline
from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from tests.otlp_traces import request, span


class Passing(Processor[Options]):
    """Does what a test tells it to; without a word, nothing."""

    def __init__(
        self,
        process: Callable[[Batch], Batch | None] = lambda batch: batch,
        admit: Callable[[Request], None] = lambda _: None,
    ) -> None:
        super().__init__(Options(), Context("passing", Telemetry()))
        self._process = process
        self._admit = admit

    def admit(self, request: Request) -> None:
        self._admit(request)

    def process(self, batch: Batch) -> Batch | None:
        return self._process(batch)


class Bench:
    """A pipeline with its journal."""

    def __init__(
        self, folder: Path, processor: Passing, *, max_bytes: int = 10_000_000, pipelines: int = 1
    ) -> None:
        self.telemetry = Telemetry()
        self.journal = Journal(folder / "journal", max_bytes=max_bytes, window_seconds=900)
        self.journal.open()
        names = ["traces", "traces/2"][:pipelines]
        self.journal.register([(name, "store") for name in names])
        running = [RunningPipeline(name, Signal.TRACES, ("otlp",), (processor,)) for name in names]
        self.ingest = Ingest(running, self.journal, self.telemetry)
        self.deliver: Deliver = self.ingest.deliver_from("otlp")

    def send(self, body: bytes, tenant: str = "default") -> "Future[Accepted]":
        return self.deliver(Request(Signal.TRACES, body, tenant, "otlp", "grpc"))

    def answer(self, body: bytes, tenant: str = "default") -> Accepted | CollectorError:
        try:
            return self.send(body, tenant).result(timeout=20)
        except CollectorError as error:
            return error

    def stored(self, pipeline: str = "traces") -> list[str]:
        """The names of the spans in the journal."""
        claim = self.journal.claim(pipeline, "store", 1_000_000)
        if claim is None:
            return []
        return unpack([group.payload for group in claim.groups]).rows.column("SpanName").to_pylist()

    def books(self) -> dict[str, int]:
        lines: Counter[str] = Counter()
        for entry in self.journal.entries():
            if entry.signal == "traces":
                lines[entry.state] += entry.rows
        return {state: rows for state, rows in lines.items() if rows}

    def close(self) -> None:
        self.ingest.stop()
        self.journal.close()


Make = Callable[..., Bench]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Bench] = []

    def build(processor: Passing | None = None, *, start: bool = True, **options: int) -> Bench:
        bench = Bench(tmp_path, processor or Passing(), **options)
        made.append(bench)
        if start:
            bench.ingest.start()
        return bench

    yield build
    for bench in made:
        bench.close()


def body(*names: str) -> bytes:
    return request(*(span(name) for name in names)).SerializeToString()


def test_an_answer_means_the_rows_are_in_the_journal(make: Make) -> None:
    """When the client hears "stored", another process could read the rows from the file."""
    bench = make()

    answer = bench.answer(body("a", "b"))

    assert answer == Accepted()
    assert bench.stored() == ["a", "b"]
    assert bench.books() == {"received": 2, "waiting": 2}


def test_a_request_sent_again_is_answered_again_and_stored_once(make: Make) -> None:
    """A client that missed the answer may send the same bytes as often as it likes."""
    bench = make()
    once = body("a")

    answers = [bench.answer(once) for _ in range(3)]
    bench.ingest.stop()

    assert answers == [Accepted()] * 3
    assert bench.stored() == ["a"]
    assert bench.books() == {"received": 3, "waiting": 1, "duplicate": 2}


def test_the_same_request_in_parallel_is_stored_once(make: Make) -> None:
    """Copies that come while the first is still under way wait for its answer."""
    bench = make(start=False)
    once = body("a")
    futures = [bench.send(once) for _ in range(5)]
    bench.ingest.start()

    wait(futures, timeout=20)
    bench.ingest.stop()

    assert [future.result() for future in futures] == [Accepted()] * 5
    assert bench.stored() == ["a"]
    assert bench.books() == {"received": 5, "waiting": 1, "duplicate": 4}


def test_the_same_bytes_of_two_tenants_are_two_requests(make: Make) -> None:
    """One tenant's request is never a duplicate of another's."""
    bench = make()
    once = body("a")

    bench.answer(once, "one")
    bench.answer(once, "two")

    assert bench.stored() == ["a", "a"]


def test_duplicates_are_known_after_a_restart(tmp_path: Path) -> None:
    """A request that was answered before a crash is not stored again after it."""
    once = body("a")
    for _ in range(2):
        bench = Bench(tmp_path, Passing())
        bench.ingest.start()
        assert bench.answer(once) == Accepted()
        stored = bench.stored()
        bench.close()

    assert stored == ["a"]


def test_garbage_harms_nobody_else(make: Make) -> None:
    """A malformed request is refused for good; the good ones it was decoded with are stored."""
    bench = make(start=False)
    futures = [bench.send(body("a")), bench.send(b"\xff garbage"), bench.send(body("b"))]
    bench.ingest.start()
    wait(futures, timeout=20)

    refused = futures[1].exception()
    assert isinstance(refused, Rejected)
    assert refused.reason == "malformed"
    assert "garbage" not in str(refused)
    assert sorted(bench.stored()) == ["a", "b"]


def test_spans_with_bad_ids_are_refused_one_by_one(make: Make) -> None:
    """Only the spans that can't be stored are refused, and a repeated request hears the same."""
    bench = make()
    message = request(span("good"), span("bad"))
    message.resource_spans[0].scope_spans[0].spans[1].trace_id = b"short"
    twice = message.SerializeToString()

    first, again = bench.answer(twice), bench.answer(twice)
    bench.ingest.stop()

    assert first == again == Accepted(1, "1 of 2 refused: invalid trace or span id")
    assert bench.stored() == ["good"]
    assert bench.books() == {"received": 4, "waiting": 1, "rejected": 1, "duplicate": 2}


def test_an_empty_request_is_fine(make: Make) -> None:
    """A request without spans is answered with success, as the protocol asks."""
    assert make().answer(b"") == Accepted()


def test_rows_that_a_processor_drops_are_in_the_books(make: Make) -> None:
    """What a processor takes away is counted under its name."""
    bench = make(Passing(lambda batch: batch.with_tables(rows=batch.rows.slice(0, 1))))

    bench.answer(body("a", "b", "c"))

    assert bench.stored() == ["a"]
    assert bench.books() == {"received": 3, "waiting": 1, "filtered": 2}


def test_a_batch_that_is_dropped_whole_is_answered(make: Make) -> None:
    """A processor may drop everything; the client need not send it again."""
    bench = make(Passing(lambda batch: None))

    assert bench.answer(body("a")) == Accepted()
    assert bench.books() == {"received": 1, "filtered": 1}


def test_a_processor_may_refuse_before_decoding(make: Make) -> None:
    """What ``admit`` raises is the answer."""

    def refuse(_: Request) -> None:
        raise Unavailable("data refused due to high memory usage")

    bench = make(Passing(admit=refuse))

    assert isinstance(bench.answer(body("a")), Unavailable)
    assert bench.books() == {}


def test_a_request_that_breaks_a_processor_is_refused_alone(make: Make) -> None:
    """A bug that one request sets off does not take the others of its group with it, and nothing of the
    request is told or logged."""

    def choke(batch: Batch) -> Batch:
        if "poison" in batch.rows.column("SpanName").to_pylist():
            raise RuntimeError("poison")
        return batch

    bench = make(Passing(choke), start=False)
    futures = [bench.send(body("a")), bench.send(body("poison")), bench.send(body("b"))]
    bench.ingest.start()
    wait(futures, timeout=20)

    refused = futures[1].exception()
    assert isinstance(refused, Rejected)
    assert refused.reason == "processing_error"
    assert "poison" not in str(refused)
    assert sorted(bench.stored()) == ["a", "b"]


def test_a_full_journal_is_unavailable(make: Make) -> None:
    """When the exporters are too far behind, clients are told to come again."""
    bench = make(max_bytes=1)
    assert bench.answer(body("a")) == Accepted()

    assert isinstance(bench.answer(body("b")), Unavailable)


def test_a_journal_that_can_not_be_written_is_unavailable(make: Make) -> None:
    """Without a durable journal nobody hears "stored"."""
    bench = make()
    bench.journal.close()

    assert isinstance(bench.answer(body("a")), Unavailable)


def test_too_many_bytes_in_flight_are_unavailable(make: Make) -> None:
    """The requests that wait to be processed take a bounded amount of memory."""
    bench = make(start=False)
    bench.ingest.in_flight.limit_bytes = len(body("a"))
    first = bench.send(body("a"))

    assert isinstance(bench.answer(body("b")), Unavailable)
    bench.ingest.start()
    assert first.result(timeout=20) == Accepted()
    assert bench.answer(body("c")) == Accepted()


def test_a_tenant_that_floods_leaves_room_for_others(make: Make) -> None:
    """One tenant fills its part of the bytes in flight; another's first request is taken all the same."""
    bench = make(start=False)
    bench.ingest.in_flight.limit_bytes = 1_000_000
    flood = [bench.send(body("flood")) for _ in range(100)]
    calm = bench.send(body("calm"), "calm")

    assert any(isinstance(future.exception(timeout=0), Unavailable) for future in flood if future.done())
    assert not calm.done()
    bench.ingest.start()
    assert Accepted() == calm.result(timeout=20)
    wait(flood, timeout=20)
    assert 0 == bench.ingest.in_flight.used_bytes


def test_copies_of_a_request_under_way_count_as_bytes_in_flight(make: Make) -> None:
    """Each holds its bytes until the first is answered, so their number is bounded too."""
    bench = make(start=False)
    bench.ingest.in_flight.limit_bytes = 1_000_000
    once = body("a")
    copies = [bench.send(once) for _ in range(100)]

    assert isinstance(copies[-1].exception(timeout=0), Unavailable)
    bench.ingest.start()
    assert Accepted() == copies[0].result(timeout=20)


def test_stopping_answers_what_was_taken(make: Make) -> None:
    """Requests that were taken before the stop are stored; later ones are told to come again."""
    bench = make(start=False)
    taken = [bench.send(body(f"{number}")) for number in range(20)]
    bench.ingest.start()

    bench.ingest.stop()

    assert [future.result(timeout=0) for future in taken] == [Accepted()] * 20
    assert isinstance(bench.answer(body("late")), Unavailable)


def test_requests_from_many_threads_share_groups(make: Make) -> None:
    """Every one of many parallel requests is stored once."""
    bench = make()
    bodies = [body(f"span-{number}") for number in range(200)]
    failed: list[object] = []

    def client(part: list[bytes]) -> None:
        failed.extend(answer for each in part if (answer := bench.answer(each)) != Accepted())

    threads = [threading.Thread(target=client, args=(bodies[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert sorted(bench.stored()) == sorted(f"span-{number}" for number in range(200))


def test_every_pipeline_of_the_signal_gets_the_rows(make: Make) -> None:
    """Two pipelines that one receiver feeds each have the rows, in one transaction."""
    bench = make(pipelines=2)

    bench.answer(body("a"))

    assert bench.stored("traces") == bench.stored("traces/2") == ["a"]


def test_accepted_rows_are_counted_under_the_collectors_names(make: Make) -> None:
    """``otelcol_receiver_accepted_spans`` and its sibling count what was taken and what was refused."""
    bench = make()
    message = request(span("good"), span("bad"))
    message.resource_spans[0].scope_spans[0].spans[1].span_id = b""

    bench.answer(message.SerializeToString())
    bench.ingest.stop()

    labels = {"receiver": "otlp", "transport": "grpc"}
    value = bench.telemetry.registry.get_sample_value
    assert value("otelcol_receiver_accepted_spans", labels) == 1
    assert value("otelcol_receiver_refused_spans", labels) == 1
