"""How exceptions become failure codes, by class, status and cause, and never by text."""

import asyncio
import json
import socket

import pytest
from pydantic import BaseModel, ValidationError

from agenttracer.instrumentation import guard
from agenttracer.instrumentation.failures import error_type, failure_code, http_status, is_cancellation
from agenttracer.schemas.semconv import FailureCode


@pytest.fixture(autouse=True)
def _fresh_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_warned", set())


class Response:
    """What HTTP clients hang on their exceptions."""

    def __init__(self, status_code: object) -> None:
        self.status_code = status_code


class StatusError(Exception):
    """A client's exception with a response."""

    def __init__(self, status_code: object) -> None:
        super().__init__("alice")
        self.response = Response(status_code)


class RateLimitError(Exception):
    """As model clients name it."""


class Hostile(Exception):
    """An exception whose attributes raise."""

    @property
    def status_code(self) -> int:
        """Raises."""
        raise RuntimeError("alice")


def _invalid() -> ValidationError:
    class Model(BaseModel):
        count: int

    try:
        Model.model_validate({"count": "alice"})
    except ValidationError as error:
        return error
    raise AssertionError


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), FailureCode.TIMEOUT),
        (asyncio.CancelledError(), FailureCode.CANCELLED),
        (ConnectionRefusedError(), FailureCode.CONNECTION),
        (socket.gaierror(), FailureCode.CONNECTION),
        (PermissionError(), FailureCode.AUTH),
        (FileNotFoundError(), FailureCode.NOT_FOUND),
        (json.JSONDecodeError("alice", "alice", 0), FailureCode.SCHEMA_INVALID),
        (_invalid(), FailureCode.SCHEMA_INVALID),
        (RecursionError(), FailureCode.MAX_STEPS),
        (RateLimitError(), FailureCode.RATE_LIMITED),
        (StatusError(429), FailureCode.RATE_LIMITED),
        (StatusError(401), FailureCode.AUTH),
        (StatusError(404), FailureCode.NOT_FOUND),
        (StatusError(422), FailureCode.INVALID_REQUEST),
        (StatusError(503), FailureCode.SERVER_ERROR),
        (StatusError(504), FailureCode.TIMEOUT),
        (StatusError("429"), FailureCode.ERROR),
        (_caused(RuntimeError("x"), TimeoutError()), FailureCode.TIMEOUT),
        (_caused(RuntimeError("x"), _caused(ValueError("y"), StatusError(429))), FailureCode.RATE_LIMITED),
        (ExceptionGroup("g", [TimeoutError(), TimeoutError()]), FailureCode.TIMEOUT),
        (ExceptionGroup("g", [TimeoutError(), ConnectionError()]), FailureCode.ERROR),
        (ValueError("timeout 429 rate limit"), FailureCode.ERROR),
        (Hostile(), FailureCode.ERROR),
    ],
)
def test_class_status_and_cause_decide(error: BaseException, expected: FailureCode) -> None:
    """The nearest known class, else the HTTP status, else the cause; the text is never read."""
    assert expected is failure_code(error)


def test_the_http_status_is_that_of_the_exception_or_its_response() -> None:
    """An integer between 100 and 599, or nothing."""
    assert [503, None, None, None] == [
        http_status(error) for error in (StatusError(503), StatusError(7), StatusError(None), ValueError())
    ]


def test_a_class_name_that_may_be_content_is_other() -> None:
    """Classes made at run time may have any name."""
    made = type("no order for alice", (Exception,), {})

    assert ("ValueError", "_OTHER") == (error_type(ValueError()), error_type(made()))


def test_a_loop_of_causes_ends() -> None:
    """Exceptions may cause each other in a circle."""
    error = ValueError()
    error.__cause__ = error

    assert FailureCode.ERROR is failure_code(error)


def test_only_interruptions_are_cancellations() -> None:
    """A timeout is a failure, as is a program that exits with an error."""
    errors = (asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit(), TimeoutError(), SystemExit(1))

    assert [True, True, True, False, False] == [is_cancellation(error) for error in errors]
