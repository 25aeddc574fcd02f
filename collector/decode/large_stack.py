"""Threads whose stack is large enough for whatever a request makes the decoder do.

    decode_thread(target, name).start()      @on_large_stack

The decoder skips nested unknown groups by recursion without a limit, 80 bytes of stack a level: 160 KB
of group tags would end a process with an ordinary 8 MiB stack. A large stack is only address space
until it is used, and stays resident afterwards, so it is no larger than needed: requests that could
have more levels than ``LIMIT_LEVELS`` are first read by what limits them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import wraps
from typing import Any, ParamSpec, TypeVar

LARGE_STACK_BYTES = 64 * 1024 * 1024
LIMIT_LEVELS = LARGE_STACK_BYTES // 100
"""As many levels of groups can't exhaust a large stack."""

_starting = threading.Lock()

P = ParamSpec("P")
R = TypeVar("R")


class _DecodeThread(threading.Thread):
    def start(self) -> None:
        # The size belongs to the process, not the thread: set for this start, then put back.
        with _starting:
            before = threading.stack_size(LARGE_STACK_BYTES)
            try:
                super().start()
            finally:
                threading.stack_size(before)


def decode_thread(target: Callable[[], Any], name: str) -> threading.Thread:
    """A daemon thread, not yet started, that has ``LARGE_STACK_BYTES`` of stack."""
    return _DecodeThread(target=target, name=name, daemon=True)


def on_large_stack(function: Callable[P, R]) -> Callable[P, R]:
    """Run the function where it is on a decode thread, and on one of its own (some 100 µs) elsewhere."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if isinstance(threading.current_thread(), _DecodeThread):
            return function(*args, **kwargs)
        outcome: Future[R] = Future()

        def run() -> None:
            try:
                outcome.set_result(function(*args, **kwargs))
            except BaseException as error:
                outcome.set_exception(error)

        decode_thread(run, function.__name__).start()
        return outcome.result()

    return call
