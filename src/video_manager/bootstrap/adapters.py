"""Opens the adapters that the settings name."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from video_manager.adapters.clock import SystemClock
from video_manager.adapters.observed_bus import BusActivity, ObservedBus
from video_manager.adapters.processes import ProcessRunner
from video_manager.bootstrap import data_folder
from video_manager.ports import Clock, DocumentStore, FileStore, MessageBus, PluginRunner
from video_manager.settings import Settings


@dataclass(frozen=True)
class Adapters:
    documents: DocumentStore
    files: FileStore
    bus: MessageBus
    runner: PluginRunner
    clock: Clock
    activity: BusActivity


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Adapters]:
    """The adapters, open. Raises SettingsError for a wrong setting, Unavailable when a server does not answer."""
    async with AsyncExitStack() as stack:
        folder = data_folder.locked if settings.keeps_data else data_folder.shared
        await stack.enter_async_context(folder(settings.data_dir))
        documents, files = await open_stores(settings, stack)
        bus = await open_bus(settings, stack)
        clock = SystemClock()
        activity = BusActivity(clock)
        yield Adapters(documents, files, ObservedBus(bus, activity), ProcessRunner(), clock, activity)


# The drivers of a profile are loaded only where it is used: each costs a start tenths of a second.


async def open_stores(settings: Settings, stack: AsyncExitStack) -> tuple[DocumentStore, FileStore]:
    """Documents and files; `stack` closes them. Raises SettingsError, Unavailable."""
    documents: DocumentStore
    files: FileStore
    if settings.uses_mongodb or settings.uses_gridfs:
        from video_manager.adapters.cluster.mongo import MongoConnection  # noqa: PLC0415 - see above

        assert settings.mongodb_url is not None, "the settings ask for it"  # noqa: S101
        connection = MongoConnection(settings.mongodb_url.get_secret_value(), settings.connect_seconds)
        await connection.open()
        stack.push_async_callback(connection.close)
    if settings.uses_mongodb:
        from video_manager.adapters.cluster.documents import MongoDocuments  # noqa: PLC0415 - see above

        documents = MongoDocuments(connection)
    else:
        from video_manager.adapters.embedded.documents import SqliteDocuments  # noqa: PLC0415 - see above

        documents = SqliteDocuments(settings.data_dir / "documents.sqlite")
    if settings.uses_gridfs:
        from video_manager.adapters.cluster.files import GridFiles  # noqa: PLC0415 - see above

        files = GridFiles(connection, settings.storage_quota_bytes)
    else:
        from video_manager.adapters.embedded.files import FolderFiles  # noqa: PLC0415 - see above

        files = FolderFiles(settings.data_dir / "files", settings.storage_quota_bytes, settings.min_free_bytes // 4)
    for part in (documents, files):
        await part.open()
        stack.push_async_callback(part.close)
    return documents, files


async def open_bus(settings: Settings, stack: AsyncExitStack) -> MessageBus:
    """`stack` closes it. Raises SettingsError, Unavailable."""
    bus = _bus(settings)
    await bus.open()
    stack.push_async_callback(bus.close)
    return bus


def _bus(settings: Settings) -> MessageBus:
    if settings.uses_rabbitmq:
        from video_manager.adapters.cluster.bus import RabbitBus  # noqa: PLC0415 - see above

        assert settings.rabbitmq_url is not None, "the settings ask for it"  # noqa: S101
        return RabbitBus(
            settings.rabbitmq_url.get_secret_value(), drain_seconds=settings.grace_seconds,
            connect_seconds=settings.connect_seconds,
        )  # fmt: skip
    from video_manager.adapters.embedded.bus import SqliteBus  # noqa: PLC0415 - see above

    return SqliteBus(settings.data_dir / "bus.sqlite", drain_seconds=settings.grace_seconds)
