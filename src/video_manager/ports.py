"""The ports: what the services need from the outside world. Each has an embedded and a cluster adapter, and one
contract suite in `tests/contract` that both pass."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from video_manager.contracts.envelope import Envelope
from video_manager.domain.job import Job, JobResult

_COLLECTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")

# ---- documents ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CollectionSpec:
    """A collection of aggregates. `indexed` are dotted paths to scalars that `where` and `order_by` may name;
    `unique` are such paths whose values (when not null) may occur once. Names that could not stand in a statement of
    every store raise ValueError: a mistake in our own code."""

    name: str
    indexed: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _COLLECTION_NAME.fullmatch(self.name):
            raise ValueError(f"collection name {self.name!r}: lower-case letters, digits and _ only")
        for path in (*self.indexed, *self.unique):
            if not _FIELD_PATH.fullmatch(path):
                raise ValueError(f"path {path!r} of {self.name}: names joined by dots only")


@dataclass(frozen=True)
class Stored:
    """One document. `revision` starts at 1 and grows by one with every replace; `handled` are the message ids
    in its inbox (the newest `INBOX_LIMIT`)."""

    id: str
    revision: int
    body: Mapping[str, Any]
    handled: frozenset[str] = frozenset()


INBOX_LIMIT = 200
"""How many handled message ids a document remembers."""


class Op(StrEnum):
    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    CONTAINS = "contains"
    """Case-insensitive substring of a text."""
    IS_NULL = "is null"
    """value True: the field is null or missing; False: it has a value."""


Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class Where:
    field: str
    op: Op
    value: Scalar | Sequence[Scalar] = None


@dataclass(frozen=True)
class Query:
    """Documents that match all of `where`, ordered by `order_by` then id. `after` is (order value, id) of the
    last row already seen. Times are compared as ISO text in UTC, so store them that way."""

    where: tuple[Where, ...] = ()
    order_by: str | None = None
    descending: bool = False
    limit: int = 100
    after: tuple[Scalar, str] | None = None


@dataclass(frozen=True)
class Unsent:
    """A document's waiting messages, in the order they were written."""

    collection: str
    id: str
    messages: tuple[Envelope, ...]


