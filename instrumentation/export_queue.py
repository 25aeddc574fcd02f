"""What waits to be sent: bounded in items and bytes, sent by one daemon thread, every drop counted.

    put → waiting (max_items, max_bytes) → a batch, full or after interval_seconds → export

OpenTelemetry's own batch processors can't promise this: their ``force_flush`` ignores its timeout, their
``shutdown`` may take half a minute, what they drop can't be read, and they bound items but not bytes, while one
artifact may have 16 MiB.
"""

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar
from weakref import WeakMethod

# The key is OpenTelemetry's contract with instrumentations: they make no spans of the exporter's own calls.
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from agenttracer.instrumentation.guard import guard, report
from agenttracer.instrumentation.quiet import THREAD_NAME

Item = TypeVar("Item")
Exported = TypeVar("Exported", contravariant=True)


class Sender(Protocol[Exported]):
    """Sends a batch; False when it gave up on it."""

    def send(self, batch: Sequence[Exported]) -> bool:
        """Block until the batch was taken, or was given up."""

    def shutdown(self) -> None:
        """Abort a ``send`` under way and let go of connections."""


class QueueStats(NamedTuple):
    """What became of the items that a queue was given."""

    accepted: int
    """Taken into the queue."""
    sent: int
    """Taken by the collector, or by the spool."""
    waiting: int
    """In the queue, or being sent."""
    dropped: Mapping[str, int]
    """Lost, by reason: ``queue_full``, ``closed``, or ``not_sent`` after all attempts."""


NO_STATS = QueueStats(0, 0, 0, {})


