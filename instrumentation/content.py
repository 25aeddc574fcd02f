"""What may leave the process as metadata: numbers, booleans and short labels. The rest is refused.

    step.add_metadata({"result_count": 10, "cached": True, "tier": "gold"})    # sent
    step.add_metadata({"question": "Where is my parcel?"})                     # one warning, nothing sent

A refusal is warned about once a key; the warning names the key, never the value.
"""

import math
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from numbers import Integral, Real
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID

from agenttracer.instrumentation.guard import warn_once
from agenttracer.schemas import semconv

Value = bool | int | float | str | tuple[str, ...]
Scalar = bool | int | float | str

_INT64: Final = range(-(2**63), 2**63)  # OTLP has no larger integer, and one would lose its whole batch
# As the collector wants an attribute's name to be: what it would drop is better refused here, where it is seen.
_KEY = re.compile(r"(?=.{1,64}$)[a-z][a-z0-9_]*(?:[.-][a-z0-9_]+){0,5}")
# ASCII and no blank: a sentence has blanks, and in scripts without blanks it has other letters.
_LABEL = re.compile(r"[A-Za-z0-9_.:/+-]{1,128}")
# At most four words: a sentence is not a name.
_NAME = re.compile(r"[\w.:/@+()#-]{1,128}(?: [\w.:/@+()#-]{1,64}){0,3}")
_NUMBER = re.compile(r"[+(]?\d[\d .()/-]{6,}")  # of a phone, card, account or machine
_ISO_DATE = re.compile(r"\d{4}-\d\d(?:-\d\d)?")
_PRIVATE = re.compile(
    r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"  # an e-mail address
    r"|\b(?:sk|pk|rk)[-_](?=[\w-]*\d)[\w-]{16,}|\bgh[pousr]_\w{20,}"  # keys of model providers, GitHub
    r"|\bAKIA[0-9A-Z]{12,}|\bAIza[\w-]{20,}|\bxox[abeprs]-|\beyJ[\w-]{8,}\."  # AWS, Google, Slack; JWTs
)


class WellKnown(NamedTuple):
    """A metadata key that has a name of its own in the conventions."""

    attribute: str
    kind: Literal["count", "number", "name", "label", "labels"]


WELL_KNOWN: Final = {
    "attempt": WellKnown(semconv.AGENT_STEP_ATTEMPT, "count"),
    "http_status": WellKnown(semconv.HTTP_RESPONSE_STATUS_CODE, "count"),
    "result_count": WellKnown(semconv.AGENT_RETRIEVAL_DOCUMENT_COUNT, "count"),
    "model": WellKnown(semconv.GEN_AI_REQUEST_MODEL, "name"),
    "response_model": WellKnown(semconv.GEN_AI_RESPONSE_MODEL, "name"),
    "provider": WellKnown(semconv.GEN_AI_PROVIDER_NAME, "label"),
    "input_tokens": WellKnown(semconv.GEN_AI_USAGE_INPUT_TOKENS, "count"),
    "output_tokens": WellKnown(semconv.GEN_AI_USAGE_OUTPUT_TOKENS, "count"),
    "cache_read_tokens": WellKnown(semconv.GEN_AI_USAGE_CACHE_READ_TOKENS, "count"),
    "cache_write_tokens": WellKnown(semconv.GEN_AI_USAGE_CACHE_WRITE_TOKENS, "count"),
    "reasoning_tokens": WellKnown(semconv.GEN_AI_USAGE_REASONING_TOKENS, "count"),
    "finish_reason": WellKnown(semconv.GEN_AI_RESPONSE_FINISH_REASONS, "labels"),
    "prompt_name": WellKnown(semconv.GEN_AI_PROMPT_NAME, "name"),
    "prompt_version": WellKnown(semconv.GEN_AI_PROMPT_VERSION, "label"),
    "prompt_hash": WellKnown(semconv.AGENT_PROMPT_HASH, "label"),
    "max_tokens": WellKnown(semconv.GEN_AI_REQUEST_MAX_TOKENS, "count"),
    "tool_call_id": WellKnown(semconv.GEN_AI_TOOL_CALL_ID, "label"),
    "tool_type": WellKnown(semconv.GEN_AI_TOOL_TYPE, "label"),
    "temperature": WellKnown(semconv.GEN_AI_REQUEST_TEMPERATURE, "number"),
    "seed": WellKnown(semconv.GEN_AI_REQUEST_SEED, "count"),
}
"""What ``step.add_metadata`` puts under a standard name; other keys go under ``agent.step.metadata.``."""


