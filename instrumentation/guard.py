"""The SDK never raises into the program it lives in: one guard at its boundary, one warning a site.

    @guarded("run.cancel")
    def cancel(self) -> None: ...

A warning names the place and the kind of error, never a message, value or traceback: those may hold content.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import TracebackType
from typing import ParamSpec, TypeVar

logger = logging.getLogger("agenttracer")

_MAX_WARNINGS = 1000  # what a long-lived process may remember of its own warnings
_warned: set[str] = set()

P = ParamSpec("P")
T = TypeVar("T")


def warn_once(topic: str, message: str, *arguments: object) -> None:
    """Log a warning, once a topic in the life of the process. The arguments must not be content."""
    if topic in _warned or len(_warned) >= _MAX_WARNINGS:
        return
    _warned.add(topic)
    with suppress(
        Exception
    ):  # a log handler is the host's; that it is broken must not become the host's crash
        logger.warning(message, *arguments)


def report(site: str, error: BaseException) -> None:
    """Warn, once a site, that the SDK failed there; what the host does goes on."""
    warn_once(
        f"guard:{site}", "agenttracer: %s failed with %s; the program goes on", site, type(error).__name__
    )


class guard:  # noqa: N801 - reads as a statement: with guard("flush"):
    """Swallow and report any ``Exception`` of the SDK's own code in the block."""

    __slots__ = ("_site",)

    def __init__(self, site: str) -> None:
        self._site = site

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        report(self._site, error)
        return True


def guarded(site: str) -> Callable[[Callable[P, T]], Callable[P, T | None]]:
    """Make a function return None where it would have raised an ``Exception``."""

    def decorate(function: Callable[P, T]) -> Callable[P, T | None]:
        @wraps(function)
        def call(*arguments: P.args, **options: P.kwargs) -> T | None:
            try:
                return function(*arguments, **options)
            except Exception as error:
                report(site, error)
                return None

        return call

    return decorate
