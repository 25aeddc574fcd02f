"""Measures the collector beside Rotel, and the SDK beside OpenTelemetry's; prints it, and asserts nothing.

make bench
python -m tests.benchmarks --quick                    a look at whether it works
python -m tests.benchmarks --only queries --stored-spans 50000000 --store /var/tmp/spans
python -m tests.benchmarks --only debug rotel --spans 10 --rounds 5 --json figures.json
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.benchmarks.collector import Collector
from tests.benchmarks.grpc_floor import GrpcFloor
from tests.benchmarks.measure import Load, measure
from tests.benchmarks.queries import measure_queries
from tests.benchmarks.redaction_cost import measure_redaction
from tests.benchmarks.report import (
    machine,
    print_machine,
    print_queries,
    print_redaction,
    print_runs,
    print_sdk,
    print_stages,
)
from tests.benchmarks.rotel import Rotel, install_rotel
from tests.benchmarks.sdk import measure_sdk
from tests.benchmarks.stages import measure_stages
from tests.benchmarks.target import Target

_TARGETS: Mapping[str, Callable[[str], Target]] = {
    "debug": lambda transport: Collector("debug exporter", "debug", transport),
    "store": lambda transport: Collector("embedded store", "clickhouse", transport),
    "rotel": Rotel,
    "floor": lambda transport: GrpcFloor(),
}
_STAGES = "stages"
_QUERIES = "queries"
_REDACTION = "redaction"
_SDK = "sdk"

_LOADS = {1000: Load(1000, 400, warm_up=40, in_flight=8), 10: Load(10, 6000, warm_up=600, in_flight=32)}
_QUICK = {1000: Load(1000, 16, warm_up=8, in_flight=8), 10: Load(10, 200, warm_up=64, in_flight=32)}


_QUICK_STORED = 100_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    options = _parser().parse_args(arguments)
    chosen = list(options.only)
    version = "not measured"
    if "rotel" in chosen:
        try:
            version = install_rotel()
        except RuntimeError as error:
            print(f"without Rotel: {error}", file=sys.stderr)
            chosen.remove("rotel")
    facts = machine(version)
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
    for spans in options.spans if names else ():
        load = (_QUICK if options.quick else _LOADS)[spans]
        rounds = _run(names, load, options.transport, 1 if options.quick else options.rounds)
        medians = _medians(rounds)
        title = (
            f"{spans}-span requests over {options.transport}, {load.in_flight} in flight, "
            f"{load.requests * load.spans:,} spans, medians of {len(next(iter(rounds.values())))}"
        )
        print_runs(title, list(medians.items()))
        found[f"{options.transport} {spans}"] = {"medians": medians, "rounds": rounds}
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return 0


def _run(
    names: Sequence[str], load: Load, transport: str, rounds: int
) -> dict[str, list[Mapping[str, float]]]:
    """Every target's rounds, in turns, so that a neighbour's work falls on all of them alike."""
    found: dict[str, list[Mapping[str, float]]] = {}
    with load.client(transport) as client:
        for _ in range(rounds):
            for name in names:
                target = _TARGETS[name](transport)
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
    every = [_SDK, _STAGES, _REDACTION, _QUERIES, *_TARGETS]
    parser.add_argument("--only", nargs="+", choices=every, default=every, help="what to measure")
    parser.add_argument("--spans", nargs="+", type=int, choices=_LOADS, default=[*_LOADS], help="a request's")
    parser.add_argument("--transport", choices=("grpc", "http"), default="grpc", help="OTLP over what")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each target, in turns")
    parser.add_argument("--quick", action="store_true", help="one round of little: does it work?")
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
