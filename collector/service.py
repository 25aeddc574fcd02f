"""Builds everything the configuration names, starts it in order, and stops it without losing a row.

start: extensions → exporters → deliveries → workers → receivers → ready
stop:  not ready → receivers → workers (all requests answered) → deliveries (drain) → exporters → extensions
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from agenttracer.collector.allocator import give_back_freed_memory, keep_freed_memory
from agenttracer.collector.component import (
    Component,
    Context,
    Exporter,
    Extension,
    Processor,
    Receiver,
    Worker,
)
from agenttracer.collector.config.model import Config, Configured
from agenttracer.collector.delivery import Delivery
from agenttracer.collector.errors import CollectorError
from agenttracer.collector.extensions.file_storage import FileStorage, FileStorageOptions
from agenttracer.collector.garbage import settle
from agenttracer.collector.journal import Journal
from agenttracer.collector.library_code import LibraryCode
from agenttracer.collector.logs import configure_logs
from agenttracer.collector.pipeline import Ingest, RunningPipeline
from agenttracer.collector.telemetry import Telemetry

_log = logging.getLogger("agenttracer.service")
_DRAIN_SECONDS = 10.0
_RECEIPTS_SECONDS = 60.0
_MEMORY_SECONDS = 10.0
_ALONE = Worker()
R = TypeVar("R", bound=Component[Any])


class Service:
    """One configuration, running."""

    def __init__(self, config: Config, worker: Worker = _ALONE) -> None:
        self.config = config
        self.worker = worker
        self.telemetry = Telemetry()
        self.extensions: dict[str, Extension[Any]] = {}
        self.exporters: dict[str, Exporter[Any]] = {}
        self.receivers: dict[str, Receiver[Any]] = {}
        self.processors: list[Processor[Any]] = []
        self.deliveries: list[Delivery] = []
        self.ingest: Ingest | None = None
        self.failure: CollectorError | None = None
        self.on_failure: Callable[[], None] = lambda: None
        """Called, from any thread, when it can't go on, with ``failure`` set."""
        self._housekeeping: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start everything, or stop what was started and raise ``StartError``."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        journal = await self._start_extensions()
        journal.on_damage = self._fail
        await self._start_exporters(journal)
        self.ingest = Ingest(
            await self._start_processors(),
            journal,
            self.telemetry,
            max_in_flight_bytes=self.config.max_in_flight_mib * 1024 * 1024,
        )
        self.ingest.start()
        await self._start_receivers(self.ingest)
        # Extensions that show what the exporters opened come after them.
        for extension in self.extensions.values():
            if extension.starts_last:
                await extension.start()
        code = await asyncio.to_thread(LibraryCode)
        await asyncio.to_thread(code.release)
        self._housekeeping = [
            asyncio.create_task(_every(_RECEIPTS_SECONDS, partial(_forget_receipts, journal))),
            asyncio.create_task(_every(_MEMORY_SECONDS, give_back_freed_memory)),
            asyncio.create_task(_every(_MEMORY_SECONDS, code.release)),
        ]
        self._set_ready(True)

    async def _start_extensions(self) -> Journal:
        configured = [self.config.extensions[name] for name in self.config.service_extensions]
        if not any(issubclass(each.cls, FileStorage) for each in configured):
            configured.append(Configured("file_storage", FileStorage, FileStorageOptions()))
        for each in configured:
            extension = self._make(each, Extension)
            self.extensions[each.id] = extension
            if not extension.starts_last:
                await extension.start()
        return next(each.journal for each in self.extensions.values() if isinstance(each, FileStorage))

    async def _start_exporters(self, journal: Journal) -> None:
        pipelines = self.config.pipelines.values()
        for name in dict.fromkeys(name for pipeline in pipelines for name in pipeline.exporters):
            self.exporters[name] = self._make(self.config.exporters[name], Exporter)
            await self.exporters[name].start()
        pairs = [(pipeline, name) for pipeline in pipelines for name in pipeline.exporters]
        await asyncio.to_thread(journal.register, [(pipeline.id, name) for pipeline, name in pairs])
        for pipeline, name in pairs:
            delivery = Delivery(pipeline.id, pipeline.signal, self.exporters[name], journal, self.telemetry)
            self.deliveries.append(delivery)
            await delivery.start()

    async def _start_processors(self) -> list[RunningPipeline]:
        running = []
        for pipeline in self.config.pipelines.values():
            processors = [self._make(self.config.processors[name], Processor) for name in pipeline.processors]
            self.processors.extend(processors)
            for processor in processors:
                await processor.start()
            running.append(
                RunningPipeline(pipeline.id, pipeline.signal, pipeline.receivers, tuple(processors))
            )
        return running

    async def _start_receivers(self, ingest: Ingest) -> None:
        pipelines = self.config.pipelines.values()
        for name in dict.fromkeys(name for pipeline in pipelines for name in pipeline.receivers):
            self.receivers[name] = self._make(
                self.config.receivers[name], Receiver, ingest.deliver_from(name)
            )
            await self.receivers[name].start()

    def _make(self, configured: Configured, role: type[R], *arguments: Any) -> R:
        context = Context(configured.id, self.telemetry, self.extensions, self.worker)
        component = configured.cls(configured.options, context, *arguments)
        assert isinstance(component, role)
        return component

    def _fail(self, failure: CollectorError) -> None:
        if self.failure is None:
            self.failure = failure
            self.on_failure()

    def _set_ready(self, ready: bool) -> None:
        for extension in self.extensions.values():
            announce = getattr(extension, "set_ready", None)
            if announce is not None:
                announce(ready)

    async def stop(self) -> None:
        """Stop everything; what the exporters can't take in time stays in the journal. Safe twice."""
        self._set_ready(False)
        for task in self._housekeeping:
            task.cancel()
        await asyncio.gather(*(_stop(receiver) for receiver in self.receivers.values()))
        if self.ingest is not None:
            await asyncio.to_thread(self.ingest.stop)
        drain_seconds = 0.0 if self.failure else _DRAIN_SECONDS
        await asyncio.gather(*(delivery.drain(drain_seconds) for delivery in self.deliveries))
        for component in (*self.processors, *self.exporters.values(), *reversed(self.extensions.values())):
            await _stop(component)


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(work)


