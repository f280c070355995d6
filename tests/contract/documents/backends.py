"""The document stores that the contract holds for."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from tests.services import mongodb_database

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.ports import CollectionSpec, DocumentStore

THINGS = CollectionSpec("things", indexed=("n", "title", "ok", "nested.at"), unique=("email",))


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty store, for a test's own folder; `connect` an adapter for it, not yet
    open. Processes of their own connect by the same two texts."""

    place: Callable[[Path], AbstractContextManager[str]]
    connect: Callable[[str], DocumentStore]


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=lambda folder: nullcontext(str(folder / "documents.db")),
        connect=lambda place: SqliteDocuments(Path(place)),
    ),
    "mongodb": Backend(
        place=lambda _: mongodb_database(),
        connect=lambda place: MongoDocuments(MongoConnection(place)),
    ),
}
