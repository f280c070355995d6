"""The document stores that the contract holds for."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.ports import CollectionSpec, DocumentStore

THINGS = CollectionSpec("things", indexed=("n", "title", "ok", "nested.at"), unique=("email",))


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty store, for a test's own folder; `connect` an adapter for it, not yet
    open. Processes of their own connect by the same two texts."""

    place: Callable[[Path], str]
    connect: Callable[[str], DocumentStore]
    discard: Callable[[str], None] = lambda place: None


def _mongodb_place(_: Path) -> str:
    server = os.environ.get("VIDEO_MANAGER_TEST_MONGODB_URL")
    if server is None:
        pytest.skip("MONGODB NOT TESTED: VIDEO_MANAGER_TEST_MONGODB_URL names no server")
    base, _, options = server.partition("?")
    return f"{base.rstrip('/')}/vm_documents_{uuid4().hex[:12]}?{options}"


def _drop_mongodb(place: str) -> None:
    with MongoClient[dict[str, Any]](place) as client:
        client.drop_database(client.get_default_database().name)


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=lambda folder: str(folder / "documents.db"), connect=lambda place: SqliteDocuments(Path(place))
    ),
    "mongodb": Backend(
        place=_mongodb_place,
        connect=lambda place: MongoDocuments(MongoConnection(place)),
        discard=_drop_mongodb,
    ),
}
