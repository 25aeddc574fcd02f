"""From files and ``--set`` to a configuration."""

import logging
from pathlib import Path

import pytest

from agenttracer.collector import components
from agenttracer.collector.config.load import load_config
from agenttracer.collector.config.model import Config, Pipeline
from agenttracer.collector.errors import ConfigError
from agenttracer.schemas.batch import Signal
from tests import fake_components


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(components, "BUILT_IN", fake_components.BUILT_IN)
    monkeypatch.chdir(tmp_path)


def load(*texts: str, overrides: tuple[str, ...] = ()) -> Config:
    """The configuration of these files, one over the other."""
    names = []
    for number, text in enumerate(texts):
        names.append(f"{number}.yaml")
        Path(names[-1]).write_text(text)
    return load_config(names, overrides)


def test_a_configuration() -> None:
    """Ids, classes, options, pipelines and extensions, all frozen."""
    config = load(fake_components.BASE)

    assert ["otlp"] == list(config.receivers)
    assert fake_components.Otlp is config.receivers["otlp"].cls
    assert fake_components.Server() == config.receivers["otlp"].options.protocols.grpc
    assert fake_components.StoreOptions() == config.exporters["clickhouse"].options
    assert ("health_check",) == config.service_extensions
    assert {
        "traces": Pipeline(
            "traces", Signal.TRACES, ("otlp",), ("memory_limiter", "redaction"), ("clickhouse",)
        )
    } == config.pipelines
    assert "INFO" == config.telemetry.logs.level
    with pytest.raises(TypeError):
        config.exporters["x"] = config.exporters["clickhouse"]  # type: ignore[index]


def test_named_components_and_pipelines() -> None:
    """``type/name`` and ``signal/name`` are ids of their own; an unused component is declared all the same."""
    over = """\
exporters: {clickhouse/2: {ttl: 1h}, clickhouse/unused: }
service: {pipelines: {logs/audit: {receivers: [otlp], processors: [redaction], exporters: [clickhouse/2]}}}
"""

    config = load(fake_components.BASE, over)

    assert ["clickhouse", "clickhouse/2", "clickhouse/unused"] == list(config.exporters)
    assert 3600.0 == config.exporters["clickhouse/2"].options.ttl
    assert Signal.LOGS == config.pipelines["logs/audit"].signal


def test_later_files_win_maps_merge_and_lists_are_replaced() -> None:
    """Merging is key by key; what isn't a map is replaced."""
    first = "exporters: {clickhouse: {username: a, endpoint: e, tables: [a, b]}}"
    second = "exporters: {clickhouse: {username: b, tables: [c]}}"

    options = load(fake_components.BASE, first, second).exporters["clickhouse"].options

    assert ("b", "e", ["c"]) == (options.username, options.endpoint, options.tables)


def test_set_comes_last_and_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """``--set`` takes dots or ``::``, reads YAML and expands variables."""
    monkeypatch.setenv("WHO", "0123")
    overrides = (
        "exporters.clickhouse.username=${env:WHO}",
        "exporters::clickhouse::tables=[x, y]",
        "exporters.clickhouse.endpoint=http://h:1/?a=b",
        "service.telemetry.logs.level=debug",
    )

    config = load(fake_components.BASE, overrides=overrides)

    options = config.exporters["clickhouse"].options
    assert ("0123", ["x", "y"], "http://h:1/?a=b") == (options.username, options.tables, options.endpoint)
    assert "DEBUG" == config.telemetry.logs.level


def test_a_whole_section_from_a_file() -> None:
    """``${file:…}`` may stand for a section, a component or the pipelines."""
    Path("exporters.yaml").write_text("clickhouse: {username: '${env:NONE:-me}'}")

    config = load(fake_components.BASE, "exporters: ${file:exporters.yaml}")

    assert "me" == config.exporters["clickhouse"].options.username


def test_sources_by_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """``file:`` and ``env:`` work as in the Collector."""
    Path("base.yaml").write_text(fake_components.BASE)
    monkeypatch.setenv("OVER", "exporters: {clickhouse: {username: env}}")

    config = load_config(["file:base.yaml", "env:OVER"])

    assert "env" == config.exporters["clickhouse"].options.username


