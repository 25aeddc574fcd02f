"""Whether two samples differ by more than chance: three tests, small enough to read.

differs_in_rank     Mann-Whitney U, two-sided, with the normal approximation corrected for ties: does one version
                    tend to larger values? It asks nothing of their distribution. From 20 values each.
differs_in_share    Fisher's exact test, two-sided: is a share larger in one version? Right for any sizes.
quantile_interval   A percentile bootstrap of the difference between two quantiles, from a fixed seed.

Several tests at once find a "difference" by chance sooner or later: ``holm`` corrects for how many there were.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
MIN_VALUES = 20
"""Below this, of either version, nothing is called a difference."""
_RESAMPLES = 2000
_SEED = 20_261_121
_TIE_TOLERANCE = 1 + 1e-7


def differs_in_rank(a: Values, b: Values) -> float:
    """The probability of ranks as unlike as these if both came from one distribution; 1 for nothing at all."""
    if not len(a) or not len(b):
        return 1.0
    together = np.concatenate([a, b])
    _, group, sizes = np.unique(together, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    ranks = (ends - (sizes - 1) / 2)[group]
    n, m = float(len(a)), float(len(b))
    total = n + m
    u = float(ranks[: len(a)].sum()) - n * (n + 1) / 2
    ties = float((sizes.astype(np.float64) ** 3 - sizes).sum()) / (total * (total - 1))
    variance = n * m / 12 * (total + 1 - ties)
    if variance <= 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2))


def differs_in_share(hits_a: int, size_a: int, hits_b: int, size_b: int) -> float:
    """The probability of shares at least as unlike as these if both versions had the same."""
    hits = hits_a + hits_b
    low, high = max(0, hits - size_b), min(hits, size_a)
    if low == high:
        return 1.0
    possible = range(low, high + 1)
    logs = np.array([_log_choose(size_a, k) + _log_choose(size_b, hits - k) for k in possible])
    chances = np.exp(logs - logs.max())
    chances /= chances.sum()
    return min(1.0, float(chances[chances <= chances[hits_a - low] * _TIE_TOLERANCE].sum()))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def quantile_interval(a: Values, b: Values, quantile: float) -> tuple[float, float]:
    """Where the difference b - a of a quantile lies, with 95 % confidence."""
    chance = np.random.default_rng(_SEED)
    differences = [
        _resampled(chance, b, quantile) - _resampled(chance, a, quantile) for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def _resampled(chance: np.random.Generator, values: Values, quantile: float) -> float:
    return float(np.quantile(values[chance.integers(0, len(values), len(values))], quantile))


def holm(probabilities: Sequence[float]) -> list[float]:
    """The same probabilities, in their order, corrected for how many they are."""
    corrected = [0.0] * len(probabilities)
    worst = 0.0
    for rank, index in enumerate(sorted(range(len(probabilities)), key=probabilities.__getitem__)):
        worst = max(worst, min(1.0, (len(probabilities) - rank) * probabilities[index]))
        corrected[index] = worst
    return corrected


def detectable_share(share: float, size_a: int, size_b: int) -> float:
    """How far a share must move for samples of these sizes to show it four times in five."""
    share = min(max(share, 1 / (size_a + size_b)), 1 - 1 / (size_a + size_b))
    return min(1.0, (1.96 + 0.84) * math.sqrt(share * (1 - share) * (1 / size_a + 1 / size_b)))
