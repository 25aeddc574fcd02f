"""The SDK's front door: says who the agent is and where its telemetry goes.

tracer = AgentTracer(agent_id="support", agent_version="1.0.0", api_url="http://localhost:4317")
with tracer.start_run() as run:
    with run.step("retrieve", "search_kb") as step:
        step.add_metadata({"result_count": 10})
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping
from time import monotonic
from uuid import UUID, uuid4

from opentelemetry._logs import LoggerProvider
from opentelemetry.context import get_current
from opentelemetry.trace import TracerProvider

from agenttracer.instrumentation import setup
from agenttracer.instrumentation.content import is_identifier, is_label, name_or
from agenttracer.instrumentation.endpoint import find_endpoint
from agenttracer.instrumentation.events import emit_run_event
from agenttracer.instrumentation.guard import guard, guarded, report, warn_once
from agenttracer.instrumentation.run import Run
from agenttracer.instrumentation.run_context import Agent
from agenttracer.instrumentation.settings import Settings
from agenttracer.schemas.semconv import EventName, RunStatus


class AgentTracer:
    """Records the runs of one agent. Never raises into the program, blocks it or grows without bound.

    ``api_url``: an OTLP address, see ``endpoint``. When it is given, telemetry goes there and the program's own
    OpenTelemetry is left alone (runs inside one of its traces still join that trace). When it isn't, a
    TracerProvider that the program has set, or handed in, is used as it is; without one,
    ``OTEL_EXPORTER_OTLP_*`` or http://localhost:4317.
    ``protocol``: ``grpc`` or ``http/protobuf``, where the address does not say it.
    ``headers``: sent along, for authentication; else ``OTEL_EXPORTER_OTLP_HEADERS``.
    ``insecure``: plain text or TLS for an address without a scheme; default: plain text to this machine only.
    ``service_name``, ``environment``: of the resource, for providers of our own.
    ``max_queue_spans``, ``export_interval_seconds``: how much may wait to be sent, and how long.
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
        send_error_messages: bool = Settings.send_error_messages,
        max_artifact_bytes: int = Settings.max_artifact_bytes,
        exit_timeout_seconds: float = Settings.exit_timeout_seconds,
    ) -> None:
        self._settings = Settings(send_error_messages, max_artifact_bytes, exit_timeout_seconds)
        version = None if agent_version is None else str(agent_version)
        if version is not None and not is_label(version):
            warn_once("agent version", "agenttracer: the agent's version was refused: not a label")
            version = None
        self.agent = Agent(name_or(agent_id, "agent", "agent id"), version)
        self._signals = setup.make_no_signals()
        try:
            signals = None
            if api_url is None:
                signals = setup.use_program_providers(tracer_provider, logger_provider)
            self._signals = signals or setup.make_own_signals(
                find_endpoint(api_url, protocol, insecure, os.environ),
                headers or {},
                setup.make_resource(self.agent, service_name, environment),
                tracer_provider=tracer_provider,
                logger_provider=logger_provider,
                max_queue_spans=max_queue_spans,
                export_interval_seconds=export_interval_seconds,
            )
        except ValueError as error:  # ours, or OpenTelemetry's about its settings: neither holds telemetry
            warn_once(f"setup:{error}", "agenttracer: nothing will be sent: %s", error)
        except Exception as error:
            report("setup", error)
        if self._signals.queues:
            atexit.register(self._close_at_exit)

    def start_run(
        self,
        name: str | None = None,
        run_id: str | UUID | None = None,
        user_id: str | None = None,
        conversation_id: str | None = None,
        metadata: Mapping[str, object] | None = None,
    ) -> Run:
        """A run, to be used in a ``with``. ``run_id``: a UUID by default, or an id of your own.

        The user's and conversation's ids are stored as hashes.
        """
        return Run(
            self._signals,
            self._settings,
            self.agent,
            _run_id(run_id),
            name=None if name is None else name_or(name, "run", "run name"),
            user_id=user_id,
            conversation_id=conversation_id,
            metadata=metadata,
        )

    def queue_run(self, run_id: str | UUID | None = None) -> str:
        """Make a run visible before it starts; give the returned id to ``start_run`` when it does."""
        chosen = _run_id(run_id)
        with guard("queue_run"):
            emit_run_event(
                self._signals.logger,
                EventName.RUN_QUEUED,
                RunStatus.QUEUED,
                chosen,
                self.agent,
                get_current(),
            )
        return chosen

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
        deadline = monotonic() + timeout_seconds
        sent = [queue.flush(max(0.0, deadline - monotonic())) for queue in self._signals.queues]
        sent += [_flush_provider(provider, deadline) for provider in self._signals.providers]
        return all(sent)

    @guarded("close")
    def close(self, timeout_seconds: float | None = None) -> None:
        """Send what waits, then stop; later records are dropped. The program's own providers stay open."""
        atexit.unregister(self._close_at_exit)
        timeout_seconds = self._settings.exit_timeout_seconds if timeout_seconds is None else timeout_seconds
        deadline = monotonic() + timeout_seconds
        for queue in self._signals.queues:
            queue.close(max(0.0, deadline - monotonic()))

    def _close_at_exit(self) -> None:
        self.close()


def _run_id(wanted: object) -> str:
    if isinstance(wanted, str | UUID | int) and is_identifier(str(wanted)):
        return str(wanted)
    if wanted is not None:
        warn_once("run id", "agenttracer: a run id was refused: not a label; a new one is used")
    return str(uuid4())


def _flush_provider(provider: object, deadline: float) -> bool:
    """Flush a provider that isn't ours, in a thread: OpenTelemetry's flush does not keep to its timeout."""
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
