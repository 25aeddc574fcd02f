"""Stopped under load: what was taken is answered and stored, what comes later is refused so that it is resent."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.integration.chaos import promise
from tests.integration.chaos.load import (
    ROUNDS,
    Ledger,
    Resending,
    Standard,
    under_load,
    wait_for_answers,
)
from tests.running_collector import running_collector


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_stops_and_reloads_under_load(tmp_path: Path, seed: int) -> None:
    """SIGTERM ends it with 0 in time, SIGHUP reloads it; nobody is told anything that loses data."""
    moments = random.Random(seed)
    ledger, standard = Ledger(), Ledger()
    with running_collector(tmp_path) as collector:
        clients = (
            Resending(collector, ledger, spans=100),
            Resending(collector, ledger, transport="http"),
            Standard(collector, standard),
        )
        with under_load(*clients):
            for _ in range(2):
                time.sleep(moments.uniform(0.2, 0.8))
                started = time.monotonic()
                assert collector.stop() == 0, collector.log()
                assert time.monotonic() - started < 30
                collector.start()
                wait_for_answers(ledger, 3)
            collector.signal(signal.SIGHUP)
            wait_for_answers(ledger, 10)
        ledger.add(standard)

        promise.check(collector, ledger)

    assert ledger.answers.keys() <= {"OK", "UNAVAILABLE", "503", "no answer", "CANCELLED"}
    assert standard.acknowledged
