"""``agenttracer erase``: forget a tenant, a run or a user everywhere, with a receipt.

agenttracer erase --tenant acme --dry-run
agenttracer erase --run 0198c0de --yes
agenttracer erase --tenant acme --user - < id.txt      # not in the shell's history
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agenttracer.collector.cli.config_flags import add_config_flags, loader

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from agenttracer.collector.config.model import Config
    from agenttracer.collector.erasure.receipt import Asked, Receipt
    from agenttracer.schemas.selection import Selection

_DEFAULT_TENANT = "default"
_WAIT_SECONDS = 60.0
_HASH = re.compile(r"h[0-9]*:[0-9a-f]+")


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = commands.add_parser(
        "erase",
        help="forget a tenant, a run or a user in every store, with a receipt",
        description="Delete the rows and artifacts of a tenant, a run or a user from the journal, the dead letters "
        "and every store of the configuration, ask all of them again, and write a receipt. With the embedded "
        "store, stop the collector first. The exit status is 0 only if nothing is left.",
    )
    parser.add_argument(
        "--tenant", help="this tenant; alone: all of it (with others: may be left out if there is only one)"
    )
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--run", metavar="RUN_ID", dest="run_id", help="this run, with its traces")
    whose.add_argument(
        "--user",
        metavar="ID",
        help="this user or session, with every run of theirs; - reads the id from stdin",
    )
    whose.add_argument("--user-hash", metavar="HASH", help="the same, as the stores know it: h1:…")
    parser.add_argument("--dry-run", action="store_true", help="count only; the exit status is 0")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument(
        "--receipt",
        type=Path,
        metavar="FILE",
        help="default: erasure-<time>.json beside the journal's folder",
    )
    parser.add_argument(
        "--wait-seconds",
        type=float,
        default=_WAIT_SECONDS,
        metavar="N",
        help="beside a running collector: how long its waiting rows may take to be stored (default: 60)",
    )
    parser.add_argument("--json", action="store_true", help="print the receipt as JSON")
    add_config_flags(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from agenttracer.collector.errors import StartError

    if not any((options.tenant, options.run_id, options.user, options.user_hash)):
        raise StartError("say what to forget: --tenant, --run or --user")
    if options.user_hash and not _HASH.fullmatch(options.user_hash):
        raise StartError("--user-hash takes a hash as the stores hold it, h1:…; for a plain id use --user")
    if not (options.dry_run or options.yes or (sys.stdin.isatty() and options.user != "-")):
        raise StartError("nobody can be asked here: give --yes to erase, or --dry-run to count")
    if options.user == "-":
        options.user = sys.stdin.readline().rstrip("\r\n")
        if not options.user:
            raise StartError("--user - found no id on stdin")
    # What it would log quotes rows and statements.
    logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)
    return asyncio.run(_erase(options, loader(options)()))


async def _erase(options: argparse.Namespace, config: Config) -> int:
    from agenttracer.collector.erasure.configured import open_exporters, open_journals
    from agenttracer.collector.erasure.erase import erase
    from agenttracer.collector.erasure.journal import DeadLetters
    from agenttracer.collector.erasure.receipt import Receipt, ReceiptFile, default_name

    with open_journals(config) as journals:
        async with open_exporters(config) as (exporters, others):
            known = [*(DeadLetters(each.connection) for each in journals.each), *exporters.values()]
            asked = _asked(options, config, frozenset().union(*(place.tenants() for place in known)))
            receipt = Receipt(asked, options.dry_run, journals.collector_running, searched_not=others)
            selection = _selection(config, asked)
            if not (options.dry_run or options.yes or _confirmed(asked, exporters)):
                print("nothing was erased")
                return 1
            path = options.receipt or journals.directory.parent / default_name(receipt)
            file = None if options.dry_run else ReceiptFile(path, receipt)
            try:
                await erase(receipt, selection, journals, exporters, wait_seconds=options.wait_seconds)
            finally:
                if file is not None:
                    file.update()
    _show(receipt, file.path if file else None, as_json=options.json)
    return 0 if options.dry_run or receipt.is_complete else 1


def _asked(options: argparse.Namespace, config: Config, tenants: Set[str]) -> Asked:
    from agenttracer.collector.erasure.configured import tokens_of
    from agenttracer.collector.erasure.receipt import Asked
    from agenttracer.collector.errors import StartError

    if options.tenant is None and len(tenants) > 1:
        raise StartError(f"the stores hold {len(tenants)} tenants: say whose run or user it is with --tenant")
    tenant = options.tenant if options.tenant is not None else next(iter(tenants), _DEFAULT_TENANT)
    tokens: Iterable[str] = [options.user_hash] if options.user_hash else ()
    if options.user:
        tokens = tokens_of(config, options.user, tenant)
        if not tokens:
            raise StartError(
                "the key of the users' hashes is not where processors::redaction::key_file says: "
                "without it nobody can tell which rows are the user's"
            )
    return Asked(tenant, options.run_id, tuple(sorted(tokens)))


def _selection(config: Config, asked: Asked) -> Selection:
    from agenttracer.collector.erasure.configured import tokens_of
    from agenttracer.schemas.selection import Selection

    if asked.run is not None:
        # A run id that doesn't pass as a name is stored as its hash.
        runs = tokens_of(config, asked.run, asked.tenant) | {asked.run}
        return Selection(asked.tenant, runs=runs)
    if asked.user_tokens:
        return Selection(asked.tenant, tokens=frozenset(asked.user_tokens))
    return Selection(asked.tenant, whole_tenant=True)


def _confirmed(asked: Asked, exporters: Iterable[str]) -> bool:
    whose = "the run" if asked.run is not None else "the user" if asked.user_tokens else "everything"
    places = ", ".join(("the journal", "the dead letters", *exporters))
    return input(f"Erase {whose} of tenant {asked.tenant} from {places} for good? [yes/no] ").strip() == "yes"


def _show(receipt: Receipt, path: Path | None, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(receipt.plain(), indent=2))
        return
    from rich.table import Table

    from agenttracer.collector.cli.terminal import make_console, text

    holding = [line for line in receipt.lines if line.found or line.erased or line.left]
    empty = len(receipt.lines) - len(holding)
    if holding:
        table = Table("place", "part", "found", "erased", "left", box=None)
        for line in holding:
            counts = (line.found,) if receipt.dry_run else (line.found, line.erased, line.left)
            table.add_row(text(line.place), text(line.part), *(str(count) for count in counts))
        make_console().print(table)
        print(f"nothing in {empty} other places")
    else:
        print(f"nothing was found in {empty} places; if that is a surprise, check the id and the tenant")
    if path is not None:
        print(f"{'nothing is left' if receipt.is_complete else 'NOT complete'}; receipt: {path}")
    if receipt.collector_running and any(
        line.left and line.place.startswith("journal") for line in receipt.lines
    ):
        print(
            "rows wait in the journal of the running collector: erase again when they are stored, "
            "or stop the collector and erase then",
            file=sys.stderr,
        )
