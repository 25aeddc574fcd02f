"""``agenttracer policy``: what redaction does, and why, before any data is there.

agenttracer policy explain gen_ai.prompt
agenttracer policy explain --value "call +44 20 7946 0958"
agenttracer policy dry-run request.pb
agenttracer policy diff old-config.yaml new-config.yaml
agenttracer policy rotate-key --tenant acme --forget
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agenttracer.collector.config.model import Config
    from agenttracer.collector.privacy.options import PolicyOptions, RedactionOptions

_DEFAULT = "otel-config.yaml"


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command with its subcommands."""
    parser = commands.add_parser(
        "policy",
        help="explain, try and compare what redaction does",
        description="What redaction does with a key, a value or a whole request, and why.",
    )
    actions = parser.add_subparsers(title="subcommands", metavar="SUBCOMMAND", required=True)
    explain = _action(actions, "explain", _explain, "which rule decides about a key or a value, and why")
    explain.add_argument("key", nargs="?", metavar="KEY", help="an attribute key, or body")
    explain.add_argument("--value", metavar="TEXT", help="what a value passes for; it is not kept anywhere")
    dry_run = _action(
        actions, "dry-run", _dry_run, "what would be dropped, masked and kept of a request, by place"
    )
    dry_run.add_argument("file", type=Path, metavar="FILE", help="an OTLP export request: protobuf, or .json")
    dry_run.add_argument("--signal", choices=("traces", "logs", "metrics"), help="found out unless given")
    for action in (explain, dry_run):
        _add_source(action)
        action.add_argument("--tenant", default="default", help="the tenant whose policy it is")
        action.add_argument("--agent", default="", help="the agent whose policy it is")
    diff = _action(actions, "diff", _diff, "where two configurations decide differently")
    diff.add_argument("old", metavar="OLD", help="a configuration file")
    diff.add_argument("new", metavar="NEW", help="another one")
    rotate = _action(
        actions, "rotate-key", _rotate_key, "hash users and sessions with a new key from the next start on"
    )
    _add_source(rotate)
    rotate.add_argument(
        "--tenant", help="give this tenant a key of its own; by default every tenant's changes"
    )
    rotate.add_argument(
        "--forget",
        action="store_true",
        help="forget the keys it replaces: what they hashed can't be found again",
    )


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser], name: str, run: Any, summary: str
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", metavar="FILE", help=f"the collector's configuration (default: {_DEFAULT}, if it is here)"
    )
    parser.add_argument(
        "--processor", metavar="ID", help="the id of the redaction processor, if there are several"
    )


def _explain(options: argparse.Namespace) -> int:
    from agenttracer.collector.privacy.explanation import explain_key, explain_value, plain

    if (options.key is None) == (options.value is None):
        return _fail("give a KEY or --value TEXT")
    policy = _policy(options)
    if options.key is not None:
        found = explain_key(policy, options.key)
        lines = [f"{found.key}: {found.meaning}", f"  rule: {found.rule}", f"  because {found.because}"]
        _print(options, plain(found), lines)
        return 0
    about = explain_value(policy, options.value)
    lines = [
        "passes as: " + (", ".join(about.passes_as) or "nothing that is kept"),
        "detectors: " + (", ".join(about.detectors) or "none finds anything"),
        f"as allowed text: {about.as_text}",
    ]
    _print(options, plain(about), lines)
    return 0


def _dry_run(options: argparse.Namespace) -> int:
    from agenttracer.collector.cli.request_file import read_request
    from agenttracer.collector.privacy.explanation import dry_run, plain
    from agenttracer.collector.privacy.policy import Policy

    config = _config(options.config)
    policy = _policy(options)
    effects = dry_run(policy, read_request(options.file, options.signal, config))
    if options.json:
        print(json.dumps({"policy": Policy(policy).hash, "effects": [plain(effect) for effect in effects]}))
        return 0
    from rich.table import Table

    from agenttracer.collector.cli.terminal import make_console, text

    table = Table("PLACE", "KEY", "ACTION", "RULE", "COUNT", "BYTES", box=None, header_style="bold")
    for effect in effects:
        style = "" if effect.action == "keep" else "red" if effect.action == "drop" else "yellow"
        cells = (effect.place, effect.key, effect.action, effect.rule, effect.count, effect.bytes)
        table.add_row(*(text(cell, style) for cell in cells))
    make_console().print(table)
    return 0


