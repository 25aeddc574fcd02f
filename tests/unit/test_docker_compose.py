"""``docker-compose.yml`` fits this tree: its settings are read, its command is a right configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agenttracer.collector.cli.main import make_parser
from agenttracer.collector.config.load import load_config

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_the_collectors_command_is_a_right_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its environment, the shipped file gives a collector that listens where the ports lead."""
    collector = SERVICES["collector"]
    for name, value in collector["environment"].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", "secret")
    words = [word.replace("$$", "$") for word in collector["command"]]
    options = make_parser().parse_args(words)
    assert ["/etc/otel-config.yaml"] == options.config

    config = load_config([str(ROOT / "otel-config.yaml")], options.set)

    store: Any = config.exporters["clickhouse"].options
    clickhouse = SERVICES["clickhouse"]["environment"]
    assert ("http://clickhouse:8123", "secret") == (store.endpoint, store.password.get_secret_value())
    assert (store.username, store.database) == (clickhouse["CLICKHOUSE_USER"], clickhouse["CLICKHOUSE_DB"])
    listening = {value for name, value in collector["environment"].items() if "0.0.0.0:" in value}
    assert {f"0.0.0.0:{port.rpartition(':')[2]}" for port in collector["ports"]} == listening


def test_nothing_is_open_to_other_machines() -> None:
    """Every port is bound to this machine's loopback, and no image is whatever is newest."""
    ports = [port for service in SERVICES.values() for port in service["ports"]]
    assert [] == [port for port in ports if not port.startswith("127.0.0.1:")]
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    assert [] == [image for image in images if not re.search(r":v?\d", image)]


def test_no_password_is_in_the_file() -> None:
    """Each comes from the environment, and its absence is an error."""
    for service in SERVICES.values():
        for name, value in service["environment"].items() if "environment" in service else ():
            assert "PASSWORD" not in name or re.fullmatch(r"\$\{\w+:\?.+\}", value)


def test_what_is_named_is_declared() -> None:
    """Volumes, configs and services that a service depends on."""
    for service in SERVICES.values():
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(COMPOSE["volumes"])
        assert {config["source"] for config in service.get("configs", ())} <= set(COMPOSE["configs"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)
    for config in COMPOSE["configs"].values():
        assert yaml.safe_load(config["content"])


def test_the_image_gets_what_it_installs() -> None:
    """What the build needs is let through to it, and nothing that makes it large."""
    let_through = {
        line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"
    }
    needed = {"LICENSE", "README.md", "pyproject.toml", "otel-config.yaml"}
    folders = {"agenttracer", "collector", "exporters", "instrumentation", "schemas"}
    assert needed | folders == let_through
