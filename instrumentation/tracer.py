"""The SDK's front door: says who the agent is and where its telemetry goes.

What a program needs only once it records something is imported then: many import a tracer and never use it.

tracer = AgentTracer(agent_id="support", agent_version="1.0.0", api_url="http://localhost:4317")
with tracer.start_run() as run:
    with run.step("retrieve", "search_kb") as step:
        step.add_metadata({"result_count": 10})
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from opentelemetry._logs import LoggerProvider
from opentelemetry.context import get_current
from opentelemetry.trace import TracerProvider

from agenttracer.instrumentation import default_tracer, setup
from agenttracer.instrumentation.content import is_identifier, is_label, name_or
from agenttracer.instrumentation.guard import guard, guarded, report, warn_once
from agenttracer.instrumentation.ingest import Ingest
from agenttracer.instrumentation.lifecycle import Lifecycle
from agenttracer.instrumentation.run_context import Agent, RunScope
from agenttracer.instrumentation.settings import Settings
from agenttracer.instrumentation.shared import join_signals
from agenttracer.instrumentation.tasks import Tasks
from agenttracer.schemas.semconv import EventName, RunStatus

if TYPE_CHECKING:
    from agenttracer.instrumentation.ai_metrics import AiMetrics
    from agenttracer.instrumentation.run import Run
    from agenttracer.instrumentation.stats import TracerStats


_DEFAULTS = Settings()


class AgentTracer(Lifecycle, Ingest):
    """Records the runs of one agent. Never raises into the program, blocks it or grows without bound.

    ``api_url``: an OTLP address, see ``endpoint``. When it is given, telemetry goes there and the program's own
    OpenTelemetry is left alone (runs inside one of its traces still join that trace). When it isn't, what
    ``agenttracer.instrument`` has set up is used, or a TracerProvider that the program has set, or handed in, as
    it is; without one, ``OTEL_EXPORTER_OTLP_*`` or http://localhost:4317.
    ``protocol``: ``grpc`` or ``http/protobuf``, where the address does not say it.
    ``headers``: sent along, for authentication; else ``OTEL_EXPORTER_OTLP_HEADERS``.
    ``insecure``: plain text or TLS for an address without a scheme; default: plain text to this machine only.
    ``service_name``, ``environment``: of the resource, for providers of our own.
    ``max_queue_spans``, ``export_interval_seconds``: how much may wait to be sent, and how long.
    ``spool_dir``, ``max_spool_bytes``: a folder for what the collector could not take, see ``spool``.
    ``policy_file``: the collector's redaction policy, see ``policy``; nothing is sent when it can't be read.
    The rest: ``Settings``.
    """

    def __init__(
        self,
        agent_id: str,
        agent_version: str | None = None,
        api_url: str | None = None,
        *,
        protocol: str | None = None,
        headers: Mapping[str, str] | None = None,
        insecure: bool | None = None,
        service_name: str | None = None,
        environment: str | None = None,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        max_queue_spans: int = 2048,
        export_interval_seconds: float = 1.0,
        spool_dir: str | os.PathLike[str] | None = None,
        max_spool_bytes: int = 64 * 2**20,
        policy_file: str | os.PathLike[str] | None = None,
        send_error_messages: bool = _DEFAULTS.send_error_messages,
        max_artifact_bytes: int = _DEFAULTS.max_artifact_bytes,
        exit_timeout_seconds: float = _DEFAULTS.exit_timeout_seconds,
    ) -> None:
        self._settings = Settings(send_error_messages, max_artifact_bytes, exit_timeout_seconds)
        version = None if agent_version is None else str(agent_version)
        if version is not None and not is_label(version):
            warn_once("agent version", "agenttracer: the agent's version was refused: not a label")
            version = None
        self.agent = Agent(name_or(agent_id, "agent", "agent id"), version)
        self._tasks = Tasks()
        self._ai_metrics: AiMetrics | None = None
        self._signals = setup.make_no_signals()
        self._is_shared = False
        try:
            self._settings = setup.with_policy(self._settings, policy_file)
            self._signals, self._is_shared = join_signals(
                self.agent,
                api_url,
                protocol=protocol,
                headers=headers,
                insecure=insecure,
                service_name=service_name,
                environment=environment,
                tracer_provider=tracer_provider,
                logger_provider=logger_provider,
                max_queue_spans=max_queue_spans,
                export_interval_seconds=export_interval_seconds,
                spool=None if spool_dir is None else setup.make_spool(spool_dir, max_spool_bytes),
            )
        except ValueError as error:  # ours, or OpenTelemetry's about its settings: neither holds telemetry
            warn_once(f"setup:{error}", "agenttracer: nothing will be sent: %s", error)
        except Exception as error:
            report("setup", error)
        default_tracer.remember(self)
        if self._signals.queues and not self._is_shared:
            atexit.register(self._close_at_exit)

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
    ) -> Run:
        """A run, to be used in a ``with`` or ``async with``. ``run_id``: a UUID by default, or an id of your own.

        The user's and conversation's ids are stored as hashes. Of the ``input`` only its size, a hash, and its
        field names with their types leave the process. ``provenance``: what ``make_provenance`` returns.
        """
        from agenttracer.instrumentation.run import Run
        from agenttracer.instrumentation.run_facts import RunFacts

        facts = RunFacts(name, user_id, conversation_id, metadata, input, provenance)
        self._resume_monitoring()
        return Run(self._scope(run_id), facts, self._tasks)

    def queue_run(self, run_id: str | UUID | None = None) -> str:
        """Make a run visible before it starts; give the returned id to ``start_run`` when it does."""
        scope = self._scope(run_id)
        with guard("queue_run"):
            self._tasks.queued(scope.run_id)
            _emit_state(scope, EventName.RUN_QUEUED, RunStatus.QUEUED)
        return scope.run_id

    def cancel_run(self, run_id: str | UUID) -> None:
        """Say that a queued run will not start. A run that has started is cancelled with ``run.cancel()``."""
        scope = self._scope(run_id)
        with guard("cancel_run"):
            self._tasks.unqueued(scope.run_id)
            _emit_state(scope, EventName.RUN_CANCELLED, RunStatus.CANCELLED)

    def stats(self) -> TracerStats:
        """What became of what was recorded: sent, waiting, spooled, dropped and why."""
        from agenttracer.instrumentation.stats import read_stats

        return read_stats(self._signals)

    @property
    def dropped_spans(self) -> int:
        """Spans not sent: the queue was full, or the collector could not be reached for too long."""
        return self._signals.span_queue.dropped if self._signals.span_queue else 0

    @property
    def dropped_events(self) -> int:
        """Run events and artifacts not sent, for the same reasons."""
        return self._signals.log_queue.dropped if self._signals.log_queue else 0

    def flush(self, timeout_seconds: float = 10.0) -> bool:
        """Wait until what was recorded is sent; False when the time is up or something could not be sent."""
        return bool(self._flush(timeout_seconds))

    @guarded("flush")
    def _flush(self, timeout_seconds: float) -> bool:
        from agenttracer.instrumentation.flushing import flush_provider

        deadline = monotonic() + timeout_seconds
        sent = [queue.flush(max(0.0, deadline - monotonic())) for queue in self._signals.queues]
        sent += [flush_provider(provider, deadline) for provider in self._signals.providers]
        sent.append(self._flush_monitoring(deadline))
        return all(sent)

    @guarded("close")
    def close(self, timeout_seconds: float | None = None) -> None:
        """Send what waits, then stop; later records are dropped. What the program or others share stays open."""
        atexit.unregister(self._close_at_exit)
        default_tracer.forget(self)
        timeout_seconds = self._settings.exit_timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = monotonic() + timeout_seconds
        self._stop_monitoring(deadline)
        if self._is_shared:
            return
        for queue in self._signals.queues:
            queue.close(max(0.0, deadline - monotonic()))

    def _close_at_exit(self) -> None:
        self.close()

    def _record(self, event: EventName, attributes: Mapping[str, Any], body: bytes | None = None) -> None:
        from agenttracer.instrumentation.events import emit_event

        policy = self._settings.policy
        known = {**self.agent.attributes, **attributes}
        permitted = known if policy is None else policy.apply(known)
        emit_event(self._signals.logger, event, permitted, get_current(), body)

    def _scope(self, run_id: object) -> RunScope:
        return RunScope(_run_id(run_id), self.agent, self._signals, self._settings, self._ai_metrics)


def _emit_state(scope: RunScope, event: EventName, status: RunStatus) -> None:
    from agenttracer.instrumentation.run_facts import emit_run_event

    emit_run_event(scope, event, status, get_current())


def _run_id(wanted: object) -> str:
    if isinstance(wanted, str | UUID | int) and is_identifier(str(wanted)):
        return str(wanted)
    if wanted is not None:
        warn_once("run id", "agenttracer: a run id was refused: not a label; a new one is used")
    return str(uuid4())
