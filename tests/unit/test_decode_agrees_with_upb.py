"""Decoding gives what a plain reader of protobuf's own objects gives: same acceptance, same values."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agenttracer.collector.decode import decode
from agenttracer.schemas.batch import Signal
from agenttracer.schemas.tables import DECODED
from tests.otlp_reference import CAPTURES, as_values, reference, signal_of
from tests.otlp_strategies import requests

RECEIVED = 1_700_000_000_000_000_000
MUTATIONS = 2000


def _check(signal: Signal, bodies: list[bytes]) -> None:
    decoded = decode(signal, bodies, "tenant", RECEIVED)
    tables, counts = reference(signal, bodies, "tenant", RECEIVED)
    assert counts == [
        None if outcome.error else (outcome.rows, outcome.rejected_rows) for outcome in decoded.outcomes
    ]
    assert tables == as_values(decoded.batch)


@pytest.mark.parametrize("signal", Signal)
@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_requests(signal: Signal, data: st.DataObject) -> None:
    """Every field of requests of any shape, several in a group, has the value that upb reads."""
    group = data.draw(st.lists(requests[signal], max_size=3))
    _check(signal, [request.SerializeToString() for request in group])


@pytest.mark.parametrize("signal", Signal)
def test_captures_together(signal: Signal) -> None:
    """All requests captured from real frameworks, decoded as one group, have the values that upb reads."""
    bodies = [capture.read_bytes() for capture in CAPTURES if signal_of(capture) is signal]
    assert len(bodies) > 20
    _check(signal, bodies)
    batch = decode(signal, bodies, "tenant", RECEIVED).batch
    assert batch is not None
    for name, schema in DECODED[signal].items():
        batch.tables[name].validate(full=True)
        assert schema.equals(batch.tables[name].schema)


def _mutate(body: bytes, other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body))
    end = at + chance.randrange(1, 40)
    return chance.choice(
        [
            lambda: body[:at] + bytes([body[at] ^ 1 << chance.randrange(8)]) + body[at + 1 :],
            lambda: body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :],
            lambda: body[:at],
            lambda: body[:at] + body[end:],
            lambda: body[:end] + body[at:],
            lambda: body[:at] + chance.randbytes(end - at) + body[at:],
            lambda: body[:at] + b"\xff" * chance.randrange(1, 12) + body[at:],
            lambda: body[:at] + other[at:],
        ]
    )()


def test_mutated_captures() -> None:
    """What upb accepts is accepted, with its values; hardly anything else is, and every refusal is clean."""
    chance = random.Random(20)
    bodies = [(signal_of(capture), capture.read_bytes()) for capture in CAPTURES]
    bodies = [(signal, body) for signal, body in bodies if 0 < len(body) < 20_000]
    accepted = refused = lenient = 0
    for _ in range(MUTATIONS):
        (signal, body), (_, other) = chance.sample(bodies, 2)
        mutated = _mutate(body, other, chance)
        outcome = decode(signal, [mutated], "tenant", RECEIVED).outcomes[0]
        [count] = reference(signal, [mutated], "tenant", RECEIVED)[1]
        if count is not None:
            accepted += 1
            _check(signal, [body, mutated])
        elif outcome.error:
            refused += 1
            assert (0, 0, "malformed") == (outcome.rows, outcome.rejected_rows, outcome.error)
        else:
            lenient += 1
    assert accepted > MUTATIONS / 10
    assert refused > MUTATIONS / 2
    assert lenient < MUTATIONS / 100
