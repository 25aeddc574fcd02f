"""One erasure from the request to the receipt.

rows that wait: delivered first, beside a running collector; else changed where they are
  → what belongs together, from all places → each place erases and counts again → the journal's file anew
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from agenttracer.collector.component import Erased, Erasure
from agenttracer.collector.erasure.configured import OpenJournal, OpenJournals
from agenttracer.collector.erasure.journal import DeadLetters, WaitingRows, last_group, scrub, waits
from agenttracer.collector.erasure.receipt import Line, Receipt
from agenttracer.schemas.selection import Selection

_LOOK_SECONDS = 0.2
_SCRUB_ATTEMPTS = 10
JOURNAL, DEAD_LETTERS = "journal", "dead letters"


async def erase(
    receipt: Receipt,
    selection: Selection,
    journals: OpenJournals,
    exporters: Mapping[str, Erasure],
    *,
    wait_seconds: float,
) -> None:
    """Erase, or count for a dry run, and fill the receipt in. Raises ``Unavailable``; what was erased by
    then is in the receipt."""
    waiting = {_place(JOURNAL, each): WaitingRows(each.connection) for each in journals.each}
    dead_letters = {_place(DEAD_LETTERS, each): DeadLetters(each.connection) for each in journals.each}
    places: dict[str, Erasure] = {**dead_letters, **exporters}
    if not journals.collector_running:
        places = {**waiting, **places}
    elif not receipt.dry_run:
        await asyncio.to_thread(_delivered, journals, selection.tenant, wait_seconds)
    selection = await asyncio.to_thread(_closed, selection, [*waiting.values(), *places.values()])
    receipt.runs, receipt.traces = len(selection.runs), len(selection.traces | selection.whole_traces)
    for name, place in places.items():
        change: Callable[[Selection], Mapping[str, Erased]] = (
            _counted(place) if receipt.dry_run else place.erase
        )
        for part, erased in (await asyncio.to_thread(change, selection)).items():
            receipt.lines.append(Line(name, part, erased.found, erased.left))
    if journals.collector_running:
        # They are the collector's, and go to the stores that have just been asked.
        left = [
            Line(name, part, rows, rows)
            for name, place in waiting.items()
            for part, rows in place.count(selection).items()
        ]
        receipt.lines[:0] = left
    if not receipt.dry_run:
        for each in journals.each:
            pages = await asyncio.to_thread(_scrubbed, each)
            receipt.lines.append(Line(_place(JOURNAL, each), "free pages", pages.found, pages.left))
    receipt.finished = datetime.now(UTC)


def _place(name: str, journal: OpenJournal) -> str:
    return name if journal.worker == 1 else f"{name} of worker {journal.worker}"


def _counted(place: Erasure) -> Callable[[Selection], Mapping[str, Erased]]:
    return lambda selection: {part: Erased(rows, rows) for part, rows in place.count(selection).items()}


def _closed(selection: Selection, places: list[Erasure]) -> Selection:
    """The selection with all that belongs to it: a run that one place knows may have its traces in another."""
    while True:
        wider = selection
        for place in places:
            wider |= place.related(wider)
        if wider == selection:
            return selection
        selection = wider


def _delivered(journals: OpenJournals, tenant: str, wait_seconds: float) -> None:
    """Return when the tenant's rows that wait now are in the stores, or when it takes too long."""
    until = [(each.connection, last_group(each.connection, tenant)) for each in journals.each]
    deadline = time.monotonic() + wait_seconds
    while any(waits(each, tenant, last) for each, last in until) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)


def _scrubbed(journal: OpenJournal) -> Erased:
    first = last = scrub(journal.connection)
    for _ in range(_SCRUB_ATTEMPTS):
        if not last.left:
            break
        time.sleep(_LOOK_SECONDS)
        last = scrub(journal.connection)
    return Erased(first.found, last.left)
