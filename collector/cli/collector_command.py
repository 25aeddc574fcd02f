"""``agenttracer collector``: run the collector, or look at what it would run.

agenttracer collector --config otel-config.yaml [--set service.telemetry.logs.level=DEBUG]
agenttracer collector validate --config otel-config.yaml
agenttracer collector components
agenttracer collector print-config --config otel-config.yaml --format json
"""

from __future__ import annotations

import argparse
import sys

from agenttracer import __version__
from agenttracer.collector.cli.config_flags import add_config_flags, loader


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command, with its flags before and after its own subcommands as the Collector takes them."""
    parser = commands.add_parser(
        "collector",
        help="run the collector, or validate and print its configuration",
        description="Receive OTLP, take out what is private, store the rest. Without a subcommand: run.",
    )
    parser.add_argument("--version", action="version", version=f"agenttracer version {__version__}")
    add_config_flags(parser)
    parser.set_defaults(run=_run)
    actions = parser.add_subparsers(title="subcommands", metavar="[SUBCOMMAND]")
    for name, run, summary in (
        ("validate", _validate, "check the configuration: silent if it is right, exit status 1 if not"),
        ("components", _components, "list every component with its options, their defaults and meanings"),
        ("print-config", _print_config, "print the merged and expanded configuration, secrets redacted"),
    ):
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        add_config_flags(action, "_after")
        action.set_defaults(run=run)
        if run is _print_config:
            action.add_argument("--mode", choices=("redacted", "unredacted"), default="redacted")
            action.add_argument("--format", choices=("yaml", "json"), default="yaml")


def _run(options: argparse.Namespace) -> int:
    from agenttracer.collector.service import run

    # It loads before it does anything else, and again at each SIGHUP.
    return run(loader(options))


def _validate(options: argparse.Namespace) -> int:
    loader(options)()
    return 0


def _components(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.component_list import list_components
    from agenttracer.collector.config.render import to_yaml

    sys.stdout.write(to_yaml(list_components()))
    return 0


def _print_config(options: argparse.Namespace) -> int:
    from agenttracer.collector.config.render import show, to_json, to_yaml

    tree = show(loader(options)().source, redacted=options.mode == "redacted")
    sys.stdout.write(to_json(tree) if options.format == "json" else to_yaml(tree))
    return 0