def _diff(options: argparse.Namespace) -> int:
    from agenttracer.collector.privacy.explanation import changed_options, differences, plain
    from agenttracer.collector.privacy.policy import Policy

    old, new = (_redaction(_config(path), None).policy_for(None) for path in (options.old, options.new))
    options_changed, keys = changed_options(old, new), differences(old, new)
    hashes = (Policy(old).hash, Policy(new).hash)
    if options.json:
        print(
            json.dumps(
                {
                    "policies": hashes,
                    "options": {
                        name: {"old": before, "new": after}
                        for name, (before, after) in options_changed.items()
                    },
                    "keys": [{"old": plain(before), "new": plain(after)} for before, after in keys],
                }
            )
        )
        return 0
    print(f"policy {hashes[0]} → {hashes[1]}" if hashes[0] != hashes[1] else f"the same policy: {hashes[0]}")
    for name, (before, after) in options_changed.items():
        print(f"  {name}: {json.dumps(before)} → {json.dumps(after)}")
    for earlier, later in keys:
        print(f"  {earlier.key}: {earlier.meaning} → {later.meaning}")
    return 0


def _rotate_key(options: argparse.Namespace) -> int:
    from agenttracer.collector.privacy.key_file import EVERY_TENANT, read_or_make_keys

    path = _redaction(_config(options.config), options.processor).key_file
    keys = read_or_make_keys(path).rotated(options.tenant or EVERY_TENANT, forget=options.forget)
    try:
        keys.write(path)
    except OSError as error:
        return _fail(f"the key file {path} can't be written ({error.strerror})")
    whose = f"tenant {options.tenant}" if options.tenant else "every tenant"
    old = "the older keys are forgotten" if options.forget else "older keys are kept, for erasure"
    _print(
        options,
        {"key_file": str(path), "epoch": keys.epoch, "tenant": options.tenant, "forgotten": options.forget},
        [
            f"{path}: epoch {keys.epoch} for {whose}; {old}",
            "restart the collector, or send it SIGHUP, to use it",
        ],
    )
    return 0


def _config(path: str | None) -> Config | None:
    """The collector's configuration; without one the defaults hold."""
    from agenttracer.collector.config.load import load_config

    if path is None and not Path(_DEFAULT).exists():
        return None
    return load_config([path or _DEFAULT])


def _redaction(config: Config | None, processor: str | None) -> RedactionOptions:
    from agenttracer.collector.errors import ConfigError
    from agenttracer.collector.privacy.options import RedactionOptions

    if config is None:
        return RedactionOptions()
    found = {
        id: configured.options
        for id, configured in config.processors.items()
        if isinstance(configured.options, RedactionOptions) and processor in (None, id)
    }
    if len(found) != 1:
        named = ", ".join(id for id in config.processors if id.partition("/")[0] == "redaction") or "none"
        raise ConfigError(f"name one redaction processor with --processor: there are {named}")
    return next(iter(found.values()))


def _policy(options: argparse.Namespace) -> PolicyOptions:
    from agenttracer.collector.privacy.explanation import override_for

    redaction = _redaction(_config(options.config), options.processor)
    return redaction.policy_for(override_for(redaction, options.tenant, options.agent))


def _print(options: argparse.Namespace, value: Any, lines: list[str]) -> None:
    print(json.dumps(value) if options.json else "\n".join(lines))


def _fail(message: str) -> int:
    print(f"agenttracer: {message}", file=sys.stderr)
    return 2
