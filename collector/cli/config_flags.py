"""``--config`` and ``--set``, as every command takes them that reads the collector's configuration."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agenttracer.collector.config.model import Config

_DEFAULT = "otel-config.yaml"


def add_config_flags(parser: argparse.ArgumentParser, suffix: str = "") -> None:
    """Add both; ``suffix`` tells those after a subcommand from those before it."""
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


def loader(options: argparse.Namespace) -> Callable[[], Config]:
    """What loads the configuration, each time anew; raises ``ConfigError``."""
    from agenttracer.collector.config.load import load_config

    sources: Sequence[str] = [*options.config, *getattr(options, "config_after", ())]
    overrides = [*options.set, *getattr(options, "set_after", ())]
    if not sources and Path(_DEFAULT).is_file():
        sources = [_DEFAULT]
    return partial(load_config, sources, overrides)
