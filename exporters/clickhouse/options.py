"""Where ClickHouse is and how it is used: the Collector's names where the meaning is the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from agenttracer.collector.component import (
    ExporterOptions,
    Options,
    QueueBatch,
    Seconds,
    SendingQueue,
    Worker,
)

_EMBEDDED = "chdb://"


class TableEngine(Options):
    """The engine of the tables; the aggregating ones take its replicated or shared variant."""

    name: str = Field(
        default="MergeTree",
        pattern=r"^\w*MergeTree$",
        description="MergeTree, ReplicatedMergeTree or SharedMergeTree.",
    )
    params: str = Field(
        default="", description="The engine's parameters, as they stand between its brackets."
    )


class Tls(Options):
    """TLS towards the server, for https endpoints."""

    ca_file: str | None = Field(
        default=None, description="Authorities to trust, PEM; the system's if not set."
    )
    cert_file: str | None = Field(default=None, description="Certificate of this client, PEM.")
    key_file: str | None = Field(default=None, description="Key of that certificate, PEM.")
    insecure_skip_verify: bool = Field(
        default=False, description="Trust any certificate. Not for production."
    )


class Embedded(Options):
    """Limits of the engine inside this process, for chdb endpoints."""

    memory_limit_mib: int = Field(
        default=512,
        ge=256,
        description="Most memory for inserts, merges and queries together. The process needs 300 MB besides.",
    )
    background_threads: int = Field(
        default=1, ge=1, description="Threads that merge parts; inserts wait for more of them."
    )


class ClickHouseQueueBatch(QueueBatch):
    """Larger than the default: an insert makes a part, and parts are what costs.

    Not larger still: a row waits for the insert before its own, then for its own. At 26,000 rows a second half of
    them are queryable after 0.9 s, with 22,000 rows an insert after 1.3 s. What waits when there is more to do than
    time is taken up to ``max_size``, at half the price a row.
    """

    flush_timeout: Seconds = Field(default=1.0, description="Longest wait for more rows.")
    min_size: int = Field(default=10_000, ge=0, description="Rows that are enough to start.")


class ClickHouseQueue(SendingQueue):
    """The exporter's view of the journal."""

    batch: ClickHouseQueueBatch = Field(default_factory=ClickHouseQueueBatch, description="Batch sizes.")


class ClickHouseOptions(ExporterOptions):
    """One store: the engine in this process, a server, or a cluster."""

    endpoint: str = Field(
        description="chdb://FOLDER for ClickHouse inside this process, or http(s)://host:port of a server."
    )
    database: str = Field(default="default", min_length=1, description="Database of the tables.")
    username: str = Field(default="default", description="User of the server.")
    password: SecretStr = Field(default=SecretStr(""), description="The user's password.")
    ttl: Seconds = Field(
        default=720 * 3600.0,
        ge=0,
        description="How long rows are kept, from their own time on; 0 is for ever. Rows keep what they came with.",
    )
    create_schema: bool = Field(
        default=True, description="Make and migrate the tables; if not, they are checked."
    )
    compress: Literal["none", "lz4", "zstd"] = Field(default="lz4", description="Compression on the wire.")
    connection_params: Mapping[str, str] = Field(
        default_factory=dict,
        description="ClickHouse settings of every statement. async_insert stays off: an insert is acknowledged "
        "when it is on the disk, and known by its token when it is repeated.",
    )
    cluster_name: str = Field(
        default="", pattern=r"^[^`\\]*$", description="Make the tables ON CLUSTER of this name."
    )
    table_engine: TableEngine = Field(default_factory=TableEngine, description="Engine of the tables.")
    tls: Tls = Field(default_factory=Tls, description="TLS of https endpoints.")
    embedded: Embedded = Field(default_factory=Embedded, description="Limits of chdb endpoints.")
    sending_queue: ClickHouseQueue = Field(default_factory=ClickHouseQueue, description="Batches.")

    @field_validator("endpoint")
    @classmethod
    def _known_scheme(cls, endpoint: str) -> str:
        if endpoint.startswith(_EMBEDDED) and len(endpoint) > len(_EMBEDDED):
            return endpoint
        url = urlsplit(endpoint)
        if url.scheme in ("tcp", "clickhouse"):
            raise ValueError("names ClickHouse's native protocol; give its HTTP port: http://host:8123")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("must be chdb://FOLDER, http://host:port or https://host:port")
        if url.path.strip("/") or url.query or url.username or url.password:
            raise ValueError(
                "must end with the port; database, username, password and connection_params are options"
            )
        return endpoint

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Self:
        if bool(self.tls.cert_file) != bool(self.tls.key_file):
            raise ValueError("tls needs both cert_file and key_file, or neither")
        return self

    def for_worker(self, worker: Worker) -> Self:
        """A server takes inserts from every process, the embedded store from the one that has it open."""
        if self.folder is not None:
            raise ValueError(
                "chdb:// is open in one process only; give the endpoint of a server, http://host:8123"
            )
        return self

    @property
    def folder(self) -> str | None:
        """The embedded store's folder, absolute; None for a server."""
        if not self.endpoint.startswith(_EMBEDDED):
            return None
        return os.path.realpath(os.path.expanduser(self.endpoint.removeprefix(_EMBEDDED)))

    @property
    def url(self) -> SplitResult:
        """The server's address."""
        return urlsplit(self.endpoint)
