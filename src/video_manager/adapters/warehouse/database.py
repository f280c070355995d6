"""The connection, the schema's version, and what a database error means to the caller."""

import asyncio
import errno
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from video_manager.adapters.warehouse import questions, tables
from video_manager.adapters.warehouse.writing import SUPPORTED, clear, write_facts
from video_manager.analytics.warehouse_port import (
    Counts,
    Facts,
    PublicationNumbers,
    PublicationOrigin,
    PublicationsQuery,
    Sample,
    SlotPeak,
)  # fmt: skip
from video_manager.domain.metrics import Metric
from video_manager.errors import RetryableError, SettingsError, StorageFull

_BUSY_SECONDS = 30


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


class SqlWarehouse:
    """The Warehouse port on SQLAlchemy. `url` names an async driver (`sqlite+aiosqlite`, `postgresql+asyncpg`)."""

    def __init__(self, url: str) -> None:
        try:
            self._url = make_url(url)
            self._engine: AsyncEngine = _engine(self._url)
        except (ArgumentError, NoSuchModuleError, ImportError, SQLAlchemyError) as error:
            raise SettingsError(
                f"VIDEO_MANAGER_WAREHOUSE_URL is no usable SQLAlchemy address of an async driver such as "
                f"postgresql+asyncpg://user:password@host/name: {type(error).__name__}"
            ) from error
        if self._engine.dialect.name not in SUPPORTED:
            raise SettingsError(
                f"VIDEO_MANAGER_WAREHOUSE_URL: {self._engine.dialect.name} is not supported; use one of "
                + ", ".join(SUPPORTED)
            )
        # SQLite has one writer at a time: waiting here is fair, waiting in SQLite is not.
        self._writing = asyncio.Lock()

    # ---- schema -------------------------------------------------------------------------------------------

    async def open(self) -> None:
        folder = _folder(self._url)
        if folder is not None and not folder.is_dir():
            raise SettingsError(f"the warehouse {self._shown} cannot be opened: there is no folder {folder}; make it")
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(tables.metadata.create_all)
                found = list(await connection.scalars(select(tables.warehouse_schema.c.version)))
                if not found:
                    await connection.execute(tables.warehouse_schema.insert(), {"version": tables.SCHEMA_VERSION})
        except (SQLAlchemyError, OSError) as error:
            raise SettingsError(
                f"the warehouse {self._shown} cannot be opened: {_words(error)}; check VIDEO_MANAGER_WAREHOUSE_URL, "
                "and that the database runs and can be written to"
            ) from error
        if found and found != [tables.SCHEMA_VERSION]:
            raise SettingsError(
                f"the warehouse {self._shown} has schema {max(found)}, this release needs {tables.SCHEMA_VERSION}: "
                "start the release that made it, or name an empty database, which is filled from the raw payloads"
            )

    async def close(self) -> None:
        await self._engine.dispose()

    @property
    def _shown(self) -> str:
        return self._url.render_as_string(hide_password=True)

    # ---- in -----------------------------------------------------------------------------------------------

    async def is_empty(self) -> bool:
        async with self._reading() as connection:
            for table in tables.FACT_TABLES:
                if await connection.scalar(select(func.count()).select_from(table)):
                    return False
        return True

    async def write(self, facts: Facts) -> None:
        async with self._changing() as connection:
            await write_facts(connection, facts)

    async def rebuild(self, batches: AsyncIterator[Facts]) -> None:
        async with self._changing() as connection:
            await clear(connection)
            async for facts in batches:
                await write_facts(connection, facts)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncConnection]:
        with _explained():
            async with self._writing, self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        with _explained():
            async with self._engine.connect() as connection:
                yield connection

    # ---- out ----------------------------------------------------------------------------------------------

    async def counts(self, start: datetime, end: datetime) -> Counts:
        async with self._reading() as connection:
            return await questions.counts(connection, start, end)

    async def waiting_for_review(self) -> int:
        async with self._reading() as connection:
            return await questions.waiting_for_review(connection)

    async def peaks_before(self, moments: Sequence[datetime]) -> dict[Metric, tuple[float, ...]]:
        async with self._reading() as connection:
            return await questions.peaks_before(connection, moments)

    async def last_as_of(self) -> datetime | None:
        async with self._reading() as connection:
            return await questions.last_as_of(connection)

    async def publication_peaks(self, metric: Metric, before: datetime) -> dict[str, float]:
        async with self._reading() as connection:
            return await questions.publication_peaks(connection, metric, before)

    async def slot_peaks(self, metric: Metric, start: datetime, end: datetime) -> list[SlotPeak]:
        async with self._reading() as connection:
            return await questions.slot_peaks(connection, metric, start, end)

    async def origins(self) -> dict[str, PublicationOrigin]:
        async with self._reading() as connection:
            return await questions.origins(connection)

    async def publications(self, query: PublicationsQuery) -> list[PublicationNumbers]:
        async with self._reading() as connection:
            return await questions.find_publications(connection, query)

    async def samples(self, metric: Metric, generator: str | None = None) -> list[Sample]:
        async with self._reading() as connection:
            return await questions.samples(connection, metric, generator)


class _explained:  # noqa: N801 - used as a `with` statement, like contextlib's own
    """Turns a database error into one that tells the worker what to do."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DBAPIError | OSError):
            full = getattr(error, "errno", None) == errno.ENOSPC or "is full" in str(error)
            if full:
                raise StorageFull("the disk of the warehouse is full: free some space") from error
            raise RetryableError(f"the warehouse did not answer: {_words(error)}") from error


def _words(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    return str(original or error).splitlines()[0] if str(original or error) else type(error).__name__


def _folder(url: URL) -> Path | None:
    return Path(url.database).parent if url.drivername.startswith("sqlite") and url.database else None


def _engine(url: URL) -> AsyncEngine:
    if not url.drivername.startswith("sqlite"):
        return create_async_engine(url, pool_pre_ping=True)
    engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # WAL: the dashboard reads while the loader writes. FULL: a payload marked as loaded really is.
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
