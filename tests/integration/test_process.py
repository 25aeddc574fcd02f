"""The process: it starts or says why not in one sentence, reloads, and stops without losing a row."""

import signal
import socket
import time
from pathlib import Path

import pytest

from agenttracer.schemas.batch import Signal
from tests.otlp_traces import request, span
from tests.running_collector import CONFIG, RunningCollector, running_collector


def body(name: str = "x") -> bytes:
    return request(span(name)).SerializeToString()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_drains_and_ends_with_zero(tmp_path: Path, number: signal.Signals) -> None:
    """What waits is stored before the process ends, though its batch was not full yet."""
    waiting = "exporters.clickhouse.sending_queue.batch={flush_timeout: 1h, min_size: 50000}"
    with running_collector(tmp_path, "--config", str(CONFIG), "--set", waiting) as collector:
        collector.export(Signal.TRACES, body())
        started = time.monotonic()
        collector.signal(number)

        assert collector.wait() == 0
        assert time.monotonic() - started < 30
    assert collector.query("SELECT count() FROM otel_traces") == [[[1]]]
    assert "Traceback" not in collector.log()


def test_a_reload_takes_the_new_configuration(tmp_path: Path) -> None:
    """After SIGHUP the changed file is in force, without a lost row; a broken one changes nothing."""
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG.read_text())
    with running_collector(tmp_path, "--config", str(config)) as collector:
        collector.export(Signal.TRACES, body("before"))
        config.write_text(
            CONFIG.read_text().replace("level: INFO", "level: DEBUG").replace("ttl: 720h", "ttl: 48h")
        )

        collector.signal(signal.SIGHUP)
        wait_for_line(collector, "reloaded")
        collector.export(Signal.TRACES, body("after"))
        config.write_text("receivers: {nonsense: {}}")
        collector.signal(signal.SIGHUP)
        wait_for_line(collector, "not reloaded, the running configuration stays")
        collector.export(Signal.TRACES, body("still"))

        assert collector.stop() == 0
    assert collector.query("SELECT count() FROM otel_traces") == [[[3]]]


def wait_for_line(collector: RunningCollector, words: str) -> None:
    deadline = time.monotonic() + 30
    while words not in collector.log():
        assert time.monotonic() < deadline, collector.log()
        time.sleep(0.05)


def failing(collector: RunningCollector) -> str:
    """The sentence with which a collector that can't start ends."""
    collector.launch()
    assert collector.wait() == 1
    printed = collector.log()
    assert "Traceback" not in printed
    last = printed.strip().splitlines()[-1]
    assert last.startswith("agenttracer: ")
    return last


@pytest.mark.parametrize("port", ["grpc", "http", "prometheus", "health"])
def test_a_port_in_use_is_one_sentence(tmp_path: Path, port: str) -> None:
    """Whoever listens already, the operator hears which address it is."""
    collector = RunningCollector(tmp_path)
    with socket.create_server(("127.0.0.1", collector.ports[port])):
        assert str(collector.ports[port]) in failing(collector)


def test_a_second_collector_on_the_same_data_is_one_sentence(tmp_path: Path) -> None:
    """Two processes can't own one journal."""
    with running_collector(tmp_path / "one") as first:
        second = RunningCollector(tmp_path, environment={"AGENTTRACER_DATA_DIR": str(first.data)})

        assert "is in use by another collector" in failing(second)


def test_a_store_that_another_process_opened_is_one_sentence(tmp_path: Path) -> None:
    """A journal of its own does not help a collector whose store is taken."""
    with running_collector(tmp_path / "one") as first:
        store = f"chdb://{first.data}/clickhouse"
        second = RunningCollector(tmp_path, environment={"AGENTTRACER_CLICKHOUSE_ENDPOINT": store})

        assert str(first.data / "clickhouse") in failing(second)


def test_an_unusable_data_folder_is_one_sentence(tmp_path: Path) -> None:
    """A file where the folder should be is named."""
    (tmp_path / "data").write_text("a file")

    assert str(tmp_path / "data" / "journal") in failing(RunningCollector(tmp_path))


def test_a_wrong_configuration_is_one_sentence(tmp_path: Path) -> None:
    """File, path and fix, and nothing was started."""
    config = tmp_path / "config.yaml"
    config.write_text(
        CONFIG.read_text().replace("exporters: [clickhouse, prometheus]", "exporters: [clickhose]", 1)
    )

    sentence = failing(RunningCollector(tmp_path, "--config", str(config)))

    assert "config.yaml" in sentence
    assert 'service::pipelines::traces: references exporter "clickhose" which is not configured' in sentence
    assert not (tmp_path / "data").exists()
