"""The repository's own rules: what is packaged, how long files are, what is described."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agenttracer import __version__
from agenttracer.collector import components
from agenttracer.collector.config.fields import describe
from agenttracer.collector.config.load import load_config
from agenttracer.collector.config.model import SECTIONS, ServiceOptions

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = ("agenttracer", "schemas", "collector", "exporters", "instrumentation")
MAX_LINES = 400
ENDPOINTS = (
    "GRPC_ENDPOINT",
    "HTTP_ENDPOINT",
    "PROMETHEUS_ENDPOINT",
    "HEALTH_ENDPOINT",
    "CLICKHOUSE_ENDPOINT",
)
BUILT_IN = [(section, name) for section in SECTIONS for name in components.BUILT_IN[section]]


def python_files() -> Iterator[Path]:
    """Every Python file of the project; the symlinks that show some of them twice are not followed."""
    for folder in (*FOLDERS, "tests", "examples"):
        yield from (path for path in (ROOT / folder).rglob("*.py") if _is_own(path))


def _is_own(path: Path) -> bool:
    inside = path.relative_to(ROOT).parents
    return not any((ROOT / part).is_symlink() for part in inside if part != Path())


def test_every_package_is_packaged() -> None:
    """A folder with an ``__init__.py`` is in pyproject's list, so is the SQL, which is data, and nothing else."""
    packages = {"agenttracer", "agenttracer.schemas.sql"}
    for path in python_files():
        if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] in FOLDERS[1:]:
            packages.add(".".join(("agenttracer", *path.parent.relative_to(ROOT).parts)))

    assert sorted(packages) == sorted(PROJECT["tool"]["setuptools"]["packages"])


def test_every_python_folder_is_a_package() -> None:
    """No module lies in a folder that would not be installed."""
    lonely = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if path.relative_to(ROOT).parts[0] in FOLDERS and not (path.parent / "__init__.py").exists()
    ]

    assert [] == lonely


def test_no_file_is_too_long() -> None:
    """A file that needs more lines has more than one job."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files()}

    assert {} == {name: length for name, length in lengths.items() if length > MAX_LINES}


def test_the_version_is_written_once_and_the_same() -> None:
    """The package and its metadata agree."""
    assert PROJECT["project"]["version"] == __version__


@pytest.mark.parametrize(("section", "name"), BUILT_IN)
def test_every_option_is_described(section: str, name: str) -> None:
    """Each option of each component has a sentence that says what it does."""
    assert [] == list(
        _undescribed(describe(components.load(section, name).options_type), f"{section}::{name}")
    )


def test_every_option_of_service_is_described() -> None:
    """The service section too."""
    assert [] == list(_undescribed(describe(ServiceOptions), "service"))


def _undescribed(options: dict[str, Any], path: str) -> Iterator[str]:
    for key, described in options.items():
        if not described["description"].strip():
            yield f"{path}::{key}"
        yield from _undescribed(described.get("config", {}), f"{path}::{key}")


@pytest.mark.parametrize(("section", "name"), BUILT_IN)
def test_every_component_has_the_role_of_its_section(section: str, name: str) -> None:
    """Receivers are receivers; their options are frozen and refuse unknown keys."""
    cls = components.load(section, name)

    assert issubclass(cls, components.ROLES[section])
    assert issubclass(cls.options_type, BaseModel)
    assert cls.options_type.model_config.get("frozen")
    assert "forbid" == cls.options_type.model_config.get("extra")


def test_aliases_lead_to_components() -> None:
    """Another name of a component is no component's own name."""
    for section, aliases in components.ALIASES.items():
        for alias, name in aliases.items():
            assert alias not in components.BUILT_IN[section]
            assert name in components.BUILT_IN[section]


def test_the_shipped_configuration_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads with no variable set, and each variable lands where it belongs."""
    for name in ("DATA_DIR", *ENDPOINTS):
        monkeypatch.delenv(f"AGENTTRACER_{name}", raising=False)
    defaults = load_config([str(ROOT / "otel-config.yaml")]).source
    monkeypatch.setenv("AGENTTRACER_DATA_DIR", "/somewhere")
    moved = load_config([str(ROOT / "otel-config.yaml")]).source
    for number, name in enumerate(ENDPOINTS[:4]):
        monkeypatch.setenv(f"AGENTTRACER_{name}", f"localhost:{number + 1}")
    monkeypatch.setenv("AGENTTRACER_CLICKHOUSE_ENDPOINT", "https://example.com:8443")
    endpoints = load_config([str(ROOT / "otel-config.yaml")]).source

    assert ["./data/journal", "chdb://./data/clickhouse", "./data/artifacts"] == _places(defaults)
    assert ["/somewhere/journal", "chdb:///somewhere/clickhouse", "/somewhere/artifacts"] == _places(moved)
    assert ["localhost:4317", "localhost:4318", "localhost:8889", "localhost:13133"] == _listeners(defaults)
    assert ["localhost:1", "localhost:2", "localhost:3", "localhost:4"] == _listeners(endpoints)
    assert "https://example.com:8443" == endpoints["exporters"]["clickhouse"]["endpoint"]


def _places(source: Any) -> list[str]:
    return [
        source["extensions"]["file_storage"]["directory"],
        source["exporters"]["clickhouse"]["endpoint"],
        source["exporters"]["artifacts"]["directory"],
    ]


def _listeners(source: Any) -> list[str]:
    protocols = source["receivers"]["otlp"]["protocols"]
    return [
        protocols["grpc"]["endpoint"],
        protocols["http"]["endpoint"],
        source["exporters"]["prometheus"]["endpoint"],
        source["extensions"]["health_check"]["endpoint"],
    ]
