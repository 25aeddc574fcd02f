"""``service.workers``: several collectors on the same ports, each with its own journal, and the one that minds them.

                      ┌─ worker 1   journal/              metrics on port p
    the kernel deals ─┼─ worker 2   journal/worker-2/     metrics on port p + 1     ──▶ one ClickHouse server
    connections out   └─ …
    this process: starts one after the other, restarts one that was killed, serves the health check, passes on
    SIGTERM, SIGINT and SIGHUP

A worker that ends by itself has said why, and takes the others with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from agenttracer.collector.component import Context, Worker
from agenttracer.collector.config.model import Config
from agenttracer.collector.config.workers import for_worker
from agenttracer.collector.errors import CollectorError, StartError
from agenttracer.collector.extensions.health_check import HealthCheck, HealthCheckOptions
from agenttracer.collector.logs import configure_logs
from agenttracer.collector.service import run
from agenttracer.collector.telemetry import Telemetry

_log = logging.getLogger("agenttracer.workers")
_RESTART_SECONDS = 0.5
_MOST_RESTARTS = 5
_WINDOW_SECONDS = 60.0
_STOP_SECONDS = 60.0

Load = Callable[[], Config]


def run_workers(load: Load) -> int:
    """The life of the process that minds the others; returns its exit status as ``service.run`` does."""
    try:
        asyncio.run(_Minder(load).serve())
    except CollectorError as error:
        print(f"agenttracer: {error}", file=sys.stderr)
        return 1
    return 0


class _Minder:
    """The workers' processes, by number, and what became of them."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._config = load()
        self._processes: dict[int, BaseProcess] = {}
        self._pipes: dict[int, Connection] = {}
        self._started = [asyncio.Event() for _ in range(self._config.workers + 1)]
        self._ready: set[int] = set()
        self._restarts: list[float] = []
        self._stopping = asyncio.Event()
        self._failure: StartError | None = None
        configured = [self._config.extensions[name] for name in self._config.service_extensions]
        self._health = [
            HealthCheck(each.options, Context(each.id, Telemetry()))
            for each in configured
            if isinstance(each.options, HealthCheckOptions)
        ]

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT; raises ``StartError`` if a worker can't go on."""
        configure_logs(self._config.telemetry)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._pass_on, signal.SIGHUP)
        minding: list[asyncio.Task[None]] = []
        try:
            for extension in self._health:
                await extension.start()
            self._started[0].set()
            minding += [asyncio.create_task(self._mind(each)) for each in range(1, self._config.workers + 1)]
            await self._stopping.wait()
        finally:
            self._set_ready(False)
            await self._stop(minding)
            for extension in self._health:
                await extension.stop()
        if self._failure is not None:
            raise self._failure

    async def _mind(self, number: int) -> None:
        """One worker: start it after the one before it, and again when it was killed, as long as it makes sense."""
        await self._started[number - 1].wait()
        joins = number > 1
        while not self._stopping.is_set():
            status = await self._run(Worker(number, self._config.workers, joins))
            if self._stopping.is_set():
                return
            now = time.monotonic()
            self._restarts = [at for at in self._restarts if now - at < _WINDOW_SECONDS] + [now]
            if status >= 0:
                self._fail(f"worker {number} can't go on, for the reason it gave")
            elif len(self._restarts) > _MOST_RESTARTS:
                self._fail(
                    f"workers were killed {len(self._restarts)} times in a minute, last by signal {-status}"
                )
            else:
                _log.warning("worker %d was killed by signal %d: it is started again", number, -status)
                joins = self._started[number].is_set()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), _RESTART_SECONDS)

    async def _run(self, worker: Worker) -> int:
        """The exit status; negative if it was killed."""
        context = get_context("spawn")
        pipe, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(self._load, worker, theirs), name=f"worker {worker.number}"
        )
        process.start()
        theirs.close()
        self._processes[worker.number], self._pipes[worker.number] = process, pipe
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(process.sentinel, ended.set)
        loop.add_reader(pipe.fileno(), self._became_ready, worker.number)
        await ended.wait()
        loop.remove_reader(process.sentinel)
        loop.remove_reader(pipe.fileno())
        process.join()
        pipe.close()
        self._ready.discard(worker.number)
        if not self._ready:
            self._set_ready(False)
        assert process.exitcode is not None
        return process.exitcode

    def _became_ready(self, number: int) -> None:
        pipe = self._pipes[number]
        asyncio.get_running_loop().remove_reader(pipe.fileno())  # at the end it can be read, too
        with suppress(EOFError, OSError):
            pipe.recv()
            self._ready.add(number)
            self._started[number].set()
        if self._stopping.is_set():
            return
        if len(self._ready) == self._config.workers:
            _log.info("ready: %d workers", len(self._ready))
        if all(started.is_set() for started in self._started):
            self._set_ready(True)

    def _set_ready(self, ready: bool) -> None:
        for extension in self._health:
            extension.set_ready(ready)

    def _fail(self, reason: str) -> None:
        self._failure = self._failure or StartError(f"{reason}; the collector stops.")
        self._stopping.set()

    def _pass_on(self, number: int) -> None:
        for process in self._processes.values():
            if process.is_alive() and process.pid is not None:
                os.kill(process.pid, number)

    async def _stop(self, minding: list[asyncio.Task[None]]) -> None:
        self._stopping.set()
        for started in self._started:
            started.set()
        self._pass_on(signal.SIGTERM)
        if not minding:
            return
        _, late = await asyncio.wait(minding, timeout=_STOP_SECONDS)
        if late:
            _log.error("workers that don't stop are killed; what they hold is in their journals")
            self._pass_on(signal.SIGKILL)
            await asyncio.wait(late)


def _work(load: Load, worker: Worker, pipe: Connection) -> None:
    threading.Thread(target=_stop_with_parent, args=(pipe,), daemon=True).start()
    sys.exit(run(partial(_load_for, load, worker), worker, partial(pipe.send, "ready")))


def _load_for(load: Load, worker: Worker) -> Config:
    return for_worker(load(), worker)


def _stop_with_parent(pipe: Connection) -> None:
    with suppress(EOFError, OSError):
        pipe.recv()
    os.kill(os.getpid(), signal.SIGTERM)
