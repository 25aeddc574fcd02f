"""The canary check has teeth: whatever single protection is taken away, it finds markers.

Each test disables one thing, a column's declaration, a place or a kind of attributes, one detector, the
rewriting of span names, and demands that the check of ``test_canaries`` would fail.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from agenttracer.collector.privacy import attribute_changes
from agenttracer.schemas.batch import Kind, Place, Signal
from tests.privacy.dense import dense
from tests.privacy.forgetting import (
    Mask,
    forget_attributes,
    forget_column,
    guarded_columns,
    restore_column,
)
from tests.privacy.markers import leaks_in
from tests.privacy.storing import Pipelines

_COLUMNS = guarded_columns()
_REWRITTEN = [(Signal.TRACES, "rows", "SpanName")]
_SIGNAL_OF_PLACE = {Place.BODY: Signal.LOGS, Place.EXEMPLAR: Signal.METRICS}
_TEXTS = (Kind.STRING, Kind.BYTES, Kind.ARRAY, Kind.KVLIST)


@pytest.mark.parametrize("signal", Signal)
def test_nothing_is_found_while_everything_is_protected(signal: Signal, tmp_path: Path) -> None:
    """What the other tests find, they find because of what they took away."""
    assert leaks(signal, tmp_path) == []


def leaks(signal: Signal, folder: Path) -> list[str]:
    """What the canary check finds."""
    return leaks_in(Pipelines(folder).stored(signal, dense(signal)[0]))


@pytest.mark.parametrize(("signal", "table", "column"), [each for each in _COLUMNS if each not in _REWRITTEN])
def test_a_column_taken_for_safe_is_found(
    signal: Signal, table: str, column: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One column's declaration is wrong: a marker comes through."""
    forget_column(monkeypatch, signal, table, column)

    assert leaks(signal, tmp_path) != []


@pytest.mark.parametrize(("signal", "table", "column"), _REWRITTEN)
def test_a_column_that_is_not_rewritten_is_found(
    signal: Signal, table: str, column: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Span names are emptied and made anew; one that stays as it came has a marker."""
    restore_column(monkeypatch, signal, table, column)

    assert leaks(signal, tmp_path) != []


def test_every_guarded_column_is_among_them() -> None:
    """Each column of each signal's tables that isn't declared safe or an id is taken away once."""
    per_signal = {signal: sum(each[0] is signal for each in _COLUMNS) for signal in Signal}

    assert per_signal == {Signal.TRACES: 22, Signal.LOGS: 15, Signal.METRICS: 9}
    assert len(set(_COLUMNS)) == 46


@pytest.mark.parametrize("kind", _TEXTS)
@pytest.mark.parametrize("place", Place)
def test_a_kind_that_is_not_looked_at_is_found(
    place: Place, kind: Kind, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Strings, bytes, arrays or maps of one place stay as they came."""
    forget_attributes(
        monkeypatch,
        lambda table: _of(table, "place", place) & _of(table, "kind", kind),
    )

    assert leaks(_SIGNAL_OF_PLACE.get(place, Signal.TRACES), tmp_path) != []


@pytest.mark.parametrize("place", [place for place in Place if place is not Place.BODY])
def test_keys_that_are_not_looked_at_are_found(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A number's value tells nothing, its key may: one that stays as it came has a marker."""
    forget_attributes(monkeypatch, lambda table: _of(table, "place", place) & _of(table, "kind", Kind.INT))

    assert leaks(_SIGNAL_OF_PLACE.get(place, Signal.TRACES), tmp_path) != []


def _of(table: pa.RecordBatch, column: str, value: int) -> Mask:
    return table.column(column).to_numpy() == value


def test_a_dictionary_that_keeps_dropped_keys_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An attribute that is dropped leaves its key in the dictionary, unless that is made anew."""
    monkeypatch.setattr(attribute_changes, "compact", lambda dictionary: dictionary)

    assert leaks(Signal.TRACES, tmp_path) != []
