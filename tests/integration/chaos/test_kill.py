"""Killed at random moments under load, again and again: what was acknowledged is stored, once."""

import random
import time
from pathlib import Path

import pytest

from tests.integration.chaos import promise
from tests.integration.chaos.load import ROUNDS, Ledger, Resending, Standard, under_load, wait_for_answers
from tests.running_collector import running_collector


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_acknowledged_spans_survive_kills(tmp_path: Path, seed: int) -> None:
    """``kill -9`` between any two instructions, with the standard exporter and with clients that resend."""
    moments = random.Random(seed or time.time_ns())
    ledger, standard = Ledger(), Ledger()
    with running_collector(tmp_path) as collector:
        clients = (
            Resending(collector, ledger),
            Resending(collector, ledger, spans=200),
            Resending(collector, ledger, transport="http"),
            Standard(collector, standard),
        )
        with under_load(*clients):
            for _ in range(3):
                time.sleep(moments.uniform(0.1, 1.2))
                collector.kill()
                collector.start()
                wait_for_answers(ledger)
        ledger.add(standard)

        books = promise.check(collector, ledger)

    assert standard.acknowledged
    assert ledger.answers["UNAVAILABLE"] > 0
    assert books["received"] >= len(ledger.acknowledged) > 100
