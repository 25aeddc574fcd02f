"""Somebody sets the clock while the collector runs: nothing is stored twice, and nothing waits for it."""

import sys
import time
from pathlib import Path

from tests.integration.chaos import promise
from tests.integration.chaos.load import Ledger, Resending, make_request, send, under_load, wait_for_answers
from tests.running_collector import RunningCollector

DAY_SECONDS = 86_400
LAUNCHER = Path(__file__).with_name("shifted_clock.py")


def test_a_clock_that_jumps(tmp_path: Path) -> None:
    """A request answered before the jump is known after it, and new ones are stored as quickly."""
    ledger = Ledger()
    shift = tmp_path / "shift"
    shift.write_text("0")
    collector = RunningCollector(tmp_path)
    collector.command = [sys.executable, str(LAUNCHER), str(shift)]
    once, keys = make_request()
    try:
        collector.start()
        with under_load(Resending(collector, ledger)):
            assert send(collector, ledger, once, keys) == "OK"
            wait_for_answers(ledger, 5)
            for seconds in (DAY_SECONDS, -DAY_SECONDS):
                shift.write_text(str(seconds))
                wait_for_answers(ledger, 20)
                assert send(collector, ledger, once, keys) == "OK"
        started = time.monotonic()
        collector.wait_until_stored()
        assert time.monotonic() - started < 20
        collector.wait_until_noted("duplicate", 2 * len(keys))

        promise.check(collector, ledger)
    finally:
        collector.kill()
