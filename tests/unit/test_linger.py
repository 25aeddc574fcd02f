"""When a group of requests waits for company, and for how long."""

from collections.abc import Callable, Iterator

import pytest

from agenttracer.collector import linger

Slept = Callable[..., list[float]]


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> Slept:
    """Seconds of each sleep when so many requests wait before the first and after each."""

    def run(waiting: list[int], *, answered: int, took_seconds: float = 1.0) -> list[float]:
        counts: Iterator[int] = iter(waiting)
        sleeps: list[float] = []
        monkeypatch.setattr(linger.time, "sleep", sleeps.append)
        linger.linger(lambda: next(counts), answered, took_seconds)
        assert next(counts, None) is None  # it looked as often as the test says
        return sleeps

    return run


def test_a_client_alone_never_waits(slept: Slept) -> None:
    assert slept([0], answered=1) == []
    assert slept([0], answered=0) == []


def test_clients_that_wait_for_answers_are_waited_for(slept: Slept) -> None:
    assert slept([0, 1, 3, 4], answered=4) == [0.008] * 3
    assert slept([1, 2, 2], answered=3) == [0.008] * 2


def test_nobody_waits_for_senders_that_do_not_wait(slept: Slept) -> None:
    # One was answered and one has come meanwhile.
    assert slept([1], answered=1) == []
    assert slept([30], answered=30) == []


def test_a_step_without_company_ends_it(slept: Slept) -> None:
    assert slept([0, 0], answered=4) == [0.008]


def test_many_answers_take_a_step_to_go_out(slept: Slept) -> None:
    assert slept([0, 0, 20, 32], answered=32) == [0.008] * 3
    assert slept([0, 0, 0], answered=32) == [0.008] * 2


def test_it_takes_three_steps_at_most(slept: Slept) -> None:
    assert slept([0, 1, 2, 3], answered=32) == [0.008] * 3


@pytest.mark.parametrize(
    ("took_seconds", "step_seconds"), [(0.0, 0.002), (0.006, 0.003), (0.016, 0.008), (1.0, 0.008)]
)
def test_a_step_is_half_of_what_the_last_group_took(
    slept: Slept, took_seconds: float, step_seconds: float
) -> None:
    assert slept([0, 4], answered=4, took_seconds=took_seconds) == [step_seconds]
