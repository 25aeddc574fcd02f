"""Frameworks as they come from the package index, each set of them in an environment of its own.

python = framework_python("current")
subprocess.run([python, "program.py"])

Made once a set and pin; ``.venv-frameworks`` keeps them. The tree's own SDK is installed in each, without extras.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-frameworks"
_UV = Path(sys.executable).with_name("uv")


def framework_python(name: str) -> Path:
    """The interpreter of the environment with ``tests/frameworks/<name>.txt`` installed."""
    pins = ROOT / "tests" / "frameworks" / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    folder = FOLDER / name
    python, made = folder / "bin" / "python", folder / "made"
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists() or made.read_text() != digest:
            _uv("venv", "--clear", "--python", sys.executable, str(folder))
            _uv("pip", "install", "--python", str(python), "--requirements", str(pins))
            _uv("pip", "install", "--python", str(python), "--no-deps", "--editable", str(ROOT))
            made.write_text(digest)
    return python


def _uv(*arguments: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    if "PIP_INDEX_URL" in environment:  # where pip has an index of its own, uv takes it too
        environment.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    done = subprocess.run(
        [_UV, "--quiet", "--no-config", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
