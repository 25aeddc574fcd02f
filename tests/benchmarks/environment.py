"""A program to compare with: its newest package, in an environment of its own, installed when it is first needed.

~/.cache/agenttracer-bench/NAME     delete it to get a newer version
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agenttracer-bench"


def environment(package: str) -> Path:
    """Where the package's environment is, or will be."""
    return _CACHE / package


def install(package: str, *options: str) -> str:
    """The package's version, after installing it if it is missing; raises ``RuntimeError`` if that fails."""
    python = environment(package) / "bin" / "python"
    command = [python, "-c", f"from importlib.metadata import version; print(version({package!r}))"]
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", environment(package)], check=True)
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        if found.returncode:
            pip = [python, "-m", "pip", "install", "--quiet", *options, package]
            subprocess.run(pip, check=True)
            found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"{package} can't be installed: {type(error).__name__}") from error
    return found.stdout.strip()
