"""The command line: ``agenttracer <command>``; each command is a module that adds its own parser.

A command's module is light; what it needs is imported when it runs, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from agenttracer import __version__
from agenttracer.collector.cli import (
    collector_command,
    dead_letter_command,
    diff_command,
    erase_command,
    policy_command,
    reprice_command,
    runs_command,
)

_COMMANDS = (
    collector_command,
    runs_command,
    diff_command,
    policy_command,
    reprice_command,
    dead_letter_command,
    erase_command,
)
_DOCTOR = (
    "agenttracer.instrumentation.doctor.command"  # by name: it is the SDK's, and works without the collector
)
_INSTALL = "pip install 'agenttracer[collector]'"


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets ``run``, a function from the arguments to an exit status."""
    parser = argparse.ArgumentParser(
        prog="agenttracer", description="See what AI agents do, without storing what they say."
    )
    parser.add_argument("--version", action="version", version=f"agenttracer version {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (*_COMMANDS, import_module(_DOCTOR)):
        command.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command. What an operator can mend is one sentence on stderr and the exit status 1."""
    options = make_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except ModuleNotFoundError as error:
        if (error.name or "agenttracer").partition(".")[0] == "agenttracer":
            raise
        return _fail(f"this command needs the package {error.name}: {_INSTALL}")
    except BrokenPipeError:
        # The reader of a pipe, like head, has seen enough; the interpreter must not flush into it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if not _is_for_operators(error):
            raise
        return _fail(str(error))
    return status


def _fail(message: str) -> int:
    print(f"agenttracer: {message}", file=sys.stderr)
    return 1


def _is_for_operators(error: Exception) -> bool:
    from agenttracer.collector.errors import CollectorError

    return isinstance(error, CollectorError)
