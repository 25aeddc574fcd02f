"""Where ClickHouse's HTTP interface listens, what it opens, who may do what, and how much."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from pydantic import Field, SecretStr, model_validator

from agenttracer.collector.component import Options, Seconds, Worker
from agenttracer.collector.endpoint import Endpoint, is_loopback


class User(Options):
    """One user of the interface."""

    password: SecretStr | None = Field(default=None, description="Its password; none if it needs none.")
    readonly: bool = Field(
        default=True, description="Whether it may only read. A user that writes needs a password."
    )

    @model_validator(mode="after")
    def _writes_with_password(self) -> Self:
        if not self.readonly and self.password is None:
            raise ValueError("a user that is not readonly must have a password")
        return self


class ClickHouseHttpOptions(Options):
    """ClickHouse's port and user names; limits that a client may lower, never raise."""

    endpoint: Endpoint = Field(default="localhost:8123", description="Where to listen, host:port.")
    path: str = Field(
        default="./data/clickhouse",
        min_length=1,
        description="Folder of the embedded store, or chdb://FOLDER; the same as the clickhouse exporter's.",
    )
    users: Mapping[str, User] = Field(
        default_factory=lambda: {"default": User()},
        description="Users by name; default is who a request without a name comes from.",
    )
    max_query_seconds: Seconds = Field(default=60.0, gt=0, description="Longest time of one query.")
    max_concurrent_queries: int = Field(
        default=8, ge=1, description="Queries at one time; one more is refused with code 202."
    )
    max_result_bytes: int = Field(
        default=1 << 30, ge=1, description="Most uncompressed bytes of one result, before formatting."
    )
    max_query_memory_bytes: int = Field(
        default=2 << 30, ge=1, description="Most memory of one query: the engine shares this process."
    )

    @model_validator(mode="after")
    def _open_to_this_machine_only(self) -> Self:
        if not is_loopback(self.endpoint):
            for name, user in self.users.items():
                if user.password is None:
                    raise ValueError(
                        f"the user {name} needs a password, because the endpoint is open to other machines"
                    )
        return self

    def for_worker(self, worker: Worker) -> Self:
        """There is one embedded store, and one process that has it."""
        raise ValueError(
            "serves the embedded store, which one process has open; run it as a process of its own"
        )

    @property
    def folder(self) -> str:
        """The store's absolute path: the engine compares paths letter by letter."""
        return os.path.realpath(self.path.removeprefix("chdb://").partition("?")[0])
