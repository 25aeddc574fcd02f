"""Where a result came from: commit, hashes of code and configuration, model, prompt, seed.

provenance = make_provenance(model_name="hymotion-3b", model_version="2025-01-01", config=CONFIG, seed=7)
with tracer.start_run(provenance=provenance) as run: ...
"""

from __future__ import annotations

import hashlib
import inspect
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from agenttracer.instrumentation.digest import sha256
from agenttracer.instrumentation.guard import guard
from agenttracer.schemas import semconv


def make_provenance(
    model_name: str | None = None,
    model_version: str | None = None,
    *,
    provider: str | None = None,
    prompt: Mapping[str, str] | str | None = None,
    seed: int | None = None,
    config: object = None,
    code: object = None,
    code_version: str | None = None,
) -> dict[str, Any]:
    """The provenance of a run as attributes, for ``start_run(provenance=…)``; what isn't known is left out.

    ``prompt``: what ``register_prompt_template`` returned, or a template's text, of which only the hash is used.
    ``config``: anything that JSON can hold; hashed. ``code``: a function, class, module or path of a file or
    folder; default: the program's main file; hashed. ``code_version``: default ``GIT_COMMIT_SHA``, else the
    commit that the working directory's repository is at.
    """
    found: dict[str, Any] = {
        semconv.GEN_AI_PROVIDER_NAME: provider,
        semconv.GEN_AI_REQUEST_MODEL: model_name,
        semconv.GEN_AI_RESPONSE_MODEL: model_version,
        semconv.GEN_AI_REQUEST_SEED: seed,
    }
    with guard("provenance"):
        found[semconv.VCS_REF_HEAD_REVISION] = code_version or git_revision()
        found[semconv.AGENT_CONFIG_HASH] = None if config is None else sha256(config)
        found[semconv.AGENT_CODE_HASH] = code_hash(code)
        if isinstance(prompt, Mapping):
            found[semconv.GEN_AI_PROMPT_NAME] = prompt.get("prompt_name")
            found[semconv.GEN_AI_PROMPT_VERSION] = prompt.get("prompt_version")
            found[semconv.AGENT_PROMPT_HASH] = prompt.get("prompt_hash")
        elif prompt is not None:
            found[semconv.AGENT_PROMPT_HASH] = sha256(prompt)
    return {key: value for key, value in found.items() if value is not None}


def git_revision(folder: Path | None = None) -> str | None:
    """The commit: ``GIT_COMMIT_SHA``, else what a repository around the folder has checked out."""
    named = os.environ.get("GIT_COMMIT_SHA")
    if named:
        return named
    start = folder or Path.cwd()
    for parent in (start, *start.parents):
        if (parent / ".git").exists():
            return _head(parent / ".git")
    return None


def _head(git: Path) -> str | None:
    if git.is_file():  # a worktree's: "gitdir: …"
        git = (git.parent / git.read_text().removeprefix("gitdir:").strip()).resolve()
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref: "):
        return head
    name = head.removeprefix("ref: ")
    shared = git / "commondir"
    common = (git / shared.read_text().strip()).resolve() if shared.exists() else git
    for place in (git / name, common / name):
        if place.exists():
            return place.read_text().strip()
    packed = common / "packed-refs"
    lines = packed.read_text().splitlines() if packed.exists() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)


def code_hash(code: object = None) -> str | None:
    """The SHA-256 of a function's, class's or module's source, of a file, or of a folder's Python files."""
    if code is None:
        main = getattr(sys.modules.get("__main__"), "__file__", None)
        return None if main is None else _files_hash(Path(main))
    if isinstance(code, str | os.PathLike):
        return _files_hash(Path(code))
    if isinstance(code, ModuleType):
        return None if code.__file__ is None else _files_hash(Path(code.__file__))
    return sha256(inspect.getsource(code))  # type: ignore[arg-type]


@cache
def _files_hash(path: Path) -> str | None:
    """Names and contents of the files, in order; the program's code does not change while it runs."""
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.py")):
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
