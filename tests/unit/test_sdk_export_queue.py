"""The queue between the host's threads and the network: bounded, never blocking, counted, fork-safe."""

import os
import threading
import time
from collections.abc import Sequence

import pytest

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.export_queue import ExportQueue
from tests.sdk_fakes import FakeSender


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


def test_what_is_put_is_sent_in_order() -> None:
    """Flush waits until all of it was sent; full batches leave before the interval is up."""
    sender = FakeSender()
    queue = ExportQueue(lambda: sender, batch_items=3, interval_seconds=60)

    assert all(queue.put(number) for number in range(8))
    assert queue.flush(5)
    queue.close(1)

    assert list(range(8)) == [item for batch in sender.batches for item in batch]
    assert 3 == max(len(batch) for batch in sender.batches)
    assert (0, 1) == (queue.dropped, sender.shutdowns)


def test_the_interval_sends_what_waits_without_a_flush() -> None:
    """A lone item leaves after ``interval_seconds``."""
    sender = FakeSender()
    queue = ExportQueue(lambda: sender, interval_seconds=0.01)
    queue.put("x")

    _wait_until(lambda: bool(sender.batches))
    queue.close(1)

    assert [["x"]] == sender.batches


def _wait_until(condition: object, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_full_queue_drops_at_once_and_counts() -> None:
    """While the collector does not answer, the queue takes ``max_items`` and refuses the rest without waiting."""
    sender = FakeSender()
    sender.gate.clear()
    queue = ExportQueue(lambda: sender, max_items=10, batch_items=2, interval_seconds=0.001)

    started = time.monotonic()
    taken = sum(queue.put(number) for number in range(1000))
    elapsed_seconds = time.monotonic() - started

    assert (10, 990) == (taken, queue.dropped)
    assert elapsed_seconds < 1
    sender.gate.set()
    assert queue.flush(5)
    assert queue.put("room again")
    queue.close(1)
    assert 11 == sum(len(batch) for batch in sender.batches)


def test_bytes_are_bounded_as_items_are() -> None:
    """Large items fill the queue before it has many, and batches stay small enough to be sent."""
    sender = FakeSender()
    sender.gate.clear()
    queue = ExportQueue(lambda: sender, max_bytes=100, batch_bytes=40, interval_seconds=60)

    assert [True, True, True, False] == [queue.put(name, 30) for name in "abcd"]
    assert not queue.put("huge", 101)
    sender.gate.set()
    queue.flush(5)
    queue.close(1)

    assert [["a"], ["b"], ["c"]] == sender.batches
    assert 2 == queue.dropped


def test_a_batch_that_was_given_up_is_counted() -> None:
    """A sender that gave up, or raised, lost its batch: the counter and the flush say so."""
    sender = FakeSender(answer=False)
    queue = ExportQueue(lambda: sender, interval_seconds=60)
    queue.put("x")

    assert not queue.flush(5)
    assert 1 == queue.dropped
    queue.close(1)


def test_a_sender_that_raises_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The thread goes on; the log names the kind of error, once, and not its text."""

    class Raising(FakeSender):
        def send(self, batch: Sequence[object]) -> bool:
            super().send(batch)
            raise OSError("alice")

    queue = ExportQueue(Raising, interval_seconds=60)
    for _ in range(2):
        queue.put("x")
        assert not queue.flush(5)

    assert 2 == queue.dropped
    assert ["agenttracer: export failed with OSError; the program goes on"] == caplog.messages
    queue.close(1)


def test_flush_and_close_keep_to_their_time() -> None:
    """With a collector that never answers both return in time; what was not sent is counted as dropped."""
    sender = FakeSender()
    sender.gate.clear()
    queue = ExportQueue(lambda: sender, batch_items=1)
    for number in range(3):
        queue.put(number)
    sender.entered.wait(5)

    started = time.monotonic()
    assert not queue.flush(0.05)
    assert not queue.close(0.05)

    assert time.monotonic() - started < 1
    assert (3, 1) == (queue.dropped, sender.shutdowns)
    assert not queue.put("late")
    assert queue.close(0.05)
    assert 4 == queue.dropped


def test_no_thread_and_no_connection_before_the_first_item() -> None:
    """A program that records nothing pays nothing."""
    connections: list[FakeSender] = []
    queue = ExportQueue(lambda: connections.append(FakeSender()) or connections[-1])

    assert queue.flush(0)
    assert queue.close(0)
    assert [] == connections


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_sends_its_own_and_not_its_parents() -> None:
    """What waited at the fork is the parent's; the child has a new thread and connection."""
    sender = FakeSender()
    queue = ExportQueue(lambda: sender, interval_seconds=60)
    queue.put("parent")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        queue.put("child")
        sent = queue.flush(5)
        os.write(write, repr((sent, sender.batches)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(read, 1000).decode()
    os.close(read)
    os.close(write)

    assert "(True, [['child']])" == told
    assert queue.flush(5)
    queue.close(1)
    assert [["parent"]] == sender.batches


def test_it_connects_with_the_first_item_not_with_the_first_batch() -> None:
    """Loading the transport takes longer than the wait for a batch should."""
    connected = threading.Event()

    def connect() -> FakeSender:
        connected.set()
        return FakeSender()

    queue = ExportQueue[str](connect, interval_seconds=30)
    queue.put("a")

    assert connected.wait(10)
    queue.close(1)
