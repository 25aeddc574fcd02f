"""What an operator can say about privacy: one model, for the whole collector, a tenant or an agent.

    processors:
      redaction:
        mode: strict                          # strict | labels | custom
        allowed_keys: [my.team]
        blocked_key_patterns: ['.*password.*']
        overrides:
          - tenants: [acme]
            mode: labels

The names and meanings of the Collector's redaction processor hold; the options it lacks stand beside them.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field, SecretStr, field_validator, model_validator

from agenttracer.collector.component import Options
from agenttracer.collector.privacy.detectors import Detectors


class Mode(StrEnum):
    """Which strings may stay under keys that the operator didn't name."""

    STRICT = "strict"  # those of the built-in allow-list
    LABELS = "labels"  # and, under every other well-formed key, what passes as a label
    CUSTOM = "custom"  # none: the operator's keys alone decide, as in the Collector


class Content(StrEnum):
    """What becomes of prompts, responses, arguments and documents."""

    DROP = "drop"
    ARTIFACT = "artifact"


class Summary(StrEnum):
    """Whether ``redaction.*`` attributes tell what was done."""

    DEBUG = "debug"  # counts and keys
    INFO = "info"  # counts
    SILENT = "silent"


HashFunction = Literal["", "md5", "sha1", "sha3", "hmac-sha256", "hmac-sha512"]
_HMAC_KEY_BYTES = {"hmac-sha256": 32, "hmac-sha512": 64}


class Sanitizer(Options):
    """One of the sanitizers, for some attributes."""

    enabled: bool = Field(default=False, description="Whether it is on.")
    attributes: tuple[str, ...] = Field(default=(), description="Keys of the attributes it works on.")


class UrlSanitizer(Sanitizer):
    """Takes queries, credentials and the variable parts of paths out of URLs."""

    sanitize_span_name: bool = Field(
        default=True, description="Accepted; span names are always rewritten from allowed parts."
    )


class DbSanitizer(Options):
    """Takes the literals out of statements, engine by engine."""

    sql: Sanitizer = Field(default_factory=Sanitizer, description="SQL statements.")
    redis: Sanitizer = Field(default_factory=Sanitizer, description="Redis commands.")
    valkey: Sanitizer = Field(default_factory=Sanitizer, description="Valkey commands.")
    memcached: Sanitizer = Field(default_factory=Sanitizer, description="Memcached commands.")
    mongo: Sanitizer = Field(default_factory=Sanitizer, description="MongoDB commands, in JSON.")
    opensearch: Sanitizer = Field(default_factory=Sanitizer, description="OpenSearch queries, in JSON.")
    es: Sanitizer = Field(default_factory=Sanitizer, description="Elasticsearch queries, in JSON.")
    sanitize_span_name: bool = Field(
        default=True, description="Accepted; span names are always rewritten from allowed parts."
    )
    allow_fallback_without_system: bool = Field(
        default=False, description="Accepted; attributes are chosen by key, not by db.system."
    )


class KeyRule(Options):
    """What happens to the attributes of some keys; the first rule that fits decides."""

    keys: tuple[str, ...] = Field(default=(), description="Keys, as they are.")
    key_patterns: tuple[str, ...] = Field(default=(), description="Regular expressions of keys.")
    action: Literal["keep", "label", "name", "hash", "mask", "drop"] = Field(
        description="keep: any text, detectors masking; label, name: what passes as one; hash, mask, drop."
    )

    @model_validator(mode="after")
    def _names_keys(self) -> Self:
        if not (self.keys or self.key_patterns):
            raise ValueError("must name keys or key_patterns")
        return self

    @field_validator("key_patterns")
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return _compiling(patterns)


