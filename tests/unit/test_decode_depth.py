"""Requests made to exhaust the decoder's stack are refused or decoded; the process goes on."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from agenttracer.collector.decode import LARGE_STACK_BYTES, decode_thread
from agenttracer.collector.decode.large_stack import LIMIT_LEVELS, on_large_stack

_PROGRAM = """
import sys
from agenttracer.collector.decode import decode
from agenttracer.collector.decode.nested import render_nested
from agenttracer.schemas.batch import Kind, Signal
import pyarrow as pa

def length(number):
    text = b""
    while number > 127:
        text, number = text + bytes([number & 127 | 128]), number >> 7
    return text + bytes([number])

def inside(body, *tags):
    for tag in tags:
        body = bytes([tag]) + length(len(body)) + body
    return body

tags = int(sys.argv[1])
closed = b"\\x7b" * (tags // 2) + b"\\x7c" * (tags // 2)
opened = b"\\x7b" * tags
for groups in (closed, opened):
    for place in ((), (0x12, 0x0A), (0x12, 0x12, 0x0A), (0x4A, 0x12, 0x12, 0x0A), (0x2A, 0x12, 0x12, 0x0A)):
        body = inside(groups, *place)
        for signal in Signal:
            [outcome] = decode(signal, [body], "tenant", 1).outcomes
            assert outcome.error in ("", "malformed")
nested = pa.array([[closed[:100_000], b""]], pa.list_(pa.binary()))
assert render_nested(pa.array([Kind.ARRAY], pa.uint8()), nested).to_pylist() == ["[null,null]"]
print("alive")
"""


@pytest.mark.parametrize("tags", [160_000, LIMIT_LEVELS - 100, LIMIT_LEVELS + 100, 60 * 2**20])
def test_nested_groups(tags: int) -> None:
    """Group tags, anywhere in a request of any size, closed or not, harm no process."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tags)], capture_output=True, text=True, check=False
    )
    assert (0, "alive\n", "") == (result.returncode, result.stdout, result.stderr)


def test_decode_thread_size() -> None:
    """A decode thread has the large stack; threads started after it have the size they had before."""
    before = threading.stack_size()
    seen = []
    thread = decode_thread(lambda: seen.append(threading.current_thread().name), "decode-0")
    thread.start()
    thread.join()
    assert (["decode-0"], before) == (seen, threading.stack_size())
    assert LARGE_STACK_BYTES > 80 * LIMIT_LEVELS


def test_on_large_stack() -> None:
    """A function is moved to a decode thread once, gives its result, and raises what it raised."""

    @on_large_stack
    def name(error: Exception | None = None) -> str:
        if error:
            raise error
        return threading.current_thread().name

    @on_large_stack
    def both() -> tuple[str, str]:
        return threading.current_thread().name, name()

    outer, inner = both()
    assert outer == inner != threading.current_thread().name
    with pytest.raises(LookupError, match="mine"):
        name(LookupError("mine"))
