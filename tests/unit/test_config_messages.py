"""Every message about a configuration that is wrong: the Collector's words, the file, the path, the fix."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agenttracer.collector import components
from agenttracer.collector.config.load import load_config
from agenttracer.collector.errors import ConfigError
from tests import fake_components

TRACES = "service::pipelines::traces"

CASES = {
    "empty file": (
        "",
        "c.yaml: empty configuration file; begin with receivers:, processors:, exporters:, extensions: and service:",
    ),
    "not a map": (
        "[a]",
        "c.yaml: must be a map; begin with receivers:, processors:, exporters:, extensions: and service:",
    ),
    "no receivers": (
        "receivers:",
        "c.yaml: no receiver configuration specified in config; add one under receivers:, like otlp",
        'b.yaml:16: service::pipelines::traces: references receiver "otlp" which is not configured; '
        "add it under receivers:, or remove it (configured: none)",
    ),
    "no exporters": (
        "exporters: {}\nservice: {pipelines: {traces: {exporters: []}}}\n---8<---\nexporters: null",
        "c.yaml: no exporter configuration specified in config; add one under exporters:, like debug",
        "c.yaml:2: service::pipelines::traces: must have at least one exporter; list one under exporters:",
    ),
    "no pipelines": (
        "service: {pipelines: }",
        "c.yaml:1: service::pipelines: service must have at least one pipeline; add one, like traces",
    ),
    "no service": (
        "service:",
        "c.yaml:1: service::pipelines: service must have at least one pipeline; add one, like traces",
    ),
    "pipeline without receivers": (
        "service: {pipelines: {traces: {receivers: []}}}",
        f"c.yaml:1: {TRACES}: must have at least one receiver; list one under receivers:",
    ),
    "pipeline without exporters": (
        "service: {pipelines: {traces: {exporters: }}}",
        f"c.yaml:1: {TRACES}: must have at least one exporter; list one under exporters:",
    ),
    "unknown receiver": (
        "service:\n  pipelines:\n    traces:\n      receivers: [oltp]",
        f'c.yaml:4: {TRACES}: references receiver "oltp" which is not configured; '
        'did you mean "otlp"? Or add it under receivers:, or remove it (configured: otlp)',
    ),
    "unknown processor": (
        "service:\n  pipelines:\n    traces:\n      processors:\n      - redaction\n      - x",
        f'c.yaml:6: {TRACES}: references processor "x" which is not configured; '
        "add it under processors:, or remove it (configured: memory_limiter, redaction)",
    ),
    "unknown exporter": (
        "service: {pipelines: {traces: {exporters: [x]}}}",
        f'c.yaml:1: {TRACES}: references exporter "x" which is not configured; '
        "add it under exporters:, or remove it (configured: clickhouse)",
    ),
    "unknown extension": (
        "service: {extensions: [x]}",
        'c.yaml:1: service::extensions: references extension "x" which is not configured; '
        "add it under extensions:, or remove it (configured: health_check)",
    ),
    "processor twice": (
        "service: {pipelines: {traces: {processors: [redaction, redaction]}}}",
        f'c.yaml:1: {TRACES}: references processor "redaction" multiple times; list it once',
    ),
    "no redaction": (
        "service: {pipelines: {traces: {processors: []}}}",
        f"c.yaml:1: {TRACES}: must have the redaction processor: nothing may reach a disk unredacted; "
        "add redaction at the end of processors:",
    ),
    "two redactions": (
        "processors: {redaction/more: }\n"
        "service: {pipelines: {traces: {processors: [redaction, redaction/more]}}}",
        f"c.yaml:2: {TRACES}: must have one redaction processor: a second one can't read what the first one leaves; "
        "let one do what both should; overrides: can differ by tenant and agent",
    ),
    "a reader behind redaction": (
        "processors: {normalize: }\nservice: {pipelines: {traces: {processors: [redaction, normalize]}}}",
        f"c.yaml:2: {TRACES}: normalize must stand before redaction: it reads what redaction takes out; "
        "move redaction behind it",
    ),
    "memory_limiter not first": (
        "service: {pipelines: {traces: {processors: [redaction, memory_limiter]}}}",
        f"c.yaml:1: {TRACES}: memory_limiter must be the first processor: it refuses data before any work is done "
        "on it; move it to the front",
    ),
    "signal that an exporter doesn't take": (
        "exporters: {artifacts: }\nservice: {pipelines: {traces: {exporters: [artifacts]}}}",
        f'c.yaml:2: {TRACES}: exporter "artifacts" does not support traces; '
        "remove it from this pipeline (it takes logs)",
    ),
    "component's own check": (
        "receivers:\n  otlp:\n    protocols:",
        "c.yaml:2: receivers::otlp: must specify at least one protocol when using the OTLP receiver",
    ),
    "unknown type": (
        "receivers: {otpl/1: }",
        'c.yaml:1: receivers::otpl/1: unknown type: "otpl" for id: "otpl/1" (valid values: [otlp]); '
        'did you mean "otlp"?',
    ),
    "unknown type like no other": (
        "exporters: {kafka: }",
        'c.yaml:1: exporters::kafka: unknown type: "kafka" for id: "kafka" (valid values: [clickhouse artifacts]); '
        "use one of them, or install its plug-in",
    ),
    "unknown key at the root": (
        "\nrecievers: {}",
        "c.yaml:2: '' has invalid keys: recievers; did you mean \"receivers\"? "
        "(valid keys: exporters, extensions, processors, receivers, service)",
    ),
    "unknown key of a component": (
        "exporters:\n  clickhouse:\n    pasword: hush",
        "c.yaml:3: exporters::clickhouse: error reading configuration for \"clickhouse\": '' has invalid keys: "
        'pasword; did you mean "password"? (valid keys: anything, compress, enabled, endpoint, headers, name, '
        "password, pin, retry_on_failure, sending_queue, tables, timeout, ttl, username)",
    ),
    "unknown key inside a component": (
        "receivers:\n  otlp:\n    protocols:\n      grcp: {}",
        'c.yaml:4: receivers::otlp::protocols: error reading configuration for "otlp": '
        "'protocols' has invalid keys: grcp; did you mean \"grpc\"? (valid keys: grpc, http)",
    ),
    "unknown key without a value": (
        "receivers: {otlp: {protocols: {grpc: {}, htp: }}}",
        'c.yaml:1: receivers::otlp::protocols: error reading configuration for "otlp": '
        "'protocols' has invalid keys: htp; did you mean \"http\"? (valid keys: grpc, http)",
    ),
    "pipeline without a value": (
        "service: {pipelines: {logs: }}\n",
        "c.yaml:1: service::pipelines::logs: must have at least one receiver; list one under receivers:",
        "c.yaml:1: service::pipelines::logs: must have at least one exporter; list one under exporters:",
        "c.yaml:1: service::pipelines::logs: must have the redaction processor: nothing may reach a disk "
        "unredacted; add redaction at the end of processors:",
    ),
    "unknown key of service": (
        "service: {pipeline: {}}",
        "c.yaml:1: service: 'service' has invalid keys: pipeline; did you mean \"pipelines\"? "
        "(valid keys: extensions, max_in_flight_mib, pipelines, telemetry)",
    ),
    "unknown key of a pipeline": (
        "service: {pipelines: {traces: {exporter: [x]}}}",
        f"c.yaml:1: {TRACES}: 'service.pipelines.traces' has invalid keys: exporter; did you mean \"exporters\"? "
        "(valid keys: exporters, processors, receivers)",
    ),
    "unknown key of telemetry": (
        "service: {telemetry: {logs: {lvl: x}}}",
        "c.yaml:1: service::telemetry::logs: 'service.telemetry.logs' has invalid keys: lvl; "
        'did you mean "level"? (valid keys: encoding, level, output_paths, sampling)',
    ),
    "wrong type of an option": (
        "receivers:\n  otlp:\n    protocols:\n      grpc:\n        max_recv_msg_size_mib: hush",
        'c.yaml:5: receivers::otlp::protocols::grpc::max_recv_msg_size_mib: error reading configuration for "otlp": '
        "must be a whole number; max_recv_msg_size_mib: Largest request in MiB.",
    ),
    "wrong duration": (
        "exporters: {clickhouse: {ttl: hush}}",
        "c.yaml:1: exporters::clickhouse::ttl: must be a duration with a unit, like 200ms, 5s or 1h30m",
    ),
    "component that isn't a map": (
        "exporters: {clickhouse: hush}",
        'c.yaml:1: exporters::clickhouse: error reading configuration for "clickhouse": must be a map of options',
    ),
    "section that isn't a map": (
        "processors: [redaction]",
        "c.yaml:1: processors: must be a map; write what belongs to it as keys below it",
    ),
    "id without a type": (
        "exporters: {/x: }",
        'c.yaml:1: exporters::/x: in "/x" id: the part before / should not be empty; write type, or type/name',
    ),
    "id without a name": (
        "exporters: {x/: }",
        'c.yaml:1: exporters::x/: in "x/" id: the part after / should not be empty; write type, or type/name',
    ),
    "empty id": (
        "exporters: {'': }",
        "c.yaml:1: exporters::: id must not be empty; write type, or type/name",
    ),
    "bad type": (
        "exporters: {a-b: }",
        'c.yaml:1: exporters::a-b: in "a-b" id: invalid character(s) in type "a-b"; write type, or type/name',
    ),
    "bad name": (
        "exporters: {a/b c: }",
        'c.yaml:1: exporters::a/b c: in "a/b c" id: invalid character(s) in name "b c"; write type, or type/name',
    ),
    "connectors": (
        "connectors: {spanmetrics: }",
        "c.yaml:1: connectors: connectors are not supported; "
        "remove the section and its pipelines, and list the exporters directly",
    ),
    "profiles": (
        "service: {pipelines: {profiles: {receivers: [otlp], processors: [redaction], exporters: [clickhouse]}}}",
        "c.yaml:1: service::pipelines::profiles: profiles are not supported; remove the pipeline",
    ),
    "unknown signal": (
        "service: {pipelines: {trace/x: {receivers: [otlp], processors: [redaction], exporters: [clickhouse]}}}",
        'c.yaml:1: service::pipelines::trace/x: unknown pipeline signal: "trace"; did you mean "traces"?',
    ),
    "authenticator that isn't configured": (
        "receivers: {otlp: {protocols: {grpc: {auth: {authenticator: x}}}}}",
        'c.yaml:1: receivers::otlp::protocols::grpc::auth: references extension "x" which is not configured; '
        "add it under extensions:, and list it in service::extensions",
    ),
    "authenticator that isn't started": (
        "extensions: {bearer_token_auth: }\n"
        "receivers: {otlp: {protocols: {grpc: {auth: {authenticator: bearer_token_auth}}}}}",
        'c.yaml:2: receivers::otlp::protocols::grpc::auth: references extension "bearer_token_auth" which is not '
        "started; list it in service::extensions",
    ),
    "authenticator that is something else": (
        "receivers: {otlp: {protocols: {grpc: {auth: {authenticator: health_check}}}}}",
        'c.yaml:1: receivers::otlp::protocols::grpc::auth: extension "health_check" is not an authenticator; '
        "name one, like bearer_token_auth",
    ),
}


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(components, "BUILT_IN", fake_components.BUILT_IN)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    """What is wrong, where, and what to do; several problems are told at once; no value is shown."""
    text, *expected = CASES[name]
    sources = [] if text in ("", "[a]") else ["b.yaml"]
    for number, part in enumerate(text.split("\n---8<---\n")):
        sources.append("c.yaml" if number == 0 else f"{number}.yaml")
        Path(sources[-1]).write_text(part)
    Path("b.yaml").write_text(fake_components.BASE)

    with pytest.raises(ConfigError) as caught:
        load_config(sources)

    lines = [line.strip() for line in str(caught.value).replace(", ".join(sources), "c.yaml").splitlines()]
    if len(expected) > 1:
        assert ["invalid configuration:", *expected] == lines
    else:
        assert [f"invalid configuration: {expected[0]}"] == lines
    assert "hush" not in str(caught.value)


def test_an_override_is_named_as_the_place() -> None:
    """A mistake on the command line isn't blamed on the file."""
    Path("b.yaml").write_text(fake_components.BASE)

    with pytest.raises(ConfigError) as caught:
        load_config(["b.yaml"], ["exporters.clickhouse.enabled=hush"])

    assert (
        "invalid configuration: --set exporters.clickhouse.enabled: exporters::clickhouse::enabled: error reading "
        'configuration for "clickhouse": must be true or false; enabled: Whether it does anything.'
    ) == str(caught.value)


def _places(tree: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if path:
        yield path
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _places(value, (*path, key))


@pytest.mark.parametrize(
    "junk", [None, "", "x", 0, 1.5, True, [], [None], ["x", {}], [["x"]], {}, {"x": None}]
)
def test_junk_anywhere_is_never_more_than_a_configuration_error(junk: Any) -> None:
    """Whatever stands in place of any value, the answer is a configuration or a ``ConfigError``."""
    tree = yaml.safe_load(fake_components.BASE)
    Path("b.yaml").write_text(fake_components.BASE)

    for path in [
        *_places(tree),
        ("exporters", "clickhouse", "headers"),
        ("service", "telemetry", "logs", "level"),
    ]:
        over = junk
        for key in reversed(path):
            over = {key: over}
        Path("c.yaml").write_text(yaml.safe_dump(over))
        with contextlib.suppress(ConfigError):
            load_config(["b.yaml", "c.yaml"])
