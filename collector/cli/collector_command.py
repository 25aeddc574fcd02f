"""``agenttracer collector``: run the collector, or look at what it would run.

agenttracer collector --config otel-config.yaml [--set service.telemetry.logs.level=DEBUG]
agenttracer collector validate --config otel-config.yaml
agenttracer collector components
agenttracer collector print-config --config otel-config.yaml --format json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agenttracer import __version__

if TYPE_CHECKING:
    from agenttracer.collector.config.model import Config

_DEFAULT = "otel-config.yaml"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command, with its flags before and after its own subcommands as the Collector takes them."""
    parser = commands.add_parser(
        "collector",
        help="run the collector, or validate and print its configuration",
        description="Receive OTLP, take out what is private, store the rest. Without a subcommand: run.",
    )
    parser.add_argument("--version", action="version", version=f"agenttracer version {__version__}")
    _add_flags(parser, "")
    parser.set_defaults(run=_run)
    actions = parser.add_subparsers(title="subcommands", metavar="[SUBCOMMAND]")
    for name, run, summary in (
        ("validate", _validate, "check the configuration: silent if it is right, exit status 1 if not"),
        ("components", _components, "list every component with its options, their defaults and meanings"),
        ("print-config", _print_config, "print the merged and expanded configuration, secrets redacted"),
    ):
        action = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        _add_flags(action, "_after")
        action.set_defaults(run=run)
        if run is _print_config:
            action.add_argument("--mode", choices=("redacted", "unredacted"), default="redacted")
            action.add_argument("--format", choices=("yaml", "json"), default="yaml")


def _add_flags(parser: argparse.ArgumentParser, suffix: str) -> None:
    # Two names: a subcommand's parser would otherwise overwrite what stood before the subcommand.
    parser.add_argument(
        "--config",
        action="append",
        default=[],
        metavar="FILE",
        dest=f"config{suffix}",
        help=f"a YAML file; repeat it to merge several (default: {_DEFAULT} in this folder)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest=f"set{suffix}",
        help="override one value, like service.telemetry.logs.level=DEBUG; repeatable",
    )


def _loader(options: argparse.Namespace) -> Callable[[], Config]:
    from agenttracer.collector.config.load import load_config

    sources: Sequence[str] = [*options.config, *getattr(options, "config_after", ())]
    overrides = [*options.set, *getattr(options, "set_after", ())]
    if not sources and Path(_DEFAULT).is_file():
        sources = [_DEFAULT]
    return partial(load_config, sources, overrides)


def _run(options: argparse.Namespace) -> int:
    from agenttracer.collector.service import run

    # It loads before it does anything else, and again at each SIGHUP.
    return run(_loader(options))


def _validate(options: argparse.Namespace) -> int:
    _loader(options)()
    return 0


def _components(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.component_list import list_components
    from agenttracer.collector.config.render import to_yaml

    sys.stdout.write(to_yaml(list_components()))
    return 0


def _print_config(options: argparse.Namespace) -> int:
    from agenttracer.collector.config.render import show, to_json, to_yaml

    tree = show(_loader(options)().source, redacted=options.mode == "redacted")
    sys.stdout.write(to_json(tree) if options.format == "json" else to_yaml(tree))
    return 0
