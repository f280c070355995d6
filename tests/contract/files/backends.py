"""The file stores that the contract holds for."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import MongoClient

from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.ports import FileStore


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty store, for a test's own folder; `connect` an adapter for it, not yet
    open. Processes of their own connect by the same two texts. Opening takes all other writers for dead."""

    place: Callable[[Path], str]
    connect: Callable[[str], FileStore]
    limited: Callable[[str, int], FileStore]
    """As `connect`, with a quota in bytes."""
    discard: Callable[[str], None] = lambda place: None


class OwnConnection(GridFiles):
    """Closes its connection too."""

    async def close(self) -> None:
        await super().close()
        await self._connection.close()


def gridfs(place: str, quota_bytes: int | None = None, stale_after: timedelta = timedelta(0)) -> OwnConnection:
    return OwnConnection(MongoConnection(place), quota_bytes, stale_after=stale_after)


def _new_database(_: Path) -> str:
    server = os.environ.get("VIDEO_MANAGER_TEST_MONGODB_URL")
    if server is None:
        pytest.skip("GRIDFS NOT TESTED: VIDEO_MANAGER_TEST_MONGODB_URL names no server")
    base, _, options = server.partition("?")
    return f"{base.rstrip('/')}/vm_files_{uuid4().hex[:12]}?{options}"


def _drop(place: str) -> None:
    with MongoClient[dict[str, Any]](place) as client:
        client.drop_database(client.get_default_database().name)


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=lambda folder: str(folder / "store"),
        connect=lambda place: FolderFiles(Path(place)),
        limited=lambda place, quota_bytes: FolderFiles(Path(place), quota_bytes),
    ),
    "gridfs": Backend(place=_new_database, connect=gridfs, limited=gridfs, discard=_drop),
}
