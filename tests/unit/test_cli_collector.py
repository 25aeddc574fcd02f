"""The command line of the collector."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from agenttracer import __version__
from agenttracer.collector import components
from agenttracer.collector.cli.main import main
from agenttracer.collector.config.model import Config
from agenttracer.collector.errors import ConfigError, StartError
from tests import fake_components


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(components, "BUILT_IN", fake_components.BUILT_IN)
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(fake_components.BASE)


def replace_service(monkeypatch: pytest.MonkeyPatch, run: Callable[[Callable[[], Config]], int]) -> None:
    """Put a service in place that does only what ``run`` does."""
    service = ModuleType("agenttracer.collector.service")
    service.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, service.__name__, service)


def test_validate_is_silent_when_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    """A right configuration: nothing printed, exit status 0."""
    assert 0 == main(["collector", "validate", "--config", "base.yaml"])
    assert ("", "") == capsys.readouterr()


def test_validate_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong one: one line on stderr, exit status 1."""
    Path("over.yaml").write_text("receivers:\n  x:\n")

    status = main(["collector", "--config", "base.yaml", "validate", "--config=over.yaml"])

    expected = (
        'agenttracer: invalid configuration: over.yaml:2: receivers::x: unknown type: "x" for id: "x" '
        "(valid values: [otlp]); use one of them, or install its plug-in\n"
    )
    assert 1 == status
    assert ("", expected) == capsys.readouterr()


def test_flags_count_before_and_after_the_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    """All ``--config`` and ``--set`` apply, in their order."""
    before = ["--config", "base.yaml", "--set", "exporters.clickhouse.username=a"]
    after = ["--set", "exporters.clickhouse.username=b", "--set=exporters.clickhouse.ttl=1h"]

    status = main(["collector", *before, "print-config", *after])

    assert 0 == status
    assert {"username": "b", "ttl": "1h"} == yaml.safe_load(capsys.readouterr().out)["exporters"][
        "clickhouse"
    ]


def test_the_default_is_otel_config_yaml_here(capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``--config``, the file of this folder; without that, a sentence."""
    without = main(["collector", "validate"])
    Path("otel-config.yaml").write_text(fake_components.BASE)
    with_file = main(["collector", "validate"])

    assert (1, 0) == (without, with_file)
    assert (
        "agenttracer: at least one config flag must be provided: pass --config FILE, or start in a folder "
        "that has an otel-config.yaml\n"
    ) == capsys.readouterr().err


def test_print_config_redacts_unless_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Expanded values are shown, secrets only with ``--mode unredacted``; YAML or JSON."""
    monkeypatch.setenv("SECRET", "0123")
    arguments = ["collector", "print-config", "--config", "base.yaml", "--set"]
    arguments.append("exporters.clickhouse.password=${env:SECRET}")

    main(arguments)
    redacted = yaml.safe_load(capsys.readouterr().out)
    main([*arguments, "--mode", "unredacted", "--format", "json"])
    unredacted = json.loads(capsys.readouterr().out)

    assert "[REDACTED]" == redacted["exporters"]["clickhouse"]["password"]
    assert "0123" == unredacted["exporters"]["clickhouse"]["password"]
    assert ["receivers", "processors", "exporters", "extensions", "service"] == list(redacted)
    assert {
        "receivers": ["otlp"],
        "processors": ["memory_limiter", "redaction"],
        "exporters": ["clickhouse"],
    } == (redacted["service"]["pipelines"]["traces"])


def test_components_lists_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    """The Collector's listing, with each option's description and default."""
    assert 0 == main(["collector", "components"])

    listing = yaml.safe_load(capsys.readouterr().out)
    assert ["buildinfo", "receivers", "processors", "exporters", "extensions"] == list(listing)
    assert {
        "command": "agenttracer",
        "description": "The OpenTelemetry pipeline for AI agents",
        "version": __version__,
    } == listing["buildinfo"]
    (otlp,) = listing["receivers"]
    assert ("otlp", "tests.fake_components") == (otlp["name"], otlp["module"])
    assert {"logs": "Beta", "metrics": "Beta", "traces": "Beta"} == otlp["stability"]
    grpc = otlp["config"]["protocols"]["config"]["grpc"]
    assert "OTLP over gRPC." == grpc["description"]
    assert {"description": "Largest request in MiB.", "default": 64} == grpc["config"][
        "max_recv_msg_size_mib"
    ]
    assert {"description": "The extension that knows who is calling.", "required": True} == (
        grpc["config"]["auth"]["config"]["authenticator"]
    )
    store, logs_only = listing["exporters"]
    assert {"description": "Longest time of one attempt.", "default": "60s"} == store["config"]["timeout"]
    assert {"logs": "Beta"} == logs_only["stability"]
    tokens = listing["extensions"][1]
    assert (["bearertokenauth"], {"extension": "Beta"}) == (tokens["aliases"], tokens["stability"])


def test_run_hands_a_loader_to_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a subcommand the collector runs; its exit status is the command's."""
    loaded: list[Config] = []

    def run(load: Callable[[], Config]) -> int:
        loaded.append(load())
        return 3

    replace_service(monkeypatch, run)

    assert 3 == main(["collector", "--config", "base.yaml", "--set", "service.telemetry.logs.level=ERROR"])
    assert "ERROR" == loaded[0].telemetry.logs.level


@pytest.mark.parametrize("error", [ConfigError("mend it"), StartError("free the port")])
def test_what_an_operator_can_mend_is_one_sentence(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, exit status 1."""

    def run(load: Callable[[], Config]) -> int:
        raise error

    replace_service(monkeypatch, run)

    assert 1 == main(["collector", "--config", "base.yaml"])
    assert ("", f"agenttracer: {error}\n") == capsys.readouterr()


def test_a_missing_package_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The SDK's install has no collector; the sentence says how to get it."""
    for name in [name for name in sys.modules if name.startswith("agenttracer.collector.config")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "yaml", None)

    assert 1 == main(["collector", "validate", "--config", "base.yaml"])
    assert (
        "agenttracer: this command needs the package yaml: pip install 'agenttracer[collector]'\n"
    ) == capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--version"], ["collector", "--version"]])
def test_version(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The version is the package's."""
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert 0 == caught.value.code
    assert f"agenttracer version {__version__}\n" == capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    """``--help`` answers before any of the collector's packages is imported."""
    code = (
        "import sys\n"
        "from agenttracer.collector.cli.main import main\n"
        "try: main(['collector', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pydantic', 'yaml', 'pyarrow', 'grpc', 'opentelemetry', 'prometheus_client'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert "print-config" in done.stdout


def test_a_reader_that_stops_early_is_no_error() -> None:
    """``print-config | head`` ends without a traceback."""
    Path("otel-config.yaml").write_text(fake_components.BASE)
    script = (
        "import sys\n"
        "from agenttracer.collector import components\n"
        "from agenttracer.collector.cli.main import main\n"
        "from tests import fake_components\n"
        "components.BUILT_IN = fake_components.BUILT_IN\n"
        "sys.exit(main(['collector', 'print-config']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()

    assert b"" == process.stderr.read()
    process.stderr.close()
    assert 1 == process.wait()
