"""Secrets that say nothing of whose they are: long runs of characters that no language and no program writes.

For free text alone: the ids that providers give to responses and tool calls look the same. Runs of hexadecimal
digits are left alone whatever their length, because traces, spans, commits, images and digests are named so;
a secret in hexadecimal is found behind the word for it (``secret``).
"""

from __future__ import annotations

import re
from collections import Counter
from math import log2

import numpy as np
import numpy.typing as npt

from agenttracer.collector.privacy.detectors.detector import Detector, Hit, chars

_SHORTEST = 20
_CHANGES = 0.4
"""Of 62 letters and digits at random, 62 in 100 are of another kind than the one before; in names, under 30."""
_BITS = 0.8
"""Shannon entropy a character, of what as many different characters could have: 0.9 and more at random."""

_IDS = (
    "chatcmpl-", "cmpl-", "resp_", "msg_", "toolu_", "srvtoolu_", "call_", "run_", "run-", "thread_", "asst_", "step_",
    "req_", "file-", "batch_", "rs_", "fc_", "ws_", "gen-", "sha256-", "sha384-", "sha512-", "sha256/",
)  # fmt: skip

_DIGIT, _UPPER, _LOWER, _JOINING = 1, 2, 4, 8
_MIXED = _DIGIT | _UPPER | _LOWER
_KINDS = bytes(
    _DIGIT if chr(code).isdigit()
    else _UPPER if chr(code).isupper()
    else _LOWER if chr(code).islower()
    else _JOINING if chr(code) in "+/_-"
    else 0
    for code in range(128)
) + bytes(128)  # fmt: skip


def worth_a_look(lines: bytes) -> npt.NDArray[np.int64]:
    """Where in a text of many lines a run long and mixed enough starts, by numpy over all bytes at once."""
    kinds = np.frombuffer(lines.translate(_KINDS) + bytes(8 - len(lines) % 4), np.uint8)
    starts, ends = _long_runs(kinds)
    if not len(starts):
        return starts
    mixed = np.bitwise_or.reduceat(kinds, np.stack([starts, ends], axis=1).ravel())[::2] & _MIXED == _MIXED
    starts, ends = starts[mixed], ends[mixed]
    if not len(starts):
        return starts
    lengths = ends - starts
    places = np.cumsum(lengths) - lengths
    own = kinds[np.repeat(starts - places, lengths) + np.arange(lengths.sum())]
    changes = np.add.reduceat(own != np.roll(own, 1), places, dtype=np.int64)
    # The longest word of a run is more mixed than the run, or the run is one word: a quarter is less than any.
    return starts[changes * 4 > lengths]


def _long_runs(kinds: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where runs of at least ``_SHORTEST`` start and end: each has four whole words of four bytes in it.

    Looking for those first spares an index for each of the many blanks.
    """
    word = (kinds != 0).view(np.uint32) == 0x01010101
    four = np.zeros(len(word) + 1, np.int8)
    four[1:-3] = word[:-3] & word[1:-2] & word[2:-1] & word[3:]
    edges = np.diff(four)
    starts, ends = np.flatnonzero(edges == 1) * 4, (np.flatnonzero(edges == -1) + 3) * 4
    for _ in range(3):
        starts -= (starts > 0) & (kinds[starts - 1] != 0)
        ends += kinds[ends] != 0
    long = ends - starts >= _SHORTEST
    return starts[long], ends[long]


def _random(hit: Hit) -> bool:
    run = hit.text
    if run.startswith(_IDS) or (hit.before.isascii() and hit.before != "" and _KINDS[ord(hit.before)]):
        return False
    longest = max(re.split("[+/_=-]", run), key=len)
    if len(longest) < 16:
        return False
    kinds = longest.encode().translate(_KINDS)
    changes = sum(map(int.__ne__, kinds, kinds[1:])) / (len(kinds) - 1)
    if len(set(kinds)) < 3 or changes < _CHANGES:
        return False
    shares = [count / len(longest) for count in Counter(longest).values()]
    return -sum(share * log2(share) for share in shares) >= _BITS * log2(min(len(longest), 62))


DETECTORS = (
    Detector(
        "high_entropy",
        rf"[A-Za-z0-9+/_-]{{{_SHORTEST},}}={{0,2}}",
        hits=(chars(40), "the key is q9Zr4Kx0Lm2Vb7Tn5Wd1Ph8= ok", "v7Rt2Kq9Zx4Lm8Pb3Yc6Wd1H" + "/fJ5sNgTe0UaV+iX2",
              "x=" + chars(64) + "/" + chars(22) + "=="),
        misses=("getCustomerOrderHistoryV2", "550e8400-e29b-41d4-a716-446655440000", "chatcmpl-" + chars(29),
                "mistralai/Mixtral-8x7B-Instruct-v0",
                "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "checkout-6d5f7c9b8-x2x4q", "aB1aB1aB1aB1aB1aB1aB1aB1"),
        verify=_random,
        free_text=True,
    ),
)  # fmt: skip
