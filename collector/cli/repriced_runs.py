"""What runs cost, after their calls were priced again: ``agent_runs`` adds up costs as spans come in.

    agent_spans ── sum ── differs from the sum in agent_runs_state ──▶ one more row there, with the difference
                └─ no cost any more ──▶ agent_runs_to_fold, whose runs are summed from their spans when they are asked

Whatever was broken off, or came in meanwhile, the next time mends.
"""

from __future__ import annotations

from typing import Protocol

_SETTLING_SECONDS = 60

# A run's key facts are the smallest or largest of its rows, so that repeating them changes nothing. Without
# deduplication: the same difference may well come twice, one price back and one forth.
_DIFFERENCES = """
INSERT INTO agent_runs_state (TenantId, RunId, FirstAgent, State, LastSeen, FirstFailure, ExpiresAt, CostUsd)
SELECT TenantId, RunId, FirstAgent, State, LastSeen, FirstFailure, ExpiresAt, Now - ifNull(Before, 0)
FROM ({compared}) WHERE Now IS NOT NULL AND Now != ifNull(Before, 0)
SETTINGS insert_deduplicate = 0
"""
_WITHOUT_COST = """
INSERT INTO agent_runs_to_fold (TenantId, RunId, Timestamp, ExpiresAt)
SELECT TenantId, RunId, LastSeen, ExpiresAt FROM ({compared}) WHERE Now IS NULL AND Before IS NOT NULL
    AND (TenantId, RunId) NOT IN (SELECT TenantId, RunId FROM agent_runs_to_fold)
SETTINGS insert_deduplicate = 0
"""
_COMPARED = """
SELECT TenantId, RunId, FirstAgent, State, LastSeen, FirstFailure, ExpiresAt, Before, Now
FROM
(
    SELECT TenantId, RunId, min(s.FirstAgent) AS FirstAgent, max(s.State) AS State, max(s.LastSeen) AS LastSeen,
        min(s.FirstFailure) AS FirstFailure, max(s.ExpiresAt) AS ExpiresAt, sum(s.CostUsd) AS Before
    FROM agent_runs_state AS s WHERE (TenantId, RunId) IN ({runs}) GROUP BY TenantId, RunId
) AS state
INNER JOIN
(
    SELECT TenantId, RunId, sum(s.CostUsd::Nullable(Decimal(38, 9))) AS Now
    FROM agent_spans AS s
    WHERE NOT IsLog AND StepType NOT IN ('', 'agent', 'other') AND (TenantId, RunId) IN ({runs})
    GROUP BY TenantId, RunId
) AS spans USING (TenantId, RunId)
WHERE LastSeen < now64(9) - toIntervalSecond({settling_seconds})
"""


class Runs(Protocol):
    """What is used of a store."""

    @property
    def is_shared(self) -> bool:
        """Whether a collector can write meanwhile."""

    def run(self, sql: str) -> None:
        """Run one statement to its end."""


def follow(store: Runs, calls: str) -> None:
    """Make the runs of these calls, a condition over agent_spans, cost what their spans cost.

    Where a collector may be writing, a run seen within the last minute waits for the next time: parts of it may
    be in one table and not yet in the other.
    """
    compared = _COMPARED.format(
        runs=f"SELECT TenantId, RunId FROM agent_spans WHERE NOT IsLog AND {calls}",
        settling_seconds=_SETTLING_SECONDS if store.is_shared else -_SETTLING_SECONDS,
    )
    for statement in (_DIFFERENCES, _WITHOUT_COST):
        store.run(statement.format(compared=compared))
