"""``agenttracer dead-letter``: rows that an exporter refused for good, also while a collector runs.

agenttracer dead-letter list [--json]
agenttracer dead-letter replay 17 18 | --all
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agenttracer.collector.dead_letters import DeadLetter


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
    again.add_argument("ids", nargs="*", type=int, metavar="ID", help="as list shows it")
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


def _list(options: argparse.Namespace) -> int:
    from agenttracer.collector import dead_letters

    with _journal(options.directory) as connection:
        letters = dead_letters.read(connection)
    if options.json:
        _print_json([_plain(letter) for letter in letters])
    elif letters:
        _print_table(letters)
    else:
        print("no dead letters")
    return 0


def _replay(options: argparse.Namespace) -> int:
    from agenttracer.collector import dead_letters
    from agenttracer.collector.dead_letters import NotReplayed
    from agenttracer.collector.errors import StartError

    if bool(options.ids) == options.all:
        raise StartError("name the dead letters to replay by their ids, or give --all")
    replayed, kept, rows = [], {}, 0
    with _journal(options.directory) as connection:
        wanted: Sequence[int] = options.ids or [letter.id for letter in dead_letters.read(connection)]
        # One transaction each: the collector's own commits never wait long.
        for identifier in dict.fromkeys(wanted):
            try:
                rows += dead_letters.replay(connection, identifier)
                replayed.append(identifier)
            except NotReplayed as error:
                kept[identifier] = str(error)
    if options.json:
        kept_by_id = [{"id": identifier, "reason": reason} for identifier, reason in kept.items()]
        _print_json({"replayed": replayed, "rows": rows, "not_replayed": kept_by_id})
    else:
        print(f"{len(replayed)} replayed, {rows} rows")
        for reason in kept.values():
            print(f"agenttracer: {reason}", file=sys.stderr)
    return 1 if kept else 0


@contextmanager
def _journal(directory: Path | None) -> Iterator[sqlite3.Connection]:
    """The journal of a collector that may be running; raises ``StartError`` with one sentence."""
    from agenttracer.collector.errors import StartError
    from agenttracer.collector.journal import connect

    folder = directory or Path(os.environ.get("AGENTTRACER_DATA_DIR") or "./data") / "journal"
    path = folder / "journal.sqlite"
    if not path.is_file():
        raise StartError(
            f"there is no journal in {folder}: give its folder with --directory, or set AGENTTRACER_DATA_DIR"
        )
    try:
        with closing(connect(path)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StartError(
            f"the journal {path} can't be used ({error}): run this as the collector's user"
        ) from error


def _plain(letter: DeadLetter) -> dict[str, Any]:
    plain = asdict(letter)
    plain["time"] = datetime.fromtimestamp(plain.pop("unix_time"), UTC).isoformat().replace("+00:00", "Z")
    return plain


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _print_table(letters: Sequence[DeadLetter]) -> None:
    from rich.table import Table

    from agenttracer.collector.cli.terminal import make_console, text

    table = Table("id", "time", "pipeline", "exporter", "tenant", "rows", "reason", box=None)
    for letter in letters:
        time = datetime.fromtimestamp(letter.unix_time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        fields = (
            letter.id,
            time,
            letter.pipeline,
            letter.exporter,
            letter.tenant,
            letter.rows,
            letter.reason,
        )
        table.add_row(*(text(field) for field in fields))
    make_console().print(table)