def test_text_for_a_list_is_split_at_commas() -> None:
    """A pipeline's components may be given as text."""
    over = "service: {pipelines: {traces: {processors: 'memory_limiter, redaction'}}}"

    assert ("memory_limiter", "redaction") == load(fake_components.BASE, over).pipelines["traces"].processors


def test_receivers_and_exporters_named_twice_count_once() -> None:
    """An exporter listed twice doesn't store twice."""
    over = """\
service:
  extensions: [health_check, health_check]
  pipelines: {traces: {exporters: [clickhouse, clickhouse]}}
"""

    config = load(fake_components.BASE, over)

    assert ("clickhouse",) == config.pipelines["traces"].exporters
    assert ("health_check",) == config.service_extensions


def test_an_alias_is_the_same_component() -> None:
    """The Collector's name of the bearer token extension is accepted."""
    over = "extensions: {bearertokenauth: }\nservice: {extensions: [bearertokenauth]}"

    assert fake_components.Tokens is load(fake_components.BASE, over).extensions["bearertokenauth"].cls


def test_the_collector_s_telemetry_settings_are_accepted(caplog: pytest.LogCaptureFixture) -> None:
    """What has no effect here is said, not refused."""
    over = """\
service:
  telemetry:
    logs: {level: warn, encoding: json, output_paths: [stderr]}
    metrics:
      level: detailed
      readers: [{pull: {exporter: {prometheus: {host: localhost, port: 8888}}}}]
"""
    with caplog.at_level(logging.WARNING):
        config = load(fake_components.BASE, over)

    assert ("WARN", "json") == (config.telemetry.logs.level, config.telemetry.logs.encoding)
    assert [
        "1.yaml:6: service::telemetry::metrics::readers: Accepted as in the Collector's files, without effect: "
        "the prometheus exporter serves the collector's own metrics."
    ] == caplog.messages


@pytest.mark.parametrize(
    ("sources", "overrides", "expected"),
    [
        (
            [],
            [],
            "at least one config flag must be provided: pass --config FILE, or start in a folder that has an "
            "otel-config.yaml",
        ),
        (
            ["none.yaml"],
            [],
            "unable to read the file none.yaml: No such file or directory; pass an existing one with --config",
        ),
        (["env:NONE"], [], "--config env:NONE: the environment variable NONE is not set; set it to YAML"),
        (["https://x/y"], [], '--config: scheme "https" is not supported; pass a file'),
        (
            ["base.yaml"],
            ["hush"],
            "--set needs key=value, like --set service.telemetry.logs.level=DEBUG",
        ),
        (
            ["base.yaml"],
            ["a..b=hush"],
            "--set needs key=value, like --set service.telemetry.logs.level=DEBUG",
        ),
    ],
)
def test_what_cannot_be_read(sources: list[str], overrides: list[str], expected: str) -> None:
    """One sentence with the fix."""
    Path("base.yaml").write_text(fake_components.BASE)

    with pytest.raises(ConfigError) as caught:
        load_config(sources, overrides)

    assert expected == str(caught.value)


def test_plug_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other people's components come by entry point; one that can't be used is refused with a reason."""
    dist = tmp_path / "plug_in-1.dist-info"
    dist.mkdir()
    (dist / "METADATA").write_text("Metadata-Version: 2.1\nName: plug-in\nVersion: 1\n")
    (dist / "entry_points.txt").write_text(
        "[agenttracer.components]\n"
        "processors.truncate = tests.fake_components:Pass\n"
        "processors.broken = no_such_module:X\n"
        "processors.wrong = tests.fake_components:Store\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    config = load(fake_components.BASE, "processors: {truncate: }")
    with pytest.raises(ConfigError) as caught:
        load(fake_components.BASE, "processors:\n  broken:\n  wrong:\n")

    assert fake_components.Pass is config.processors["truncate"].cls
    assert [
        "invalid configuration:",
        "  1.yaml:2: processors::broken: the plug-in no_such_module:X can't be imported: "
        "No module named 'no_such_module'; mend or remove it",
        "  1.yaml:3: processors::wrong: the plug-in tests.fake_components:Store must be a Processor to stand under "
        "processors:; mend or remove it",
    ] == str(caught.value).splitlines()