class ExportQueue(Generic[Item]):
    """Takes items from any thread without blocking and sends them in batches from its own.

    The thread and the connection are made when the first item comes, again so in a forked child.
    """

    def __init__(
        self,
        connect: Callable[[], Sender[Item]],
        *,
        max_items: int = 2048,
        max_bytes: int = 64 * 2**20,
        batch_items: int = 512,
        batch_bytes: int = 4 * 2**20,
        interval_seconds: float = 1.0,
    ) -> None:
        self._connect = connect
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._batch_items = min(batch_items, max_items)
        self._batch_bytes = batch_bytes
        self._interval_seconds = interval_seconds
        self._closed = False
        self._reset()
        if hasattr(os, "register_at_fork"):
            reset = WeakMethod(self._reset)

            def reset_in_child() -> None:
                if method := reset():
                    method()

            os.register_at_fork(after_in_child=reset_in_child)

    def _reset(self) -> None:
        # What waits at a fork is the parent's to send. The condition's lock is re-entrant: the garbage
        # collector may end a span in the middle of a ``put`` on the same thread.
        self._condition = threading.Condition()
        self._waiting: deque[tuple[Item, int]] = deque()
        self._waiting_bytes = 0
        self._held_items = self._held_bytes = 0  # waiting or being sent
        self._accepted = self._finished = self._sent = 0
        self._drops = dict.fromkeys(("queue_full", "closed", "not_sent"), 0)
        self._flushing = 0
        self._sender: Sender[Item] | None = None
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """Items that were refused because the queue was full or closed, or given up after failed attempts."""
        return sum(self._drops.values())

    def stats(self) -> QueueStats:
        """What became of the items so far."""
        with self._condition:
            return QueueStats(self._accepted, self._sent, self._held_items, dict(self._drops))

    def put(self, item: Item, size_bytes: int = 0) -> bool:
        """Take an item to be sent later; False when it is dropped instead. Never blocks on the network."""
        with self._condition:
            if self._closed or (self._thread is None and not self._start_thread()):
                self._drops["closed"] += 1
                return False
            if self._held_items >= self._max_items or self._held_bytes + size_bytes > self._max_bytes:
                self._drops["queue_full"] += 1
                return False
            self._waiting.append((item, size_bytes))
            self._waiting_bytes += size_bytes
            self._held_items += 1
            self._held_bytes += size_bytes
            self._accepted += 1
            if len(self._waiting) == 1 or self._is_urgent():
                self._condition.notify_all()
        return True

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until all that was put before now is sent; False when it is not in time, or dropped."""
        with self._condition:
            wanted, dropped = self._accepted, self.dropped
            self._flushing += 1
            self._condition.notify_all()
            in_time = self._condition.wait_for(lambda: self._finished >= wanted, timeout_seconds)
            self._flushing -= 1
            return in_time and self.dropped == dropped

    def close(self, timeout_seconds: float) -> bool:
        """Send what waits, then stop; what is not sent in time is dropped. Safe to call twice."""
        with self._condition:
            if self._closed:
                return True
            self._closed = True
            self._condition.notify_all()
            done = self._condition.wait_for(lambda: self._held_items == 0, timeout_seconds)
            aborting_seconds = self._give_up_waiting()
        self._disconnect()
        with self._condition:
            self._condition.wait_for(lambda: self._held_items == 0, aborting_seconds)
            self._drops["not_sent"] += self._held_items  # being sent: nobody will know its fate
            self._held_items = 0
        return done

    def _give_up_waiting(self) -> float:
        """Drop what waits, or hand it to a sender that keeps it, which gets a moment for what is being sent."""
        items = [item for item, _ in self._waiting]
        self._waiting.clear()
        keep = getattr(self._sender, "keep", None)
        self._held_items -= len(items)
        kept = False
        if keep is not None and items:
            with guard("spool"):
                kept = keep(items)
        self._finished += len(items)
        self._sent += len(items) if kept else 0
        self._drops["not_sent"] += 0 if kept else len(items)
        return 0.0 if keep is None else 0.5

    def _start_thread(self) -> bool:
        thread = threading.Thread(target=self._work, name=THREAD_NAME, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down
            return False
        self._thread = thread
        return True

    def _is_urgent(self) -> bool:
        return (
            self._closed
            or self._flushing > 0
            or len(self._waiting) >= self._batch_items
            or self._waiting_bytes >= self._batch_bytes
        )

    def _work(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        # Now, not with the first batch: the transport takes longer to load than a short program takes to end.
        self._connected()
        while batch := self._next_batch():
            sent = self._send([item for item, _ in batch])
            with self._condition:
                self._held_bytes -= sum(size for _, size in batch)
                self._finished += len(batch)
                if self._held_items:  # else ``close`` gave up on the batch and counted it
                    self._held_items -= len(batch)
                    self._sent += len(batch) if sent else 0
                    self._drops["not_sent"] += 0 if sent else len(batch)
                self._condition.notify_all()
        self._disconnect()  # a connection made while ``close`` gave up waiting for it

    def _next_batch(self) -> list[tuple[Item, int]]:
        with self._condition:
            self._condition.wait_for(lambda: bool(self._waiting) or self._closed)
            self._condition.wait_for(self._is_urgent, self._interval_seconds)
            batch: list[tuple[Item, int]] = []
            batch_bytes = 0
            while self._waiting and len(batch) < self._batch_items:
                if batch and batch_bytes + self._waiting[0][1] > self._batch_bytes:
                    break
                batch.append(self._waiting.popleft())
                batch_bytes += batch[-1][1]
            self._waiting_bytes -= batch_bytes
            return batch

    def _send(self, items: list[Item]) -> bool:
        sender = self._connected()
        try:
            return sender is not None and sender.send(items)
        except Exception as error:
            report("export", error)
            return False

    def _connected(self) -> Sender[Item] | None:
        if self._sender is None:
            try:
                self._sender = self._connect()
            except Exception as error:
                report("export", error)
        return self._sender

    def _disconnect(self) -> None:
        with self._condition:
            sender, self._sender = self._sender, None
        if sender is not None:
            with guard("export shutdown"):
                sender.shutdown()
