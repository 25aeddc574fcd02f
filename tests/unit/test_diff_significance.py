"""The tests behind ``agenttracer diff`` give the published values, and cry wolf no more often than they may."""

import numpy as np
import pytest

from agenttracer.collector.cli.significance import (
    detectable_share,
    differs_in_rank,
    differs_in_share,
    holm,
    quantile_interval,
)


def test_ranks_of_a_textbook() -> None:
    """Ages at diagnosis of diabetes, five men and four women, two-sided with continuity correction."""
    men, women = np.array([19.0, 22, 16, 29, 24]), np.array([20.0, 11, 17, 12])

    assert pytest.approx(0.11134688653314041) == differs_in_rank(men, women)
    assert differs_in_rank(men, women) == pytest.approx(differs_in_rank(women, men))


def test_ranks_without_a_difference() -> None:
    """Equal values, or none, are no evidence."""
    assert 1.0 == differs_in_rank(np.ones(30), np.ones(40))
    assert 1.0 == differs_in_rank(np.ones(0), np.ones(3))
    assert pytest.approx(1.0) == differs_in_rank(np.arange(30.0), np.arange(30.0))


def test_ranks_rarely_see_what_is_not_there() -> None:
    """Of 400 pairs of samples of one distribution, with ties, about 5 % fall below 0.05."""
    chance = np.random.default_rng(1)
    found = [
        differs_in_rank(*(chance.integers(0, 12, 40).astype(float) for _ in range(2))) for _ in range(400)
    ]

    assert 0.02 < np.mean(np.array(found) < 0.05) < 0.08


def test_ranks_see_a_shift() -> None:
    """A fifth more on forty values is no chance."""
    values = np.random.default_rng(2).normal(100, 10, 80)

    assert differs_in_rank(values[:40], values[40:] * 1.2) < 0.001


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((8, 10, 1, 6), 0.034965034965),  # 8 and 2 against 1 and 5
        ((3, 4, 1, 4), 0.485714285714),  # the lady tasting tea
        ((1, 10, 11, 14), 0.002759456185),  # 1 and 9 against 11 and 3
        ((0, 50, 0, 50), 1.0),
        ((50, 50, 50, 50), 1.0),
    ],
)
def test_shares_of_textbooks(table: tuple[int, int, int, int], expected: float) -> None:
    """Two-sided Fisher: tables at least as unlikely count."""
    assert pytest.approx(expected) == differs_in_share(*table)


def test_shares_of_many_runs() -> None:
    """Large counts neither overflow nor take long: 5 % against 7 % of a hundred thousand."""
    assert differs_in_share(5_000, 100_000, 7_000, 100_000) < 1e-60


def test_several_tests_are_corrected() -> None:
    """Holm: the smallest of three counts three times, and order is kept."""
    assert pytest.approx([0.03, 0.06, 0.06]) == holm([0.01, 0.04, 0.03])
    assert pytest.approx([0.5, 1.0, 1.0]) == holm([0.1, 0.9, 0.8, 0.3, 0.7])[:3]
    assert [] == holm([])


def test_an_interval_covers_no_difference_of_the_same() -> None:
    """It holds 0 for two samples of one distribution, not for a doubled one, and is the same each time."""
    values = np.random.default_rng(3).exponential(100, 400)
    low, high = quantile_interval(values[:200], values[200:], 0.95)

    assert low < 0 < high
    assert quantile_interval(values[:200], values[200:] * 3, 0.95)[0] > 0
    assert (low, high) == quantile_interval(values[:200], values[200:], 0.95)


def test_what_can_be_seen_shrinks_with_more_runs() -> None:
    """A change of 10 points needs about 140 runs each at 10 %; nothing at all is not below what one run shows."""
    assert pytest.approx(0.1, abs=0.002) == detectable_share(0.1, 141, 141)
    assert 0 < detectable_share(0, 1000, 1000) < detectable_share(0, 20, 20) <= 1