def _forget_receipts(journal: Journal) -> None:
    try:
        journal.forget_receipts()
    except CollectorError as error:
        _log.warning("old receipts stay in the journal: %s", error)


async def _stop(component: Component[Any]) -> None:
    try:
        await component.stop()
    except Exception as error:
        # One that can't close cleanly must not keep the others from closing.
        _log.error("%s did not stop cleanly: %s", component.context.id, type(error).__name__)


async def serve(
    load: Callable[[], Config], worker: Worker = _ALONE, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Run until SIGTERM or SIGINT; SIGHUP loads the configuration again. Raises ``CollectorError``."""
    loop = asyncio.get_running_loop()
    wanted: asyncio.Queue[str] = asyncio.Queue()
    for number, action in ((signal.SIGTERM, "stop"), (signal.SIGINT, "stop"), (signal.SIGHUP, "reload")):
        loop.add_signal_handler(number, wanted.put_nowait, action)

    def fail() -> None:
        loop.call_soon_threadsafe(wanted.put_nowait, "stop")

    config = load()
    configure_logs(config.telemetry)
    service = Service(config, worker)
    service.on_failure = fail
    started = time.monotonic()
    await service.start()
    settle()
    _log.info("ready after %.1f s: pipelines %s", time.monotonic() - started, ", ".join(config.pipelines))
    on_ready()
    while (action := await wanted.get()) == "reload":
        try:
            config = load()
        except CollectorError as error:
            _log.error("not reloaded, the running configuration stays: %s", error)
            continue
        _log.info("reloading")
        await service.stop()
        configure_logs(config.telemetry)
        service = Service(config, worker)
        service.on_failure = fail
        await service.start()
        settle()
        _log.info("reloaded")
    _log.info("stopping")
    await service.stop()
    if service.failure is not None:
        raise service.failure
    _log.info("stopped")


def run(
    load: Callable[[], Config], worker: Worker = _ALONE, on_ready: Callable[[], None] = lambda: None
) -> int:
    """The process's whole life; returns its exit status, one sentence on stderr when it is not 0."""
    keep_freed_memory()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A thousand idle connections, the usual soft limit, must not keep the store from opening its files.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        asyncio.run(serve(load, worker, on_ready))
    except CollectorError as error:
        print(f"agenttracer: {error}", file=sys.stderr)
        return 1
    return 0
