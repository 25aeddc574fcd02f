"""What an exception says about a failure without its text: its class, its causes, an HTTP status it carries.

TimeoutError                     timeout
openai.RateLimitError            rate_limited      by name: no library is imported for it
httpx.HTTPStatusError, 503       server_error      by the status it carries
RuntimeError from TimeoutError   timeout           by its cause
"""

from typing import Final

from agenttracer.instrumentation.content import is_label
from agenttracer.instrumentation.guard import guarded, warn_once
from agenttracer.schemas.semconv import FailureCode, FailureType

_BY_CLASS: Final = {
    "APIConnectionError": FailureCode.CONNECTION,
    "APITimeoutError": FailureCode.TIMEOUT,
    "AuthenticationError": FailureCode.AUTH,
    "BadRequestError": FailureCode.INVALID_REQUEST,
    "BudgetExceededError": FailureCode.BUDGET_EXCEEDED,
    "CancelledError": FailureCode.CANCELLED,
    "ClientConnectionError": FailureCode.CONNECTION,
    "ConnectError": FailureCode.CONNECTION,
    "ConnectTimeout": FailureCode.TIMEOUT,
    "ConnectionError": FailureCode.CONNECTION,
    "ContentFilterFinishReasonError": FailureCode.CONTENT_FILTERED,
    "ContentPolicyViolationError": FailureCode.CONTENT_FILTERED,
    "ContextWindowExceededError": FailureCode.CONTEXT_LENGTH_EXCEEDED,
    "DeadlineExceeded": FailureCode.TIMEOUT,
    "FileNotFoundError": FailureCode.NOT_FOUND,
    "GeneratorExit": FailureCode.CANCELLED,
    "GraphRecursionError": FailureCode.MAX_STEPS,
    "InputGuardrailTripwireTriggered": FailureCode.GUARDRAIL_BLOCKED,
    "InternalServerError": FailureCode.SERVER_ERROR,
    "JSONDecodeError": FailureCode.SCHEMA_INVALID,
    "KeyboardInterrupt": FailureCode.CANCELLED,
    "LengthFinishReasonError": FailureCode.TRUNCATED,
    "MaxTurnsExceeded": FailureCode.MAX_STEPS,
    "ModelBehaviorError": FailureCode.SCHEMA_INVALID,
    "NotFoundError": FailureCode.NOT_FOUND,
    "OutputGuardrailTripwireTriggered": FailureCode.GUARDRAIL_BLOCKED,
    "OutputParserException": FailureCode.SCHEMA_INVALID,
    "PermissionDenied": FailureCode.AUTH,
    "PermissionDeniedError": FailureCode.AUTH,
    "PermissionError": FailureCode.AUTH,
    "RateLimitError": FailureCode.RATE_LIMITED,
    "RecursionError": FailureCode.MAX_STEPS,
    "ResourceExhausted": FailureCode.RATE_LIMITED,
    "SchemaError": FailureCode.SCHEMA_INVALID,
    "ServiceUnavailableError": FailureCode.SERVER_ERROR,
    "SSLError": FailureCode.CONNECTION,
    "Timeout": FailureCode.TIMEOUT,
    "TimeoutError": FailureCode.TIMEOUT,
    "TimeoutException": FailureCode.TIMEOUT,
    "UnexpectedModelBehavior": FailureCode.SCHEMA_INVALID,
    "UsageLimitExceeded": FailureCode.BUDGET_EXCEEDED,
    "ValidationError": FailureCode.SCHEMA_INVALID,
    "gaierror": FailureCode.CONNECTION,
}
"""A class's own name, or that of the nearest class it derives from."""

_BY_HTTP_STATUS: Final = {
    401: FailureCode.AUTH,
    402: FailureCode.QUOTA_EXCEEDED,
    403: FailureCode.AUTH,
    404: FailureCode.NOT_FOUND,
    408: FailureCode.TIMEOUT,
    413: FailureCode.CONTEXT_LENGTH_EXCEEDED,
    429: FailureCode.RATE_LIMITED,
    504: FailureCode.TIMEOUT,
}

_CODES: Final = tuple(code.value for code in FailureCode)
_TYPES: Final = tuple(kind.value for kind in FailureType)
_MAX_CAUSES: Final = 5


def error_type(error: BaseException) -> str:
    """The exception's class name; ``_OTHER`` when that could be content."""
    name = type(error).__name__
    return name if is_label(name) else "_OTHER"


def http_status(error: BaseException) -> int | None:
    """The HTTP status that an exception or its response carries, as most clients' do."""
    for carrier in (error, getattr(error, "response", None)):
        status = getattr(carrier, "status_code", None)
        if isinstance(status, int) and 100 <= status <= 599:
            return int(status)
    return None


def failure_code(error: BaseException) -> FailureCode:
    """The code for an exception; ``error`` when its class, status and causes say nothing."""
    return _evidence(error, _MAX_CAUSES) or FailureCode.ERROR


@guarded("failure_code")  # an exception's attributes may be properties, which may raise
def _evidence(error: BaseException, depth: int) -> FailureCode | None:
    status = http_status(error)
    if status is not None and status in _BY_HTTP_STATUS:
        return _BY_HTTP_STATUS[status]
    for base in type(error).__mro__:
        if base.__name__ in _BY_CLASS:
            return _BY_CLASS[base.__name__]
    if status is not None and status >= 400:
        return FailureCode.SERVER_ERROR if status >= 500 else FailureCode.INVALID_REQUEST
    if depth == 0:
        return None
    if isinstance(error, BaseExceptionGroup):
        found = {_evidence(member, depth - 1) for member in error.exceptions}
        return found.pop() if len(found) == 1 else None
    return _evidence(error.__cause__, depth - 1) if error.__cause__ is not None else None


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception means that somebody stopped the work on purpose."""
    return not isinstance(error, Exception) and failure_code(error) is FailureCode.CANCELLED


def is_clean_exit(error: BaseException) -> bool:
    """Whether an exception is how a program ends well."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


def read_failure_code(word: object) -> FailureCode:
    """The failure code that a word names; ``error`` and one warning for any other word."""
    if isinstance(word, str) and word in _CODES:
        return FailureCode(word)
    warn_once(
        "failure code", "agenttracer: an unknown failure code became error; known are %s", ", ".join(_CODES)
    )
    return FailureCode.ERROR


def read_failure_type(word: object, fallback: FailureType) -> FailureType:
    """The failure type that a word names; the fallback and one warning for any other word."""
    if isinstance(word, str) and word in _TYPES:
        return FailureType(word)
    known = ", ".join(_TYPES)
    warn_once(
        "failure type", "agenttracer: an unknown failure type became %s; known are %s", fallback.value, known
    )
    return fallback
