"""How long a group of requests waits for company: a small one costs what a larger one does, in CPU and in fsyncs.

    linger(waiting, answered, took_seconds)      before a group is taken

Clients that wait for their answers send again as soon as they have them, so as many as were just answered come
again. Senders that don't wait come when they come: waiting for them only makes them wait.
"""

import time
from collections.abc import Callable

_LEAST_SECONDS, _MOST_SECONDS = 0.002, 0.008
_STEPS = 3
_FEW = 8
"""So many answers are on their way within a step; of more, the first may still be to be sent."""


def linger(waiting: Callable[[], int], answered: int, took_seconds: float) -> None:
    """Sleep as long as more requests come, 24 ms at most, until as many more wait as the last group answered.

    ``waiting`` tells how many wait; the last group took ``took_seconds``, half of which is well spent on company.
    Where as many wait already as were answered, nobody waits for anybody, and there is no sleep; nor is there for a
    client alone.
    """
    before = waiting()
    if answered <= 1 or before >= answered:
        return
    expected = answered + before
    if expected > _FEW:
        before = -1
    for _ in range(_STEPS):
        time.sleep(min(max(took_seconds / 2, _LEAST_SECONDS), _MOST_SECONDS))
        now = waiting()
        if now == before or now >= expected:
            return
        before = now
