"""``agenttracer dead-letter``: rows that an exporter refused for good, also while a collector runs.

agenttracer dead-letter list [--json]
agenttracer dead-letter replay 17 18 | --all

With ``service::workers`` the dead letters of worker 2 are 2:17, 2:18.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agenttracer.collector.dead_letters import DeadLetter

_Place = tuple[int, int]
"""The number of the worker in whose journal a dead letter is, and its id there."""
_FIRST_WORKER = 1


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command and its subcommands."""
    parser = commands.add_parser(
        "dead-letter",
        help="list what an exporter refused for good, and send it again",
        description="Rows that an exporter refused for good stay in the journal until they are replayed.",
    )
    actions = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    listing = actions.add_parser(
        "list", help="show them, oldest first", description="Show them, oldest first."
    )
    listing.set_defaults(run=_list)
    again = actions.add_parser(
        "replay",
        help="put them back in line for the exporter that refused them",
        description="Put dead letters back in line for the exporter that refused them; a running collector "
        "takes them within seconds, others when they start.",
    )
    again.add_argument("ids", nargs="*", type=_place, metavar="ID", help="as list shows it")
    again.add_argument("--all", action="store_true", help="every dead letter")
    again.set_defaults(run=_replay)
    for action in (listing, again):
        action.add_argument(
            "--directory",
            type=Path,
            metavar="DIR",
            help="the journal's folder, file_storage::directory (default: $AGENTTRACER_DATA_DIR/journal)",
        )
        action.add_argument("--json", action="store_true", help="print JSON")


def _place(identifier: str) -> _Place:
    worker, _, number = identifier.rpartition(":")
    return int(worker or _FIRST_WORKER), int(number)


def _identifier(place: _Place) -> int | str:
    worker, number = place
    return number if worker == _FIRST_WORKER else f"{worker}:{number}"


def _list(options: argparse.Namespace) -> int:
    with _journals(options.directory) as journals:
        letters = _read(journals)
    if options.json:
        _print_json([_plain(place, letter) for place, letter in letters.items()])
    elif letters:
        _print_table(letters)
    else:
        print("no dead letters")
    return 0


def _read(journals: Mapping[int, sqlite3.Connection]) -> dict[_Place, DeadLetter]:
    from agenttracer.collector import dead_letters

    return {
        (worker, letter.id): letter
        for worker, connection in journals.items()
        for letter in dead_letters.read(connection)
    }


def _replay(options: argparse.Namespace) -> int:
    from agenttracer.collector import dead_letters
    from agenttracer.collector.dead_letters import NotReplayed
    from agenttracer.collector.errors import StartError

    if bool(options.ids) == options.all:
        raise StartError("name the dead letters to replay by their ids, or give --all")
    replayed: list[_Place] = []
    kept: dict[_Place, str] = {}
    rows = 0
    with _journals(options.directory) as journals:
        wanted: Iterable[_Place] = options.ids or _read(journals)
        # One transaction each: the collector's own commits never wait long.
        for worker, number in dict.fromkeys(wanted):
            try:
                if worker not in journals:
                    raise NotReplayed(f"there is no journal of worker {worker}")
                rows += dead_letters.replay(journals[worker], number)
                replayed.append((worker, number))
            except NotReplayed as error:
                kept[(worker, number)] = str(error)
    if options.json:
        kept_by_id = [{"id": _identifier(place), "reason": reason} for place, reason in kept.items()]
        replayed_ids = [_identifier(place) for place in replayed]
        _print_json({"replayed": replayed_ids, "rows": rows, "not_replayed": kept_by_id})
    else:
        print(f"{len(replayed)} replayed, {rows} rows")
        for reason in kept.values():
            print(f"agenttracer: {reason}", file=sys.stderr)
    return 1 if kept else 0


@contextmanager
def _journals(directory: Path | None) -> Iterator[dict[int, sqlite3.Connection]]:
    """The journals of a collector that may be running, by worker; raises ``StartError`` with one sentence."""
    from agenttracer.collector.errors import StartError
    from agenttracer.collector.journal import connect
    from agenttracer.collector.journal_folders import JOURNAL_FILE, journal_folders

    directory = directory or Path(os.environ.get("AGENTTRACER_DATA_DIR") or "./data") / "journal"
    folders = journal_folders(directory)
    if not folders:
        raise StartError(
            f"there is no journal in {directory}: give its folder with --directory, or set AGENTTRACER_DATA_DIR"
        )
    path = directory
    try:
        with ExitStack() as stack:
            journals = {}
            for worker, folder in folders.items():
                path = folder / JOURNAL_FILE
                journals[worker] = stack.enter_context(closing(connect(path)))
            yield journals
    except sqlite3.Error as error:
        raise StartError(
            f"the journal {path} can't be used ({error}): run this as the collector's user"
        ) from error


def _plain(place: _Place, letter: DeadLetter) -> dict[str, Any]:
    plain = {**asdict(letter), "id": _identifier(place)}
    plain["time"] = datetime.fromtimestamp(plain.pop("unix_time"), UTC).isoformat().replace("+00:00", "Z")
    return plain


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _print_table(letters: Mapping[_Place, DeadLetter]) -> None:
    from rich.table import Table

    from agenttracer.collector.cli.terminal import make_console, text

    table = Table("id", "time", "pipeline", "exporter", "tenant", "rows", "reason", box=None)
    for place, letter in letters.items():
        time = datetime.fromtimestamp(letter.unix_time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        fields = (
            _identifier(place),
            time,
            letter.pipeline,
            letter.exporter,
            letter.tenant,
            letter.rows,
            letter.reason,
        )
        table.add_row(*(text(field) for field in fields))
    make_console().print(table)
