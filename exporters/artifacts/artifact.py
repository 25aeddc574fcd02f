"""What an artifact is to the stores, and how artifacts are read out of a batch of log records."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from agenttracer.collector.errors import Rejected
from agenttracer.schemas.batch import Batch, Kind, Place, Signal
from agenttracer.schemas.semconv import (
    AGENT_ARTIFACT_CONTENT_TYPE,
    AGENT_ARTIFACT_KEY,
    AGENT_ARTIFACT_META,
    AGENT_ARTIFACT_SHA256,
    EventName,
)

_BODY_KEY = ""
_READ = (
    _BODY_KEY,
    AGENT_ARTIFACT_KEY,
    AGENT_ARTIFACT_SHA256,
    AGENT_ARTIFACT_CONTENT_TYPE,
    AGENT_ARTIFACT_META,
)
_PART = r"(?!\.)[A-Za-z0-9._-]{1,128}"
_KEY = re.compile(rf"(?!.*\.\.){_PART}(?:/{_PART}){{4}}")
_CONTENT_TYPE = re.compile(r"[a-z0-9.+-]{1,80}/[a-z0-9.+-]{1,80}(; ?charset=[a-z0-9-]{1,40})?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, repr=False)
class Artifact:
    """One object: its key ``tenant/agent/run/uuid/name``, its content and what is known about it."""

    key: str
    content: bytes
    sha256: str
    content_type: str
    meta: str = ""

    def check(self) -> None:
        """Raises ``Rejected`` for an artifact that no store may take."""
        if not self.key:
            raise Rejected(
                "an artifact has no key: add the artifact_keys processor to the logs pipeline",
                reason="artifact_without_key",
            )
        if not is_key(self.key):
            raise Rejected("an artifact's key is malformed", reason="artifact_key_malformed")
        if hashlib.sha256(self.content).hexdigest() != self.sha256:
            raise Rejected("an artifact's content doesn't match its sha256", reason="artifact_hash_mismatch")


def is_key(text: str) -> bool:
    """Whether it has the form of a key, and so stays inside a store."""
    return _KEY.fullmatch(text) is not None


class Store(ABC):
    """Where artifacts rest; all methods block."""

    @abstractmethod
    def open(self) -> None:
        """Check that objects can be stored; raises ``StartError``."""

    @abstractmethod
    def put(self, artifact: Artifact) -> None:
        """Durable on return; the same content again is done at once.

        Raises ``Rejected`` if another content has the key, ``Unavailable`` to be tried again.
        """


def conflict() -> Rejected:
    """The refusal of another content under a key that is taken."""
    return Rejected("another content is stored under the artifact's key", reason="artifact_key_taken")


def read_contents(batch: Batch) -> list[Artifact]:
    """The content that redaction kept on purpose and took out of the rows."""
    contents = batch.tables.get("contents")
    if contents is None:
        return []
    # A loop over objects: each is written on its own anyway.
    found = []
    for key, text in zip(contents["Key"].to_pylist(), contents["Content"].to_pylist(), strict=True):
        content = text.encode()
        found.append(Artifact(key, content, hashlib.sha256(content).hexdigest(), "application/json"))
    return found


def read_artifacts(batch: Batch) -> list[Artifact]:
    """The artifacts of a batch of logs, in order; a record without a body has nothing to store."""
    if batch.signal is not Signal.LOGS:
        return []
    is_artifact = pc.equal(batch.rows["EventName"], EventName.ARTIFACT.value)
    if not is_artifact.true_count:
        return []
    owners = np.flatnonzero(is_artifact.fill_null(False).to_numpy(zero_copy_only=False))
    found = _attributes_of(batch.attributes, pa.array(owners, pa.int32()))
    # A loop over artifacts alone: they are rare, and each becomes an object of its own anyway.
    return [_artifact(found[owner]) for owner in owners.tolist() if _BODY_KEY in found[owner]]


def _attributes_of(attributes: pa.RecordBatch, owners: pa.Array) -> dict[int, dict[str, dict[str, Any]]]:
    """Owner → key → attribute of these rows; the body has the empty key."""
    keys = attributes["key"]
    wanted = pc.is_in(keys.dictionary, pa.array(_READ)).take(keys.indices)
    places = pc.is_in(attributes["place"], pa.array([int(Place.ROW), int(Place.BODY)], pa.uint8()))
    mask = pc.and_(pc.and_(places, pc.is_in(attributes["owner"], owners)), wanted)
    found: dict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    for attribute in attributes.filter(mask).to_pylist():
        if (attribute["key"] == _BODY_KEY) == (attribute["place"] == Place.BODY):
            found[attribute["owner"]][attribute["key"]] = attribute
    return found


def _artifact(attributes: dict[str, dict[str, Any]]) -> Artifact:
    def text(key: str) -> str:
        return attributes.get(key, {}).get("string") or ""

    body = attributes[_BODY_KEY]
    content_type = text(AGENT_ARTIFACT_CONTENT_TYPE)
    is_binary = body["kind"] == Kind.BYTES
    default_type = "application/octet-stream" if is_binary else "text/plain; charset=utf-8"
    return Artifact(
        key=text(AGENT_ARTIFACT_KEY),
        content=(body["bytes"] or b"") if is_binary else (body["string"] or "").encode(),
        sha256=text(AGENT_ARTIFACT_SHA256),
        content_type=content_type if _CONTENT_TYPE.fullmatch(content_type) else default_type,
        meta=text(AGENT_ARTIFACT_META),
    )
