"""Log lines are the collector's own words."""

import json
import logging
from collections.abc import Iterator

import pytest

from agenttracer.collector.config.model import ServiceTelemetry
from agenttracer.collector.logs import configure_logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root, own = logging.getLogger(), logging.getLogger("agenttracer")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level, own.level = before


def test_what_libraries_say_is_withheld(capsys: pytest.CaptureFixture[str]) -> None:
    """A library's warning shows where it came from; its message and its traceback do not."""
    configure_logs(ServiceTelemetry())
    try:
        raise ValueError("CANARY")
    except ValueError:
        logging.getLogger("somelibrary.module").exception("choked on %s", "CANARY")

    printed = capsys.readouterr().err
    assert "CANARY" not in printed
    assert "somelibrary.module: error at test_logs.py" in printed


def test_own_lines_are_json_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """With the JSON encoding each line is an object."""
    configure_logs(ServiceTelemetry.model_validate({"logs": {"encoding": "json"}}))

    logging.getLogger("agenttracer.test").info("ready after %d s", 3)

    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"], line["message"]) == ("INFO", "agenttracer.test", "ready after 3 s")
