"""Gives every span its step type, every failure its type and code, every root its run's status.

    processors:
      classify: {}

Deterministic, from the tables ``schemas/step_types.py`` and ``schemas/failures.py``; the name of the rule
that decided is kept with the row. It comes before redaction, because a failure's code may stand only in
an error message that is then dropped. Of log records, exceptions and answers are classified.
"""

from __future__ import annotations

import pyarrow as pa

from agenttracer.collector.attributes import View, view
from agenttracer.collector.component import Options, Processor
from agenttracer.collector.failures.codes import find_failures
from agenttracer.collector.failures.log_records import log_failures
from agenttracer.collector.steps.names import step_names
from agenttracer.collector.steps.respond import responding
from agenttracer.collector.steps.runs import run_statuses
from agenttracer.collector.steps.tree import Tree, is_value, with_value
from agenttracer.collector.steps.twins import join_twins
from agenttracer.collector.steps.types import step_types
from agenttracer.schemas.batch import Batch, Signal
from agenttracer.schemas.step_types import EMBEDDINGS


class Classify(Processor[Options]):
    """Step types, failures and run statuses of a batch of spans; failures of a batch of log records."""

    options_type = Options

    def process(self, batch: Batch) -> Batch:
        if not batch.num_rows or batch.signal is Signal.METRICS:
            return batch
        attributes = view(batch)
        if batch.signal is Signal.LOGS:
            return batch.with_columns(**log_failures(attributes, batch))
        return _classify_spans(attributes, batch)


def _classify_spans(attributes: View, batch: Batch) -> Batch:
    tree = Tree(batch)
    kinds = step_types(attributes, batch)
    batch = batch.with_columns(**step_names(attributes, batch, kinds))
    failures = find_failures(attributes, batch, kinds, tree)
    types = responding(batch, _without_embeddings(kinds, tree), failures.codes.is_valid(), tree)
    batch = join_twins(batch, types, tree)
    return batch.with_columns(
        StepType=types,
        RunStatus=run_statuses(batch, types, failures, tree),
        **failures.columns(),
    )


def _without_embeddings(kinds: pa.DictionaryArray, tree: Tree) -> pa.DictionaryArray:
    """Embeddings look something up for the step around them; on their own they retrieve nothing."""
    embeddings = is_value(kinds, EMBEDDINGS)
    if not embeddings.any():
        return kinds
    return with_value(with_value(kinds, embeddings, "retrieve"), embeddings & tree.is_root, "other")
