"""Answered requests are known by their hash, and cost little memory each."""

import os
import tracemalloc

from agenttracer.collector.receipts import Receipts

_COUNT = 20_000


def test_a_request_is_known_until_it_is_forgotten() -> None:
    """The answer is the one that was given; what isn't known is None, also to forget."""
    receipts = Receipts()
    receipts.add(b"a", 10, 0)
    receipts.add(b"b", 8, 2)

    assert (10, 0) == receipts.find(b"a")
    assert (8, 2) == receipts.find(b"b")

    receipts.forget([b"a", b"c"])

    assert receipts.find(b"a") is None
    assert receipts.find(b"c") is None
    assert (8, 2) == receipts.find(b"b")


def test_receipts_that_say_the_same_share_it() -> None:
    """Beside its hash a receipt takes a place in a table, not objects of its own."""
    digests = [os.urandom(16) for _ in range(_COUNT)]
    receipts = Receipts()
    tracemalloc.start()
    try:
        for digest in digests:
            # Numbers of its own each, as the decoder and the database give them.
            receipts.add(digest, int("1000"), int("300"))
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 90 * _COUNT
