"""Calls back when a module is imported, and disturbs no import."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agenttracer.instrumentation.libraries.on_import import ImportWatch


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where modules are found; what was imported from it is forgotten."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def watch() -> Iterator[ImportWatch]:
    """A watch that is stopped at the end."""
    watching = ImportWatch()
    yield watching
    watching.stop()
    assert watching not in sys.meta_path


def test_it_calls_once_after_the_module_has_run(folder: Path, watch: ImportWatch) -> None:
    """The module is whole, and its loader is as it was found."""
    (folder / "watched_one.py").write_text("VALUE = 7\n")
    seen: list[int] = []

    waits = not watch.when_imported("watched_one", lambda: seen.append(sys.modules["watched_one"].VALUE))
    module = importlib.import_module("watched_one")
    importlib.reload(module)

    assert waits
    assert [7] == seen
    assert "exec_module" not in vars(module.__spec__.loader)  # type: ignore[union-attr]
    assert "VALUE" in importlib.import_module("inspect").getsource(module)


def test_it_calls_at_once_for_what_is_there(watch: ImportWatch) -> None:
    """Without a place among the finders."""
    seen: list[str] = []

    assert watch.when_imported("sys", lambda: seen.append("called"))
    assert ["called"] == seen
    assert watch not in sys.meta_path


def test_a_submodule_of_a_namespace_is_watched(folder: Path, watch: ImportWatch) -> None:
    """As ``google.adk`` and ``llama_index.core`` are."""
    (folder / "spacious" / "core").mkdir(parents=True)
    (folder / "spacious" / "core" / "__init__.py").write_text("")
    seen: list[str] = []

    watch.when_imported("spacious.core", lambda: seen.append("called"))
    importlib.import_module("spacious")
    assert [] == seen
    importlib.import_module("spacious.core")

    assert ["called"] == seen


def test_a_module_that_fails_fails_as_ever(folder: Path, watch: ImportWatch) -> None:
    """With its own exception and without a call; a second try is watched too."""
    (folder / "watched_bad.py").write_text("raise KeyError('mine')\n")
    seen: list[str] = []
    watch.when_imported("watched_bad", lambda: seen.append("called"))

    with pytest.raises(KeyError, match="mine"):
        importlib.import_module("watched_bad")
    (folder / "watched_bad.py").write_text("OK = 'this time it is longer'\n")
    importlib.invalidate_caches()
    importlib.import_module("watched_bad")

    assert ["called"] == seen


def test_what_it_calls_may_fail(folder: Path, watch: ImportWatch) -> None:
    """The import goes on."""
    (folder / "watched_two.py").write_text("")
    watch.when_imported("watched_two", lambda: 1 // 0)

    assert importlib.import_module("watched_two") is sys.modules["watched_two"]


def test_a_module_that_is_not_there_stays_so(watch: ImportWatch) -> None:
    """The finders' answer is passed on."""
    watch.when_imported("absent_module_of_ours", lambda: None)

    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("absent_module_of_ours")
