"""What the rows of a step say together: each fact is the outermost row's that knows it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from agenttracer.collector.folding.attempts import attempts
from agenttracer.collector.folding.calls import MODEL, TYPES, Kinds
from agenttracer.collector.folding.columns import Mask, Numbers, array, texts
from agenttracer.collector.folding.failures import Failures
from agenttracer.collector.folding.order import Rows
from agenttracer.collector.folding.placed import Placed
from agenttracer.collector.folding.steps import Steps
from agenttracer.collector.folding.tree import Tree
from agenttracer.schemas.failures import TYPE_OF_STEP
from agenttracer.schemas.steps import STEP

_MODEL, _RESPOND = TYPES.index("model") + 1, TYPES.index("respond") + 1
_STOP = 1
_TEXTS = "StepName AgentName Provider Model ToolName FinishReason".split()
_NUMBERS = "InputTokens OutputTokens CostUsd".split()
_FAILURE_TYPES = ("orchestration", *sorted(set(TYPE_OF_STEP.values())))
_FAILURE_TYPE_OF = np.array(
    [1 + _FAILURE_TYPES.index(TYPE_OF_STEP.get(name, "orchestration")) for name in ("", *TYPES, "any other")]
)


def facts_of(
    spans: pa.Table, rows: Rows, tree: Tree, kinds: Kinds, failures: Failures, steps: Steps
) -> pa.Table:
    """The columns of ``steps.STEP``, row by row for the table ``spans``."""
    placed = Placed(len(rows), rows.order[steps.rows])
    said, columns = _said(spans, rows, steps, placed)
    own = kinds.codes[steps.rows]
    has_failed = failures.has_failed[steps.calls]
    types = _types(rows, tree, kinds, steps, said["FinishReason"] == _STOP, has_failed)
    columns["StepType"] = placed.texts(types, kinds.types.values)
    columns["IsStep"] = placed.flags(True)
    columns["HasFailed"] = placed.flags(has_failed)
    reasons = failures.rows[steps.calls]
    columns |= _failure_columns(spans, rows, failures, reasons, own, placed)
    tries, recovered = attempts(
        rows.runs[steps.rows],
        (np.where(own == _RESPOND, _MODEL, own), said["StepName"], said["ToolName"]),
        tree.parent_ids[steps.rows],
        has_failed,
        rows.starts[steps.rows],
    )
    columns["Recovered"] = placed.flags(recovered & (reasons >= 0))
    attempt = steps.first(_is_known(spans.column("Attempt"), rows))
    columns["Attempt"] = placed.numbers(
        _known(spans.column("Attempt"), rows.order[attempt], tries), pa.int32()
    )
    places = _known(spans.column("StepSequence"), rows.order[steps.rows], steps.places)
    columns["StepSequence"] = placed.numbers(places, pa.int32())
    return pa.table([columns[field.name] for field in STEP], schema=STEP)


def _said(
    spans: pa.Table, rows: Rows, steps: Steps, placed: Placed
) -> tuple[dict[str, Numbers], dict[str, pa.Array]]:
    """The texts of each step as codes; and, with the numbers that may be null, as columns."""
    said: dict[str, Numbers] = {}
    columns: dict[str, pa.Array] = {}
    for name in _TEXTS:
        words = texts(spans.column(name), *(["stop"] if name == "FinishReason" else []))
        codes = words.codes[rows.order]
        said[name] = codes[steps.first(codes != 0)]
        # An index over agents must find every version of a row, also those in which it is no step.
        others = words.codes if name == "AgentName" else None
        columns[name] = placed.texts(said[name], words.values, others)
    for name in _NUMBERS:
        source = steps.first(_is_known(spans.column(name), rows))
        columns[name] = placed.taken(spans.column(name), rows.order[source])
    return said, columns


def _types(
    rows: Rows, tree: Tree, kinds: Kinds, steps: Steps, has_stopped: Mask, has_failed: Mask
) -> Numbers:
    """The step types by code: of the model calls of a run that has its root, the last is the answer."""
    types = kinds.codes[steps.rows]
    responds = kinds.codes[steps.first(kinds.codes == _RESPOND)] == _RESPOND
    runs = rows.runs[steps.rows]
    count = int(rows.runs[-1]) + 1
    has_root = np.zeros(count, bool)
    has_root[rows.runs[~rows.is_log & (tree.parent_ids == 0)]] = True
    latest = np.zeros(count, np.int64)
    calls = np.flatnonzero(kinds.is_call)
    latest[rows.runs[calls]] = rows.starts[calls]  # of several the last stays
    is_last = latest[runs] <= rows.starts[steps.rows]
    is_inside = tree.parent_ids[steps.rows] != 0
    # A failure is an answer only by the agent's own word.
    answers = np.where(
        has_failed, responds, is_last & (responds | (has_stopped & has_root[runs] & is_inside))
    )
    return np.where(kinds.acts[steps.rows] == MODEL, np.where(answers, _RESPOND, _MODEL), types)


def _failure_columns(
    spans: pa.Table, rows: Rows, failures: Failures, reasons: Numbers, types: Numbers, placed: Placed
) -> dict[str, pa.Array]:
    """What the row that says why a step failed says of it; ``reasons`` has -1 for steps that have no failure."""
    failed = reasons >= 0
    if not failed.any():
        blank = placed.blank()
        return {"FailureCode": blank, "FailureType": blank, "FailureRule": blank}
    said = rows.order[reasons]
    kinds = texts(spans.column("FailureType"), *_FAILURE_TYPES)
    rules = texts(spans.column("FailureRule"))
    own = kinds.codes[said]
    by_step = _FAILURE_TYPE_OF[np.minimum(types, len(_FAILURE_TYPE_OF) - 1)]
    return {
        "FailureCode": placed.texts(failures.texts.codes[said] * failed, failures.texts.values),
        "FailureType": placed.texts(np.where(own, own, by_step) * failed, kinds.values),
        "FailureRule": placed.texts(rules.codes[said] * failed, rules.values),
    }


def _is_known(column: pa.ChunkedArray, rows: Rows) -> Mask:
    return array(column.is_valid()).to_numpy(zero_copy_only=False)[rows.order]


def _known(column: pa.ChunkedArray, rows: Numbers, otherwise: Numbers) -> Numbers:
    """The numbers in these rows of the column, ``otherwise`` where they are null."""
    taken = array(column).take(pa.array(rows))
    is_known = taken.is_valid().to_numpy(zero_copy_only=False)
    return np.where(is_known, taken.fill_null(0).to_numpy(), otherwise)