class PolicyOptions(Options):
    """A policy: everything that can differ between tenants and agents."""

    mode: Mode = Field(
        default=Mode.STRICT,
        description="strict: the built-in allow-list; labels: and whatever passes as a label; "
        "custom: only the keys named here.",
    )
    content: Content = Field(
        default=Content.DROP,
        description="What happens to prompts, responses and documents: drop, or artifact, which stores them "
        "masked in the artifact store and a reference to them with the span.",
    )
    allow_all_keys: bool = Field(
        default=False, description="Keep text under every key; detectors and blocked_values still mask."
    )
    allowed_keys: tuple[str, ...] = Field(
        default=(), description="Keys whose text is kept; detectors and blocked_values still mask."
    )
    allowed_key_patterns: tuple[str, ...] = Field(default=(), description="The same, by regular expressions.")
    ignored_keys: tuple[str, ...] = Field(
        default=(), description="Keys whose values are kept as they are, unchecked."
    )
    ignored_key_patterns: tuple[str, ...] = Field(default=(), description="The same, by regular expressions.")
    blocked_key_patterns: tuple[str, ...] = Field(
        default=(),
        description="Regular expressions; the values of keys that match are masked whole, nested ones too.",
    )
    allowed_values: tuple[str, ...] = Field(
        default=(), description="Regular expressions; a value that matches is not masked."
    )
    blocked_values: tuple[str, ...] = Field(
        default=(), description="Regular expressions; what matches in a value or a name is masked."
    )
    redact_all_types: bool = Field(
        default=False, description="Look for blocked_values in numbers and booleans too."
    )
    hash_function: HashFunction = Field(
        default="", description="Hash what is blocked instead of masking it: md5, sha1, sha3 or hmac-*."
    )
    hmac_key: SecretStr | None = Field(
        default=None, description="Key of the hmac hash functions: at least 32 bytes, for sha512 64."
    )
    url_sanitizer: UrlSanitizer = Field(default_factory=UrlSanitizer, description="URLs without data.")
    db_sanitizer: DbSanitizer = Field(default_factory=DbSanitizer, description="Statements without data.")
    rules: tuple[KeyRule, ...] = Field(default=(), description="Actions for keys; they come first.")
    detectors: tuple[str, ...] | None = Field(
        default=None, description="The detectors that are on; by default all but the IP addresses'."
    )
    extra_detectors: dict[str, str] = Field(
        default_factory=dict, description="More detectors: a name and a regular expression (RE2)."
    )

    @field_validator(
        "allowed_key_patterns",
        "ignored_key_patterns",
        "blocked_key_patterns",
        "allowed_values",
        "blocked_values",
    )
    @classmethod
    def _patterns_compile(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        return _compiling(patterns)

    @model_validator(mode="after")
    def _detectors_are_known(self) -> Self:
        _compiling(tuple(self.extra_detectors.values()))
        Detectors(self.detectors, self.extra_detectors)
        return self

    @model_validator(mode="after")
    def _key_fits_the_hash(self) -> Self:
        needed = _HMAC_KEY_BYTES.get(self.hash_function, 0)
        held = len(self.hmac_key.get_secret_value().encode()) if self.hmac_key else 0
        if held < needed:
            raise ValueError(f"{self.hash_function} needs an hmac_key of at least {needed} bytes")
        return self


class Override(PolicyOptions):
    """The options that differ for some tenants or agents; the others are the processor's."""

    tenants: tuple[str, ...] = Field(default=(), description="Tenants it is for; none: all.")
    agents: tuple[str, ...] = Field(default=(), description="Names of agents it is for; none: all.")

    @model_validator(mode="after")
    def _is_for_somebody(self) -> Self:
        if not (self.tenants or self.agents):
            raise ValueError("must name tenants or agents")
        return self


class RedactionOptions(PolicyOptions):
    """Options of ``redaction``."""

    key_file: Path = Field(
        default=Path("./data/keys/redaction.key"),
        description="Keys of the hashes of users and sessions, made on first use; deleting it makes them unlinkable.",
    )
    max_names: int = Field(
        default=2000,
        ge=1,
        description="Distinct names of tools, of agents, of models and of steps that a tenant may bring; "
        "more are hashed.",
    )
    summary: Summary = Field(
        default=Summary.SILENT,
        description="redaction.* attributes: silent, info (counts) or debug (counts and keys).",
    )
    overrides: tuple[Override, ...] = Field(
        default=(), description="Other policies for some tenants or agents; the first that fits is taken."
    )

    def policy_for(self, override: Override | None) -> PolicyOptions:
        """The policy of an override, or the processor's own."""
        own = {name: getattr(self, name) for name in PolicyOptions.model_fields}
        if override is not None:
            own |= {name: getattr(override, name) for name in override.model_fields_set if name in own}
        return PolicyOptions(**own)


def _compiling(patterns: tuple[str, ...]) -> tuple[str, ...]:
    for pattern in patterns:
        try:
            # RE2, as in the Collector: no look-around, no back references, and no pattern that takes for ever.
            pc.match_substring_regex(pa.array([""]), pattern)
        except pa.ArrowInvalid:
            raise ValueError("must be regular expressions in RE2's syntax") from None
    return patterns
