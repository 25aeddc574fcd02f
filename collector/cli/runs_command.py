"""``agenttracer runs``: the runs in the store, one of them in full, or each as it comes.

agenttracer runs list [--agent A] [--status failure] [--since 1h] [--limit N] [--json]
agenttracer runs show RUN_ID
agenttracer runs tail

The store is the one of the collector's configuration, or ``--endpoint chdb://FOLDER | http(s)://host:port``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from agenttracer.schemas.duration import parse_duration_seconds
from agenttracer.schemas.semconv import RunStatus, parse_run_status

if TYPE_CHECKING:
    from agenttracer.collector.cli.run_queries import Row
    from agenttracer.collector.cli.store import Store

_LOOK_SECONDS = 1.0
_TAIL_SINCE_SECONDS = 3600.0
_MAX_TAIL_RUNS = 1000
_MAX_RUNS = 10_000
_MAX_STEPS = 2000


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command and its subcommands."""
    parser = commands.add_parser(
        "runs", help="list runs, show one as a waterfall, or follow them", description="Look at runs."
    )
    actions = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    for name, run, summary in (
        ("list", _list, "list runs, the newest first"),
        ("show", _show, "show one run's steps as a waterfall"),
        ("tail", _tail, "print runs when they come and when their status changes, until Ctrl-C"),
    ):
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        action.set_defaults(run=run)
        if name == "show":
            action.add_argument("run_id", metavar="RUN_ID", help="its id, or how the id begins")
        else:
            _add_filters(action, limit=20 if name == "list" else 10)
        add_store(action)


def _add_filters(action: argparse.ArgumentParser, limit: int) -> None:
    action.add_argument(
        "--limit",
        type=count,
        default=limit,
        metavar="N",
        help="most runs to begin with (default: %(default)s)",
    )
    action.add_argument("--agent", default="", metavar="NAME", help="only this agent's")
    action.add_argument("--status", type=_status, metavar="STATUS", help=f"only {', '.join(RunStatus)}")
    action.add_argument(
        "--since",
        type=duration,
        default=0.0,
        metavar="DURATION",
        help="only those seen in the last 30m, 1h, 7d",
    )


def add_store(action: argparse.ArgumentParser) -> None:
    """Flags that say which store, which tenant, and that a program reads the answer."""
    action.add_argument("--tenant", default="", metavar="NAME", help="only this tenant's")
    action.add_argument("--json", action="store_true", help="print JSON")
    action.add_argument(
        "--endpoint",
        metavar="URL",
        help="chdb://FOLDER or http(s)://host:port, with CLICKHOUSE_USER and CLICKHOUSE_PASSWORD "
        "(default: $AGENTTRACER_CLICKHOUSE_ENDPOINT, or chdb://$AGENTTRACER_DATA_DIR/clickhouse)",
    )
    action.add_argument("--database", default="default", metavar="NAME", help="default: %(default)s")


def count(text: str) -> int:
    """An argument that says how many runs."""
    value = int(text)
    if not 1 <= value <= _MAX_RUNS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {_MAX_RUNS}")
    return value


def _status(text: str) -> str:
    try:
        return parse_run_status(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(RunStatus)}") from None


def duration(text: str) -> float:
    """An argument that says for how long, in seconds."""
    try:
        return parse_duration_seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _list(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.run_queries import as_json, list_runs

    with _store(options) as store:
        runs = list_runs(store, since_seconds=options.since, **_filters(options), limit=options.limit)
    if options.json:
        print(json.dumps([as_json(run) for run in runs], indent=2))
    elif runs:
        from agenttracer.collector.cli.run_table import make_run_table
        from agenttracer.collector.cli.terminal import make_console

        make_console().print(make_run_table(runs))
    else:
        print("no runs")
    return 0


def _show(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.run_queries import as_json, read_failures, read_steps

    with _store(options) as store:
        run = _one_run(store, options.run_id, options.tenant)
        steps = read_steps(store, run, limit=_MAX_STEPS)
        failures = read_failures(store, run, limit=_MAX_STEPS)
    if options.json:
        parts = {"steps": steps, "failures": failures}
        lists = {name: [as_json(row) for row in rows] for name, rows in parts.items()}
        print(json.dumps({"run": as_json(run), **lists}, indent=2))
        return 0
    from agenttracer.collector.cli.terminal import make_console
    from agenttracer.collector.cli.waterfall import make_waterfall

    console = make_console()
    console.print(make_waterfall(run, steps, failures, console))
    if len(steps) == _MAX_STEPS:
        console.print(
            f"the first {_MAX_STEPS} steps; SQL has them all: SELECT * FROM agent_steps", style="dim"
        )
    return 0


def _one_run(store: Store, run_id: str, tenant: str) -> Row:
    from agenttracer.collector.cli.run_queries import find_runs
    from agenttracer.collector.errors import StartError

    runs = find_runs(store, run_id, tenant=tenant)
    if not runs:
        raise StartError(
            "there is no such run in the store; agenttracer runs list shows those that are there"
        )
    if len(runs) > 1:
        ids = ", ".join(f"{run['RunId']} ({run['TenantId']})" for run in runs)
        raise StartError(f"several runs begin like this, give more of the id, or --tenant: {ids}")
    return runs[0]


def _tail(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.run_queries import list_runs
    from agenttracer.collector.errors import StartError

    since_seconds = options.since or _TAIL_SINCE_SECONDS
    with _store(options) as store, suppress(KeyboardInterrupt):
        if not store.is_shared:
            raise StartError(
                "no collector has the store open, so no run will come: start one with clickhouse_http in its "
                "service::extensions, or use agenttracer runs list"
            )
        known: dict[tuple[str, str], str] | None = None
        while True:
            runs = list_runs(store, since_seconds=since_seconds, **_filters(options), limit=_MAX_TAIL_RUNS)
            changed = runs[: options.limit] if known is None else _changed(runs, known)
            for run in reversed(changed):
                _print_line(run, in_json=options.json)
            known = {(run["TenantId"], run["RunId"]): run["Status"] for run in runs}
            time.sleep(_LOOK_SECONDS)
    return 0


def _changed(runs: list[Row], known: Mapping[tuple[str, str], str]) -> list[Row]:
    return [run for run in runs if known.get((run["TenantId"], run["RunId"])) != run["Status"]]


def _print_line(run: Row, *, in_json: bool) -> None:
    if in_json:
        from agenttracer.collector.cli.run_queries import as_json

        print(json.dumps(as_json(run)), flush=True)
    else:
        from agenttracer.collector.cli.run_table import make_run_line
        from agenttracer.collector.cli.terminal import make_console

        make_console().print(make_run_line(run), soft_wrap=True)
        sys.stdout.flush()


def _filters(options: argparse.Namespace) -> dict[str, Any]:
    return {"tenant": options.tenant, "agent": options.agent, "status": options.status or ""}


@contextmanager
def _store(options: argparse.Namespace) -> Iterator[Store]:
    from agenttracer.collector.cli.store import open_store

    with open_store(options.endpoint, options.database) as store:
        yield store
