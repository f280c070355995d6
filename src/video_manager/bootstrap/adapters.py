"""Opens the adapters that the profile names."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.adapters.embedded.files import FolderFiles
from video_manager.adapters.processes import ProcessRunner
from video_manager.bootstrap.data_folder import locked
from video_manager.errors import SettingsError
from video_manager.ports import Clock, DocumentStore, FileStore, MessageBus, PluginRunner
from video_manager.settings import Profile, Settings


@dataclass(frozen=True)
class Adapters:
    documents: DocumentStore
    files: FileStore
    bus: MessageBus
    runner: PluginRunner
    clock: Clock


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Adapters]:
    """The adapters, open. Raises SettingsError when one of them cannot be."""
    if settings.profile is Profile.CLUSTER:
        raise SettingsError("VIDEO_MANAGER_PROFILE: this release has the laptop profile only")
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(locked(settings.data_dir))
        folder = settings.data_dir
        documents = SqliteDocuments(folder / "documents.sqlite")
        files = FolderFiles(folder / "files", settings.storage_quota_bytes, settings.min_free_bytes // 4)
        bus = SqliteBus(folder / "bus.sqlite", drain_seconds=settings.grace_seconds)
        for part in (documents, files, bus):
            await part.open()
            stack.push_async_callback(part.close)
        yield Adapters(documents, files, bus, ProcessRunner(), SystemClock())