def is_label(text: str) -> bool:
    """Whether a string is enum-like: up to 128 ASCII characters, no blank, nothing personal or secret."""
    number = _NUMBER.fullmatch(text) is not None and _ISO_DATE.fullmatch(text) is None
    return is_identifier(text) and not number


def is_identifier(text: str) -> bool:
    """Whether a string may be a run's id: as a label, but a number will do."""
    return _LABEL.fullmatch(text) is not None and _PRIVATE.search(text) is None


def is_name(text: str) -> bool:
    """Whether a string may name an agent, step, tool, model or file: up to four words, in any script."""
    return _NAME.fullmatch(text) is not None and not _NUMBER.fullmatch(text) and not _PRIVATE.search(text)


def name_or(text: object, fallback: str, what: str) -> str:
    """``text`` when it may be a name, else ``fallback`` and one warning about ``what``."""
    if isinstance(text, str) and is_name(str(text)):
        return str(text)
    warn_once(f"name:{what}", "agenttracer: a %s was refused: not a name of up to four words", what)
    return fallback


def hashed_id(value: object, what: str) -> str | None:
    """The id of a user or conversation, which the collector hashes; None and one warning if it is none."""
    if isinstance(value, str | UUID | int) and not isinstance(value, bool):
        text = str(value)
        if 0 < len(text) <= 256 and text.isprintable():
            return text
    warn_once(f"id:{what}", "agenttracer: %s was refused: not an id of up to 256 printable characters", what)
    return None


def scalar(value: object) -> Scalar | None:
    """A number, boolean or label as a plain Python value; None when it is none of these."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value) if int(value) in _INT64 else None
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str) and is_label(str(value)):
        return str(value)
    return None


def _well_known_value(value: object, kind: str) -> Value | None:
    if kind == "name":
        return str(value) if isinstance(value, str) and is_name(str(value)) else None
    plain = scalar(value)
    if kind == "count":
        return plain if isinstance(plain, int) and not isinstance(plain, bool) and plain >= 0 else None
    if kind == "number":
        return plain if isinstance(plain, int | float) and not isinstance(plain, bool) else None
    if not isinstance(plain, str):
        return None
    return (plain,) if kind == "labels" else plain


def labels(values: object, what: str) -> tuple[str, ...]:
    """Those of the values that are labels; one warning about ``what`` for the rest."""
    given = [values] if isinstance(values, str) else list(values) if isinstance(values, Iterable) else []
    kept = tuple(str(value) for value in given if isinstance(value, str) and is_label(str(value)))
    if len(kept) < len(given):
        warn_once(f"labels:{what}", "agenttracer: some %s were refused: not labels", what)
    return kept


def metadata_attributes(
    metadata: Mapping[Any, object], prefix: str, well_known: Mapping[str, WellKnown] = WELL_KNOWN
) -> dict[str, Value]:
    """The span attributes of metadata; what may not leave is left out, with one warning a key."""
    attributes: dict[str, Value] = {}
    for key, value in metadata.items():
        if value is None:
            continue
        if not isinstance(key, str) or _KEY.fullmatch(key) is None:
            warn_once(f"{prefix}:", "agenttracer: a metadata key was refused: not a short name")
            continue
        known = well_known.get(key)
        plain = _well_known_value(value, known.kind) if known else scalar(value)
        if plain is None:
            warn_once(
                f"{prefix}:{key}",
                "agenttracer: metadata %r was refused: %s",
                key,
                f"its value must be a {known.kind.removesuffix('s')}"
                if known
                else "only numbers, booleans and short labels are sent",
            )
            continue
        attributes[known.attribute if known else f"{prefix}.{key}"] = plain
    return attributes