class DocumentStore(Protocol):
    """Durable documents. Every write is atomic, on disk when it returns, and changes body, inbox and outbox
    together. Raises StorageFull when the disk is full."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def register(self, spec: CollectionSpec) -> None:
        """Make the collection and its indexes if they are missing; again without effect."""
        ...

    async def insert(
        self, collection: str, id: str, body: Mapping[str, Any], *, outbox: Sequence[Envelope] = (),
        handled: str | None = None,
    ) -> Stored:  # fmt: skip
        """Raises AlreadyExists when the id or a unique value is taken."""
        ...

    async def get(self, collection: str, id: str) -> Stored | None: ...

    async def get_many(self, collection: str, ids: Sequence[str]) -> list[Stored]:
        """Those that exist, in the order of `ids`."""
        ...

    async def replace(
        self, collection: str, id: str, revision: int, body: Mapping[str, Any], *,
        outbox: Sequence[Envelope] = (), handled: str | None = None,
    ) -> int:  # fmt: skip
        """Compare-and-set on `revision`; appends to the outbox and the inbox. Returns the new revision. Raises
        StaleRevision, also when the document is gone, and AlreadyExists for a taken unique value."""
        ...

    async def delete(self, collection: str, id: str, revision: int | None = None) -> bool:
        """False when it is not there. Raises StaleRevision on a mismatch, Conflict while messages are unsent."""
        ...

    async def find(self, collection: str, query: Query) -> list[Stored]: ...

    async def count(self, collection: str, where: Sequence[Where] = ()) -> int: ...

    async def count_by(self, collection: str, field: str, where: Sequence[Where] = ()) -> dict[Scalar, int]:
        """How many documents have each value of the field."""
        ...

    async def unsent(self, limit: int = 100, before: datetime | None = None) -> list[Unsent]:
        """Documents with waiting messages, the longest waiting first. With `before` only those whose longest waiting
        message was written earlier than that."""
        ...

    async def mark_sent(self, collection: str, id: str, message_ids: Sequence[str]) -> None:
        """Remove sent messages from the outbox. Does not change the revision."""
        ...

    async def mark_all_sent(self, sent: Sequence[Unsent]) -> None:
        """`mark_sent` for the messages of many documents, each named once, in one write for each collection. A crash
        may leave some of them as they were."""
        ...

    async def oldest_unsent(self) -> datetime | None:
        """The time of the longest waiting message: the lag of the outbox."""
        ...

    def on_unsent(self, wake: Callable[[Unsent], None]) -> None:
        """Call `wake` after every write in this process that put messages into an outbox, with those messages."""
        ...


# ---- files --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredFile:
    """A complete, immutable file."""

    id: str
    size_bytes: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True)
class StorageUse:
    files: int
    used_bytes: int
    free_bytes: int | None


class FileStore(Protocol):
    """Immutable files under ids. Bytes are durable when a call returns. Raises StorageFull, NotFound."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def put(self, id: str, chunks: AsyncIterator[bytes]) -> StoredFile:
        """Store a whole stream under a new id; nothing is visible before the last byte. AlreadyExists if taken."""
        ...

    async def put_path(self, id: str, path: Path) -> StoredFile:
        """Store a local file. The embedded adapter may move the bytes: the path must not be used afterwards."""
        ...

    async def stat(self, id: str) -> StoredFile | None: ...

    def read(self, id: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Bytes start..end (end exclusive, None: to the last). Chunks of at most 1 MiB."""
        ...

    async def fetch(self, id: str, folder: Path, name: str) -> Path:
        """A local read-only copy (or link) of the file as `folder/name`."""
        ...

    async def copy(self, id: str, new_id: str) -> StoredFile:
        """A second, independent file with the same bytes. Without effect when new_id holds them already."""
        ...

    async def delete(self, id: str) -> bool: ...

    async def delete_many(self, ids: Collection[str]) -> None:
        """Those that are there, in fewer steps than one after the other."""
        ...

    def list(self) -> AsyncIterator[StoredFile]:
        """All complete files, in no order; sha256 may be empty in listings."""
        ...

    async def use(self) -> StorageUse:
        """Counts; with many files on a laptop, that takes its time."""
        ...

    async def free_bytes(self, enough: int) -> int | None:
        """The room that is left, without counting all files as long as it is `enough`. None: nobody knows."""
        ...

    # pieces of an unfinished upload, perhaps through several gateway replicas

    async def append(self, upload_id: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Append at exactly `offset` (else Conflict); returns the new length. What arrived before a broken
        connection stays."""
        ...

    async def length(self, upload_id: str) -> int:
        """How many bytes of the upload are stored; 0 for an unknown one."""
        ...

    async def complete(self, upload_id: str, id: str) -> StoredFile:
        """Turn the pieces into a file under `id`. Again without effect once done."""
        ...

    async def discard(self, upload_id: str) -> None: ...


# ---- messages -----------------------------------------------------------------------------------------

Handler = Callable[[Envelope], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """A durable queue: one delivery per service whatever the number of its processes. `types` are message
    types, or prefixes ending in `.*`. `prefetch` messages are handled at once in this process."""

    queue: str
    types: tuple[str, ...]
    handler: Handler
    prefetch: int = 10
    max_attempts: int = 10


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be handled, with its reason."""

    id: str
    queue: str
    envelope: Mapping[str, Any]
    reason: str
    attempts: int
    died_at: datetime


class Consumer(Protocol):
    """A running subscription. Pausing stops taking messages; what is being handled goes on."""

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...


class MessageBus(Protocol):
    """At-least-once delivery. A handler that returns acknowledges; RetryableError delays and tries again with
    backoff (or its `retry_after_seconds`); PermanentError, an unreadable message, or too many attempts make a
    dead letter; any other exception counts as an attempt and is retried. Unavailable and StorageFull count as none:
    a store that is away says nothing about the message."""

    async def open(self) -> None: ...

    async def close(self) -> None:
        """Stop taking messages, let the handlers end, give back the rest."""
        ...

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Durable in every bound queue when it returns. A command nobody is bound to raises NotFound once all
        queues are declared by `consume` or `declare`."""
        ...

    async def declare(self, queue: str, types: Sequence[str]) -> None:
        """Make a durable queue without consuming it, so that its messages wait."""
        ...

    async def consume(self, subscription: Subscription) -> Consumer: ...

    async def watch(self, types: Sequence[str], handler: Handler) -> Callable[[], Awaitable[None]]:
        """Every process sees these; may lose; a hint to read again. Returns the call that stops watching."""
        ...

    async def hint(self, envelope: Envelope) -> None:
        """To watchers only; never stored."""
        ...

    async def ping(self) -> None:
        """A sign of life: messages are taken from us and given to us now. Raises Unavailable when they are not."""
        ...

    async def depth(self) -> dict[str, int]:
        """Waiting messages by queue."""
        ...

    async def dead_letters(self, limit: int = 100) -> list[DeadLetter]: ...

    async def resend(self, dead_letter_id: str) -> None: ...

    async def drop(self, dead_letter_id: str) -> None: ...


# ---- jobs, as a worker sees them ------------------------------------------------------------------------


class JobDesk(Protocol):
    """Claim, renew and end jobs; the manager implements it, the gateway offers it to workers elsewhere.
    `renew`, `finish`, `fail` and `give_back` raise LeaseLost when the attempt is no longer the current one."""

    async def claim(self, job_id: str, worker: str) -> Job | None:
        """The claimed job, or None when it is not to be had (taken, paused, ended): forget the command."""
        ...

    async def renew(self, job_id: str, attempt: int, progress: float, stage: str) -> None: ...

    async def finish(self, job_id: str, attempt: int, result: JobResult) -> None: ...

    async def fail(self, job_id: str, attempt: int, error: str) -> None: ...

    async def give_back(self, job_id: str, attempt: int, *, failed: bool = False) -> None:
        """Queue the job again at once: unharmed (shutdown), or `failed` in a way that is worth another try."""
        ...


# ---- running plugins ------------------------------------------------------------------------------------

ProgressCallback = Callable[[float, str], None]


@dataclass(frozen=True)
class PluginCall:
    """One call of a generator or of a whole recipe, as JSON, for a process of its own. `task` is `render` or
    `process`; the shapes of `payload` and of the answer are in `plugins/host.py`."""

    task: str
    payload: Mapping[str, Any]
    work_folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class PluginRunner(Protocol):
    """Runs plugin code in child processes, niced, killed with everything they started when the call is
    cancelled or this process dies."""

    async def run(self, call: PluginCall, on_progress: ProgressCallback) -> Mapping[str, Any]:
        """The plugin's answer. Raises the WorkError the plugin raised, StorageFull, or PermanentError when the
        child died (killed, out of memory). Cancelling the task kills the child within a second."""
        ...


# ---- clock ------------------------------------------------------------------------------------------------


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""
        ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


WorkFolder = Callable[[str], AbstractAsyncContextManager[Path]]
"""Makes an empty folder for one piece of work, named for people, and removes it afterwards."""
