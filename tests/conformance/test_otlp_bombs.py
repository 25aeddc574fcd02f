"""Small requests that become large ones do not reach the receiver's memory."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.otlp_harness import GOOD, JSON, PROTOBUF, TRACES, call, request

_MIB = 1024 * 1024
_BOMB_MIB = 256
_GROWTH_MIB = 64  # of a limit of 8 MiB, a few threads and the allocator's slack

_SERVER = """
import resource, sys
from tests.otlp_harness import running_receiver

def peak_mib():
    try:
        lines = open("/proc/self/status").read().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**20
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

protocols = {"grpc": {"max_recv_msg_size_mib": 8}, "http": {"max_request_body_size": 8 * 2**20}}
with running_receiver(protocols) as running:
    print(running.grpc_port, running.http_port, flush=True)
    for _ in sys.stdin:
        print(peak_mib(), flush=True)
"""


class _Target:
    """A receiver in a process of its own, whose peak memory can be asked for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.grpc_port, self.http_port = map(int, process.stdout.readline().split())

    def peak_mib(self) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture(scope="module")
def target() -> Iterator[_Target]:
    """One process for all bombs, warmed up with good requests."""
    command = [sys.executable, "-c", _SERVER]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        started = _Target(process)
        _assert_unharmed(started)
        yield started
        process.communicate()
    assert 0 == process.returncode


def _assert_unharmed(target: _Target) -> None:
    assert b"" == call(target.grpc_port, TRACES, GOOD, compression=grpc.Compression.Gzip)
    assert 200 == request(target.http_port).status


def _bomb(window_bits: int) -> bytes:
    stream = zlib.compressobj(9, wbits=window_bits)
    chunk = b"[" * _MIB
    return b"".join([*(stream.compress(chunk) for _ in range(_BOMB_MIB)), stream.flush()])


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_grpc_bomb(target: _Target, compression: grpc.Compression) -> None:
    """gRPC stops decompressing at the limit and answers RESOURCE_EXHAUSTED."""
    before_mib = target.peak_mib()
    with pytest.raises(grpc.RpcError) as raised:
        call(target.grpc_port, TRACES, bytes(_BOMB_MIB * _MIB), compression=compression)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == raised.value.code()
    assert target.peak_mib() - before_mib < _GROWTH_MIB
    _assert_unharmed(target)


@pytest.mark.parametrize("content", [PROTOBUF, JSON], ids=["protobuf", "json"])
@pytest.mark.parametrize(
    ("encoding", "window_bits"),
    [("gzip", 31), ("deflate", 15), ("deflate", -15)],
    ids=["gzip", "zlib", "bare"],
)
def test_http_bomb(target: _Target, encoding: str, window_bits: int, content: dict[str, Any]) -> None:
    """HTTP stops decompressing at the limit and answers 413."""
    before_mib = target.peak_mib()
    headers = {**content, "Content-Encoding": encoding}
    assert 413 == request(target.http_port, body=_bomb(window_bits), headers=headers).status
    assert target.peak_mib() - before_mib < _GROWTH_MIB
    _assert_unharmed(target)
