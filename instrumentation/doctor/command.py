"""``agenttracer doctor``: what is seen, whether data arrives, what to install. Needs the base install only.

agenttracer doctor
agenttracer doctor --api-url http://collector:4317 --query-url http://localhost:8123 --json
"""

from __future__ import annotations

import argparse
import sys

_HEADER = "NAME=VALUE"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command."""
    parser = commands.add_parser(
        "doctor",
        help="say what would be instrumented, whether data arrives, and what to install",
        description="Looks at the frameworks installed beside it, sends one span and looks for it in the store. "
        "The exit status is 1 when there is something to do.",
    )
    parser.add_argument(
        "--api-url",
        metavar="URL",
        help="where to send; default OTEL_EXPORTER_OTLP_* or http://localhost:4317",
    )
    parser.add_argument(
        "--protocol", choices=("grpc", "http/protobuf"), help="where the address does not say it"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar=_HEADER, help="sent along, for authentication"
    )
    parser.add_argument(
        "--query-url",
        metavar="URL",
        help="ClickHouse's HTTP interface, to see the span stored; CLICKHOUSE_USER and CLICKHOUSE_PASSWORD are used",
    )
    parser.add_argument("--database", default="default", help="the database of --query-url (%(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=10, metavar="SECONDS", help="longest wait (%(default)s)"
    )
    parser.add_argument("--no-probe", action="store_true", help="send nothing")
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the report; 0 when there is nothing to do."""
    from agenttracer.instrumentation.doctor.findings import Problem, find
    from agenttracer.instrumentation.doctor.probe import QueryAddress, probe
    from agenttracer.instrumentation.doctor.report import as_json, as_text

    findings = find()
    problems, arrival = list(findings.problems), None
    if not options.no_probe:
        headers = dict(header.partition("=")[::2] for header in options.header)
        query = QueryAddress(options.query_url, options.database) if options.query_url else None
        try:
            arrival = probe(options.api_url, options.protocol, headers, query, options.timeout)
        except ValueError as error:  # about the address, which it doesn't name
            print(f"agenttracer: {error}", file=sys.stderr)
            return 1
        if not arrival.accepted:
            remedy = "start a collector there, or say where it is: --api-url or OTEL_EXPORTER_OTLP_ENDPOINT"
            problems.append(Problem("data does not arrive", remedy))
        elif arrival.stored is False:
            problems.append(
                Problem("data is accepted and not stored", "look at the collector's log and metrics")
            )
    print((as_json if options.json else as_text)(findings, arrival, problems))
    return 1 if problems else 0
