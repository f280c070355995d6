"""Between the file store and the local files of one attempt."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from video_manager.domain.video import MediaFile, MediaRole
from video_manager.errors import NotFound, PermanentError, Unavailable
from video_manager.plugins.calls import MadeFile
from video_manager.ports import FileStore, StoredFile

PATIENCE_SECONDS = 1800.0
"""How long finished work waits for a file store that does not answer, before all of it is done again."""


def _until_available() -> AsyncRetrying:
    return AsyncRetrying(
        retry=retry_if_exception_type(Unavailable), wait=wait_random_exponential(multiplier=0.5, max=15),
        stop=stop_after_delay(PATIENCE_SECONDS), reraise=True,
    )  # fmt: skip


async def fetch_sources(files: FileStore, ids: Iterable[str], folder: Path) -> dict[str, Path]:
    """Local copies of stored files by id. Raises PermanentError naming a file that is gone."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    fetched: dict[str, Path] = {}
    for index, id in enumerate(dict.fromkeys(ids)):
        try:
            # Ids come from people's options: they never become part of a local path.
            fetched[id] = await _until_available()(files.fetch, id, folder, f"source-{index}")
        except NotFound as error:
            raise PermanentError(
                f"the file {id} that the options name is no longer there; send it again and request a new version"
            ) from error
    return fetched


class Results:
    """Stores an attempt's files under new ids. Leaving with an error removes what was stored, as nobody names it."""

    def __init__(self, files: FileStore, fetched: Mapping[str, Path]) -> None:
        self._files = files
        self._fetched = {path.resolve(): id for id, path in fetched.items()}
        self._stored: list[str] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await discard(self._files, self._stored)

    async def store(self, made: MadeFile, role: MediaRole, name: str) -> MediaFile:
        """A file that a plugin handed through unchanged is copied inside the store, any other is moved there."""
        path = await asyncio.to_thread(made.path.resolve)
        stored: StoredFile = await _until_available()(self._store, path)
        return MediaFile(
            id=stored.id, role=role, name=f"{name}{made.suffix}", content_type=made.content_type,
            size_bytes=stored.size_bytes, sha256=stored.sha256, width=made.width, height=made.height,
            duration_seconds=made.duration_seconds, frame_rate=made.frame_rate,
        )  # fmt: skip

    async def _store(self, path: Path) -> StoredFile:
        """Under a new id each time: should a lost answer have meant yes, the sweeper removes what nobody names."""
        id = uuid.uuid4().hex
        self._stored.append(id)
        source_id = self._fetched.get(path)
        return await (self._files.put_path(id, path) if source_id is None else self._files.copy(source_id, id))


async def discard(files: FileStore, ids: Iterable[str]) -> None:
    """Remove files that no document names. What cannot be removed now is left to the sweeper."""
    await asyncio.gather(*(files.delete(id) for id in ids), return_exceptions=True)
