"""The journal's time: what has passed, whatever the wall clock is set to."""

from collections import Counter
from pathlib import Path

import pytest

from agenttracer.collector.journal import Group, Journal
from agenttracer.collector.passing_time import PassingTime
from agenttracer.collector.receipts import Receipt


class Clocks:
    """Clocks that the test sets."""

    wall, steady = 1_800_000_000.0, 50.0

    def open(self, folder: Path) -> Journal:
        now = PassingTime(lambda: self.wall, lambda: self.steady).now
        journal = Journal(folder, max_bytes=1000, window_seconds=900, now=now)
        journal.open()
        return journal


@pytest.mark.parametrize("jump_seconds", [86_400, -86_400])
def test_a_jump_of_the_wall_clock_forgets_no_receipt(tmp_path: Path, jump_seconds: int) -> None:
    """They are kept for the window, as it passes."""
    clocks = Clocks()
    journal = clocks.open(tmp_path)
    journal.append([Group("traces", "acme", 1, b"x")], [Receipt(b"digest", 1, 0)], Counter())

    clocks.wall += jump_seconds
    clocks.steady += 890
    journal.forget_receipts()
    assert journal.answered(b"digest") is not None
    clocks.steady += 20
    journal.forget_receipts()
    assert journal.answered(b"digest") is None
    journal.close()


def test_time_goes_on_over_a_restart(tmp_path: Path) -> None:
    """By the wall clock, there is no other."""
    clocks = Clocks()
    journal = clocks.open(tmp_path)
    journal.append([], [Receipt(b"digest", 1, 0)], Counter())
    journal.close()

    clocks.wall += 901
    later = clocks.open(tmp_path)

    assert later.answered(b"digest") is None
    later.close()
