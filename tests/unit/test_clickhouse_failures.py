"""What an error of ClickHouse means for the rows."""

from __future__ import annotations

from typing import Any

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError
from pydantic import ValidationError

from agenttracer.collector.errors import Rejected, Unavailable
from agenttracer.exporters.clickhouse import ClickHouseOptions
from agenttracer.exporters.clickhouse.failures import failure

CANARY = "the user's secret"


def error(code: int | None, name: str | None) -> DatabaseError:
    """As clickhouse-connect raises it, quoting a row."""
    return DatabaseError(f"Code: {code}. DB::Exception: {CANARY} ({name})", code=code, name=name)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (16, "NO_SUCH_COLUMN_IN_TABLE"),
        (47, "UNKNOWN_IDENTIFIER"),
        (53, "TYPE_MISMATCH"),
        (60, "UNKNOWN_TABLE"),
        (117, "INCORRECT_DATA"),
        (131, "TOO_LARGE_STRING_SIZE"),
    ],
)
def test_rows_that_do_not_fit_are_rejected(code: int, name: str) -> None:
    """No repetition helps; the counter's label has the number."""
    told = failure(error(code, name), "otel_logs", 7)
    assert isinstance(told, Rejected)
    assert f"clickhouse_{code}" == told.reason
    assert f"ClickHouse: error {code} ({name}) for 7 rows of otel_logs" == str(told)


@pytest.mark.parametrize(
    ("code", "seconds"),
    [
        *((code, 1) for code in (159, 164, 209, 210, 241, 242, 497, 516, 999, 1002)),
        *((code, 10) for code in (202, 243, 252)),
    ],
)
def test_what_passes_or_an_operator_can_mend_is_tried_again(code: int, seconds: float) -> None:
    """Later, where a second is too short."""
    told = failure(error(code, "SOME_NAME"), "otel_logs", 7)
    assert isinstance(told, Unavailable)
    assert seconds == told.retry_after_seconds


def test_no_answer_is_tried_again() -> None:
    """A network error has no code."""
    told = failure(OperationalError(f"Error {CANARY}"), "otel_logs", 7)
    assert isinstance(told, Unavailable)
    assert "ClickHouse: no answer (OperationalError) for 7 rows of otel_logs" == str(told)


@pytest.mark.parametrize("name", [None, CANARY, "lower"])
def test_messages_never_quote_the_server(name: str | None) -> None:
    """Only a number and what can only be an error's name."""
    assert "ClickHouse: error 1 for 7 rows of otel_logs" == str(failure(error(1, name), "otel_logs", 7))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": "chdb://"}, "must be chdb://FOLDER"),
        ({"endpoint": "localhost:9000"}, "must be chdb://FOLDER"),
        ({"endpoint": "tcp://localhost:9000"}, "give its HTTP port: http://host:8123"),
        ({"endpoint": "http://localhost:8123/other"}, "must end with the port"),
        ({"endpoint": "http://me:secret@localhost:8123"}, "must end with the port"),
        ({"endpoint": "https://localhost", "tls": {"cert_file": "a.pem"}}, "both cert_file and key_file"),
        ({"endpoint": "http://localhost", "table_engine": {"name": "Log"}}, "should match pattern"),
        ({"endpoint": "http://localhost", "async_insert": True}, "Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_options_that_can_not_work_are_refused(options: dict[str, Any], message: str) -> None:
    """Before anything starts, in words that say what to write."""
    with pytest.raises(ValidationError, match=message):
        ClickHouseOptions.model_validate(options)


def test_the_defaults_are_for_parts_of_a_good_size() -> None:
    """An insert is a part, and each has its price."""
    options = ClickHouseOptions(endpoint="chdb://data")
    batch = options.sending_queue.batch
    assert (1.0, 10_000, 50_000) == (batch.flush_timeout, batch.min_size, batch.max_size)
    assert (720 * 3600, 60) == (options.ttl, options.timeout)
