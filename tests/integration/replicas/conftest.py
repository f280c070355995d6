"""Two processes' views of the same stores: an adapter each over one database, on both profiles."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.ports import DocumentStore, FileStore

Pair = tuple[DocumentStore, DocumentStore]
FilePair = tuple[FileStore, FileStore]


@pytest.fixture(params=["embedded", "cluster"])
def mongodb(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty MongoDB for the cluster's adapters, None for the laptop's."""
    return str(request.getfixturevalue("mongodb_url")) if request.param == "cluster" else None


@pytest.fixture
async def pair(mongodb: str | None, tmp_path: Path) -> AsyncIterator[Pair]:
    """Two document stores on one database, open."""

    def store() -> DocumentStore:
        if mongodb is None:
            return SqliteDocuments(tmp_path / "documents.sqlite")
        return MongoDocuments(MongoConnection(mongodb))

    first, second = store(), store()
    await first.open()
    await second.open()
    yield first, second
    await second.close()
    await first.close()


@pytest.fixture
async def file_pair(mongodb: str | None, tmp_path: Path) -> AsyncIterator[FilePair]:
    """Two file stores on one folder or database, open."""

    def store() -> FileStore:
        return FolderFiles(tmp_path / "files") if mongodb is None else GridFiles(MongoConnection(mongodb))

    first, second = store(), store()
    await first.open()
    await second.open()
    yield first, second
    await second.close()
    await first.close()
