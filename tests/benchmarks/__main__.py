"""Measures the collector beside others, and the SDK beside OpenTelemetry's; prints it, and asserts nothing.

make bench                                            all of it, and writes docs/benchmarks.md
python -m tests.benchmarks --quick                    a look at whether it works
python -m tests.benchmarks --only debug rotel --spans 10 --in-flight 32 --rounds 5 --json figures.json
python -m tests.benchmarks --only queries --stored-spans 50000000 --store /var/tmp/spans
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.collector import Collector
from tests.benchmarks.document import write_document
from tests.benchmarks.environment import install
from tests.benchmarks.grpc_floor import GrpcFloor
from tests.benchmarks.half_load import measure_half_load
from tests.benchmarks.measure import Load, measure
from tests.benchmarks.queries import measure_queries
from tests.benchmarks.redaction_cost import measure_redaction
from tests.benchmarks.report import (
    machine,
    print_half_load,
    print_machine,
    print_queries,
    print_redaction,
    print_runs,
    print_sdk,
    print_stages,
)
from tests.benchmarks.rotel import Rotel, install_rotel
from tests.benchmarks.sdk import measure_sdk
from tests.benchmarks.sqlite_servers import MLflow, Phoenix
from tests.benchmarks.stages import measure_stages
from tests.benchmarks.target import Target

Make = Callable[[str], Target]
"""A target for a transport."""

_TARGETS: Mapping[str, Make] = {
    "debug": lambda transport: Collector("debug exporter", "debug", transport),
    "store": lambda transport: Collector("embedded store", "clickhouse", transport),
    "rotel": Rotel,
    "floor": lambda transport: GrpcFloor(),
}
_BY_CORES: Sequence[Make] = (
    lambda transport: Collector("debug, 1 core", "debug", transport, cores=1),
    lambda transport: Collector("debug, 2 cores", "debug", transport, cores=2),
    lambda transport: Collector("debug, 2 cores, 2 workers", "debug", transport, cores=2, workers=2),
    lambda transport: Collector("embedded store, 1 core", "clickhouse", transport, cores=1),
    lambda transport: Collector("embedded store, 2 cores", "clickhouse", transport, cores=2),
)
_SQLITE_SERVERS = {server.name: server for server in (Phoenix, MLflow)}
_HALF_LOAD = "half-load"
_CORES = "cores"
_STAGES = "stages"
_QUERIES = "queries"
_REDACTION = "redaction"
_SDK = "sdk"

_LOADS = {
    1000: [Load(1000, 400, warm_up=40, in_flight=8)],
    10: [Load(10, 6000, warm_up=600, in_flight=32), Load(10, 6000, warm_up=600, in_flight=256)],
}
_QUICK = {
    1000: [Load(1000, 16, warm_up=8, in_flight=8)],
    10: [Load(10, 400, warm_up=64, in_flight=32), Load(10, 800, warm_up=256, in_flight=256)],
}
_LOADS_BY_CORES = {
    1000: Load(1000, 400, warm_up=40, in_flight=16),
    10: Load(10, 6000, warm_up=600, in_flight=64),
}
_SQLITE_LOAD = Load(100, 60, warm_up=10, in_flight=4)
_HALF_LOAD_SECONDS = 60.0
_QUICK_STORED = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    # Told to end, it takes its servers and clients with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = list(options.only)
    versions = {}
    for name, package in (
        ("rotel", "rotel"),
        *((each.name, each.package) for each in _SQLITE_SERVERS.values()),
    ):
        if name in chosen:
            try:
                versions[name] = install_rotel() if name == "rotel" else install(package)
            except RuntimeError as error:
                print(f"without {name}: {error}", file=sys.stderr)
                chosen.remove(name)
    facts = machine(versions)
    print_machine(facts)
    found: dict[str, object] = {"machine": facts}
    if _SDK in chosen:
        sdk = measure_sdk(quick=options.quick)
        print_sdk(sdk)
        found[_SDK] = sdk
    if _STAGES in chosen:
        stages = measure_stages(quick=options.quick)
        print_stages(stages)
        found[_STAGES] = {f"{requests}x{spans}": figures for (requests, spans), figures in stages.items()}
    if _REDACTION in chosen:
        costs = measure_redaction(quick=options.quick)
        print_redaction(costs)
        found[_REDACTION] = costs
    if _QUERIES in chosen:
        asked = measure_queries(_QUICK_STORED if options.quick else options.stored_spans, options.store)
        print_queries(asked)
        found[_QUERIES] = dict(asked)
    names = [name for name in _TARGETS if name in chosen]
    if options.transport == "http" and "floor" in names:
        names.remove("floor")
    loads = _QUICK if options.quick else _LOADS
    count = 1 if options.quick else options.rounds
    for load in (load for spans in options.spans for load in loads[spans] if names):
        if load.spans == 10 and load.in_flight not in options.in_flight:
            continue
        found[f"{options.transport} {load.spans} {load.in_flight}"] = _compare(
            [_TARGETS[name] for name in names], load, options.transport, count
        )
    if _CORES in chosen:
        # Over HTTP the client has a connection for each request under way: connections are what workers share.
        for spans in options.spans:
            load = _QUICK[spans][0] if options.quick else _LOADS_BY_CORES[spans]
            targets = [*_BY_CORES, Rotel] if "rotel" in chosen else _BY_CORES
            found[f"{_CORES} {spans}"] = _compare(targets, load, "http", 1)
    for name in (name for name in _SQLITE_SERVERS if name in chosen):
        server = _SQLITE_SERVERS[name]
        found[name] = _compare([lambda _, server=server: server()], _SQLITE_LOAD, server.transport, 1)
    if _HALF_LOAD in chosen:
        found[_HALF_LOAD] = halves = {
            f"{spans}-span requests, half of {what}": figures
            for spans in options.spans
            for what, figures in measure_half_load(
                _TARGETS["store"](options.transport),
                loads[spans][-1],
                options.transport,
                seconds=5.0 if options.quick else _HALF_LOAD_SECONDS,
            ).items()
        }
        print_half_load(halves)
    if options.document is not None:
        write_document(options.document, facts, found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _compare(targets: Sequence[Make], load: Load, transport: str, count: int) -> dict[str, object]:
    rounds = _run(targets, load, transport, count)
    medians = _medians(rounds)
    title = (
        f"{load.spans}-span requests over {transport}, {load.in_flight} in flight, "
        f"{load.requests * load.spans:,} spans, medians of {count}"
    )
    print_runs(title, list(medians.items()))
    return {"title": title, "medians": medians, "rounds": rounds}


def _run(
    targets: Sequence[Make], load: Load, transport: str, rounds: int
) -> dict[str, list[Mapping[str, float]]]:
    """Every target's rounds, in turns, so that a neighbour's work falls on all of them alike."""
    found: dict[str, list[Mapping[str, float]]] = {}
    with load.client(transport) as client:
        for _ in range(rounds):
            for make in targets:
                target = make(transport)
                found.setdefault(target.name, []).append(measure(target, load, client))
    return found


def _medians(rounds: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    medians = {
        target: {name: statistics.median(one[name] for one in measured) for name in measured[0]}
        for target, measured in rounds.items()
    }
    if Rotel.name in medians:
        for figures in medians.values():
            figures["times_rotel"] = figures["cpu_us_a_span"] / medians[Rotel.name]["cpu_us_a_span"]
    return medians


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks", description=__doc__.partition("\n")[0]
    )
    every = [_SDK, _STAGES, _REDACTION, _QUERIES, *_TARGETS, _CORES, *_SQLITE_SERVERS, _HALF_LOAD]
    parser.add_argument("--only", nargs="+", choices=every, default=every, help="what to measure")
    parser.add_argument("--spans", nargs="+", type=int, choices=_LOADS, default=[*_LOADS], help="a request's")
    parser.add_argument(
        "--in-flight", nargs="+", type=int, choices=(32, 256), default=[32, 256], help="of 10-span requests"
    )
    parser.add_argument("--transport", choices=("grpc", "http"), default="grpc", help="OTLP over what")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each target, in turns")
    parser.add_argument("--quick", action="store_true", help="one round of little: does it work?")
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the tables to a page, too")
    parser.add_argument(
        "--stored-spans", type=int, default=2_000_000, help="how many spans queries are asked of"
    )
    parser.add_argument(
        "--store", type=Path, metavar="DIR", help="keep the store of these spans, or use it again"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to a file, too")
    return parser


if __name__ == "__main__":
    sys.exit(main())
