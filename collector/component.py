"""What a component is: three small roles, one life.

    receiver → processor → processor → (journal) → exporter
    extensions stand beside the pipelines: health, storage, authentication, query interfaces

A component is one class in one file named after its YAML name. Its options are a pydantic model
that refuses unknown keys and describes every field; its constructor only remembers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agenttracer.collector.telemetry import Telemetry
from agenttracer.schemas.batch import Batch, Signal
from agenttracer.schemas.duration import parse_duration_seconds
from agenttracer.schemas.selection import Selection

Seconds = Annotated[float, BeforeValidator(parse_duration_seconds)]
"""A Go duration in YAML (``200ms``, ``1h30m``), seconds as a float in code."""


@dataclass(frozen=True)
class Worker:
    """Which of ``count`` processes on the same ports this is, from 1 on. One that ``joins`` finds the ports open."""

    number: int = 1
    count: int = 1
    joins: bool = False


class Options(BaseModel):
    """Base of every component's options: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def for_worker(self, worker: Worker) -> Self:
        """The options in one of several processes; raises ``ValueError`` if there can be only one."""
        return self


C = TypeVar("C", bound=Options)


@dataclass(frozen=True)
class Context:
    """What the service gives a component: its full id, the self-telemetry, its neighbours."""

    id: str
    telemetry: Telemetry
    extensions: Mapping[str, Extension[Any]] = field(default_factory=dict)
    worker: Worker = Worker()


class Component(ABC, Generic[C]):
    """Anything the configuration can name."""

    options_type: ClassVar[type[Options]] = Options

    def __init__(self, options: C, context: Context) -> None:
        self.options = options
        self.context = context

    async def start(self) -> None:
        """Open what needs opening. Raises ``StartError`` with one sentence for the operator."""

    async def stop(self) -> None:
        """Flush and close. Safe before ``start``, and twice."""


@dataclass(frozen=True, slots=True)
class Request:
    """One export request as it came: ``body`` is OTLP protobuf, already decompressed."""

    signal: Signal
    body: bytes
    tenant: str
    receiver: str
    transport: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The durable answer: all rows but ``rejected_rows`` are in the journal."""

    rejected_rows: int = 0
    message: str = ""


Deliver = Callable[[Request], "Future[Accepted]"]
"""The future resolves when the journal owns the rows, or raises ``Rejected`` or ``Unavailable``."""


class Receiver(Component[C]):
    """Takes telemetry in and answers only what ``deliver`` answered."""

    def __init__(self, options: C, context: Context, deliver: Deliver) -> None:
        super().__init__(options, context)
        self.deliver = deliver


class Processor(Component[C]):
    """A pure function from batch to batch: no I/O, no waiting, the input untouched."""

    @classmethod
    def needs_exporter(cls, options: Any, signal: Signal) -> str | None:
        """The type of the exporter without which a pipeline would lose what this processor hands on."""
        return None

    def admit(self, request: Request) -> None:
        """Called before a request is decoded; raise ``Unavailable`` to refuse it cheaply."""

    @abstractmethod
    def process(self, batch: Batch) -> Batch | None:
        """Return the batch to pass on, or None when nothing of it is left."""


class RetryOnFailure(Options):
    """How an exporter's failed attempts are repeated. Data is never given up for its age."""

    initial_interval: Seconds = Field(default=1.0, description="Wait before the first retry.")
    max_interval: Seconds = Field(default=30.0, description="Longest wait between retries.")
    multiplier: float = Field(default=1.5, ge=1, description="How fast the wait grows.")
    randomization_factor: float = Field(
        default=0.5, ge=0, le=1, description="Jitter, as a share of the wait."
    )


class QueueBatch(Options):
    """How much an exporter takes from the journal at once."""

    flush_timeout: Seconds = Field(default=0.2, description="Longest wait for more rows.")
    min_size: int = Field(default=8192, ge=0, description="Rows that are enough to start.")
    max_size: int = Field(default=50_000, ge=1, description="Rows that are never exceeded, one group aside.")


class SendingQueue(Options):
    """The exporter's view of the journal."""

    batch: QueueBatch = Field(default_factory=QueueBatch, description="Batch sizes.")


class ExporterOptions(Options):
    """Options that every exporter has."""

    timeout: Seconds = Field(default=60.0, description="Longest time of one attempt.")
    retry_on_failure: RetryOnFailure = Field(default_factory=RetryOnFailure, description="Retries.")
    sending_queue: SendingQueue = Field(default_factory=SendingQueue, description="Batches.")


E = TypeVar("E", bound=ExporterOptions)


class Exporter(Component[E]):
    """Puts batches where they rest."""

    signals: ClassVar[frozenset[Signal]] = frozenset(Signal)

    @abstractmethod
    async def export(self, batch: Batch) -> None:
        """Durable on return, harmless to repeat: a retry carries the same rows and ``batch.token``.

        Raises ``Unavailable`` to be retried, ``Rejected`` to send the batch to the dead letters.
        """


@dataclass(frozen=True, slots=True)
class Erased:
    """What became of the selected rows, or files, of one part of a place; ``left`` is asked afterwards."""

    found: int
    left: int


class Erasure(ABC):
    """One place that can forget; all methods block. Raises ``Unavailable`` if it can't be asked.

    Parts of a place, by which it counts, are named in words of its own: tables, groups, objects.
    """

    def tenants(self) -> frozenset[str]:
        """The tenants that it has rows of, as far as it knows them."""
        return frozenset()

    def related(self, selection: Selection) -> Selection:
        """The runs, traces and artifacts that the selected rows belong to."""
        return Selection(selection.tenant)

    @abstractmethod
    def count(self, selection: Selection) -> dict[str, int]:
        """How much of each part is selected."""

    @abstractmethod
    def erase(self, selection: Selection) -> dict[str, Erased]:
        """Gone on return, from tables and from the disk; harmless to repeat."""


class Erasable(ABC):
    """An exporter whose store can forget."""

    @abstractmethod
    def erasure(self) -> Erasure:
        """The store, between ``start`` and ``stop``."""


class Extension(Component[C]):
    """Stands beside the pipelines; one that ``starts_last`` needs what the exporters have opened."""

    starts_last: ClassVar[bool] = False


class Authenticator(Extension[C]):
    """An extension that receivers ask who is calling."""

    @abstractmethod
    def authenticate(self, headers: Mapping[str, str]) -> str:
        """The caller's tenant, found by their headers' lower-case names; raises ``PermissionError``."""
