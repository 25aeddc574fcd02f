"""``agenttracer.instrument()``: switches on what sees the frameworks that a program uses, and off again.

for outcome in agenttracer.instrument(api_url="http://localhost:4317"):
    print(outcome.framework, outcome.state, outcome.detail)
agenttracer.uninstrument()

A framework that is installed and not yet imported is switched on when it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from importlib import import_module
from threading import RLock
from typing import Any

from opentelemetry import trace

from agenttracer import __version__
from agenttracer.instrumentation.guard import guard, report, warn_once
from agenttracer.instrumentation.libraries.choice import Choice, Outcome, State, choose
from agenttracer.instrumentation.libraries.content_switches import ContentOff, switch_off
from agenttracer.instrumentation.libraries.framework import Framework, Kind, StandDown, Way
from agenttracer.instrumentation.libraries.installed import active_instrumentor, version_of
from agenttracer.instrumentation.libraries.on_import import ImportWatch
from agenttracer.instrumentation.libraries.table import FRAMEWORKS
from agenttracer.instrumentation.shared import release, share_signals


class Switchboard:
    """What is on in this process."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._watch = ImportWatch()
        self._content: ContentOff | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._undo: list[tuple[str, Callable[[], None]]] = []

    def outcomes(self) -> list[Outcome]:
        """What has been done so far."""
        with self._lock:
            return list(self._outcomes.values())

    def content_off(self) -> None:
        """Switch off the capture of content, once."""
        with self._lock:
            self._content = self._content or switch_off()

    def add(self, framework: Framework, tracer_provider: trace.TracerProvider) -> None:
        """Switch a framework on, now or when it is imported."""
        with self._lock:
            version = version_of(framework.distribution)
            if version is None or framework.name in self._outcomes:
                return
            choice = choose(framework, version)
            self._outcomes[framework.name] = choice.outcome
            if choice.outcome.install and not framework.is_client:
                message = "agenttracer: %s is not seen yet: %s"
                warn_once(f"missing:{framework.name}", message, framework.name, choice.outcome.install)
        if choice.way is not None:
            self._watch.when_imported(framework.module, lambda: self._switch_on(choice, tracer_provider))

    def _switch_on(self, choice: Choice, tracer_provider: trace.TracerProvider) -> None:
        """Without the lock: this runs inside an import, and may wait for another thread's."""
        assert choice.way is not None
        framework, name = choice.framework, choice.framework.name
        undo: Callable[[], None] | None = None
        try:
            other = active_instrumentor(framework)
            if other is not None:
                raise StandDown(f"{other} is switched on")
            undo = _switch_on(choice.way, name, tracer_provider)
            changed = replace(choice.outcome, state=State.ON)
        except StandDown as reason:
            changed = replace(choice.outcome, state=State.STOOD_DOWN, detail=str(reason))
        except Exception as error:  # a framework that changed, or an instrumentor that broke
            report(f"instrument {name}", error)
            changed = replace(choice.outcome, state=State.FAILED, detail=type(error).__name__)
        with self._lock:
            self._outcomes[name] = changed
            if undo is not None:
                self._undo.append((name, undo))

    def off(self) -> None:
        """Undo everything, the last first."""
        with self._lock:
            self._watch.stop()
            while self._undo:
                name, undo = self._undo.pop()
                with guard(f"uninstrument {name}"):
                    undo()
            self._outcomes.clear()
            if self._content is not None:
                self._content.restore()
                self._content = None


def _switch_on(way: Way, name: str, tracer_provider: trace.TracerProvider) -> Callable[[], None]:
    """Switch one way on; returns what undoes it."""
    if way.target is None:
        return lambda: None
    module_name, _, cls = way.target.partition(":")
    module = import_module(module_name)
    if way.kind is not Kind.UPSTREAM:
        of_ours = way.kind is Kind.OURS
        source = (
            tracer_provider.get_tracer(f"agenttracer.{name}", __version__) if of_ours else tracer_provider
        )
        undo: Callable[[], None] = module.switch_on(source)
        return undo
    instrumentor = getattr(module, cls)()
    instrumentor.instrument(tracer_provider=tracer_provider, skip_dep_check=True)
    off: Callable[[], None] = instrumentor.uninstrument
    return off


SWITCHBOARD = Switchboard()


def instrument(
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    api_url: str | None = None,
    **signals: Any,
) -> list[Outcome]:
    """Switch on what sees the installed frameworks; says what was done. Never raises into the program.

    ``only``, ``without``: names of frameworks as in the table. ``api_url`` and the rest: as of ``AgentTracer``
    (``protocol``, ``headers``, ``tracer_provider``, …). Without an address a TracerProvider that the program has
    set is used; if it has none, ours becomes the global one, for frameworks that have spans of their own.
    A second call adds what was left out of the first.
    """
    with guard("instrument"):
        SWITCHBOARD.content_off()
        try:
            provider = share_signals(api_url, **signals).tracer_provider
        except ValueError as error:  # ours, about the address, which it doesn't name
            warn_once(f"setup:{error}", "agenttracer: nothing is instrumented: %s", error)
            return []
        if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
            trace.set_tracer_provider(provider)
        for framework in FRAMEWORKS:
            if (only is None or framework.name in only) and framework.name not in without:
                with guard(f"instrument {framework.name}"):
                    SWITCHBOARD.add(framework, provider)
    return SWITCHBOARD.outcomes()


def uninstrument(timeout_seconds: float = 5.0) -> None:
    """Switch everything off, restore the environment, send what waits.

    A global TracerProvider stays: OpenTelemetry lets a process set it once.
    """
    SWITCHBOARD.off()
    with guard("uninstrument"):
        release(timeout_seconds)
