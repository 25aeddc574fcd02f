"""What a library's failure is, read from an exception or a text in memory; the text itself goes nowhere.

RateLimitError("…")                               rate_limited   by class, status or cause
Exception("HTTP 429 …"), "Error: timed out …"     by the collector's own table of evidence
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from agenttracer.instrumentation.content import is_label
from agenttracer.instrumentation.failures import error_type, failure_code, http_status
from agenttracer.schemas.failures import EVIDENCE_RULES
from agenttracer.schemas.semconv import FailureCode

_MAX_TEXT = 2000  # evidence stands at the beginning; a message can be a whole document


@dataclass(frozen=True)
class Failure:
    """A failure without its text."""

    code: FailureCode
    error_type: str
    http_status: int | None = None


def failure_of(error: BaseException) -> Failure:
    """The failure that an exception is."""
    code = failure_code(error)
    if code is FailureCode.ERROR:
        try:
            text = str(error)
        except Exception:  # somebody else's __str__
            text = ""
        code = code_of_text(f"{type(error).__name__}\n{text}")
    return Failure(code, error_type(error), http_status(error))


def failure_of_text(text: object, error_type: str | None = None) -> Failure:
    """The failure that a library's words describe."""
    code = code_of_text(f"{error_type or ''}\n{text if isinstance(text, str) else ''}")
    named = error_type if error_type and is_label(error_type) else code.value
    return Failure(code, named)


def code_of_text(text: str) -> FailureCode:
    """The first rule of the evidence table that a text matches."""
    for code, pattern in _rules():
        if pattern.search(text[:_MAX_TEXT]):
            return code
    return FailureCode.ERROR


@cache
def _rules() -> tuple[tuple[FailureCode, re.Pattern[str]], ...]:
    return tuple((FailureCode(rule.code), re.compile(rule.pattern, re.IGNORECASE)) for rule in EVIDENCE_RULES)
