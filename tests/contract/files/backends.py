"""The file stores that the contract holds for."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.services import mongodb_database

from video_manager.adapters.cluster.files import GridFiles
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.ports import FileStore


@dataclass(frozen=True)
class Backend:
    """`place` gives the text that names an empty store, for a test's own folder; `connect` an adapter for it, not yet
    open. Processes of their own connect by the same two texts. Opening takes all other writers for dead."""

    place: Callable[[Path], AbstractContextManager[str]]
    connect: Callable[[str], FileStore]
    limited: Callable[[str, int], FileStore]
    """As `connect`, with a quota in bytes."""


def gridfs(place: str, quota_bytes: int | None = None, stale_after: timedelta = timedelta(0)) -> GridFiles:
    return GridFiles(MongoConnection(place), quota_bytes, stale_after=stale_after)


@contextmanager
def _folder(folder: Path) -> Iterator[str]:
    yield str(folder / "store")


BACKENDS: dict[str, Backend] = {
    "embedded": Backend(
        place=_folder,
        connect=lambda place: FolderFiles(Path(place)),
        limited=lambda place, quota_bytes: FolderFiles(Path(place), quota_bytes),
    ),
    "gridfs": Backend(place=lambda _: mongodb_database(), connect=gridfs, limited=gridfs),
}
