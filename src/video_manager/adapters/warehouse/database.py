"""The Warehouse port on a SQL database: transactions, and tries again where the database asks for it."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from video_manager.adapters.warehouse import questions, tables
from video_manager.adapters.warehouse.address import STATEMENT_SECONDS, engine_at, folder_of, reading, shown, writing
from video_manager.adapters.warehouse.failures import DATABASE_ERRORS, collided, while_working
from video_manager.adapters.warehouse.schema import alone, beside_others, open_schema
from video_manager.adapters.warehouse.writing import clear, write_facts
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
from video_manager.errors import SettingsError

_TRIES = 5
_ANSWER_SECONDS = STATEMENT_SECONDS + 10
"""A server that hangs ends no statement by itself."""


class SqlWarehouse:
    """The Warehouse port on SQLAlchemy, for SQLite (`sqlite+aiosqlite://`) and PostgreSQL (`postgresql://`).

    `connect_seconds`: how long `open` waits for a server that does not answer yet. Raises SettingsError.
    """

    def __init__(self, url: str, *, connect_seconds: float = 60.0) -> None:
        self._engine = engine_at(url)
        self._connect_seconds = connect_seconds
        self._readers, self._writers = reading(self._engine), writing(self._engine)
        # Taking turns within a process is fair on SQLite, and keeps most collisions from happening on PostgreSQL.
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        await self._open(only_look=False)

    async def look(self) -> None:
        """Raise what `open` would raise, and leave the database as it is."""
        await self._open(only_look=True)

    async def _open(self, *, only_look: bool) -> None:
        folder = folder_of(self._engine.url)
        if folder is not None and not folder.is_dir():
            raise SettingsError(
                f"the warehouse {shown(self._engine.url)} cannot be opened: there is no folder {folder}; make it"
            )
        await open_schema(self._engine, self._connect_seconds, only_look=only_look)

    async def close(self) -> None:
        await self._engine.dispose()

    # ---- in -----------------------------------------------------------------------------------------------

    async def is_empty(self) -> bool:
        async with self._reading() as connection:
            return await _is_empty(connection)

    async def write(self, facts: Facts) -> None:
        async with _explained(), self._turn, asyncio.timeout(_ANSWER_SECONDS):
            for left in reversed(range(_TRIES)):
                try:
                    await self._write(facts)
                except DBAPIError as error:
                    if not (collided(error) and left):
                        raise
                else:
                    return
                await asyncio.sleep(random.uniform(0.01, 0.1))  # noqa: S311 - no secret

    async def _write(self, facts: Facts) -> None:
        async with self._writers.begin() as connection:
            await beside_others(connection)
            await write_facts(connection, facts)

    async def rebuild(self, batches: AsyncIterator[Facts], *, if_empty: bool = False) -> bool:
        async with _explained(), self._turn, alone(self._engine) as connection:
            if if_empty and not await _is_empty(connection):
                return False
            await clear(connection)
            async for facts in batches:
                await write_facts(connection, facts)
        return True

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        async with _explained(), asyncio.timeout(_ANSWER_SECONDS), self._readers.connect() as connection:
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


async def _is_empty(connection: AsyncConnection) -> bool:
    rows = [select(1).select_from(table).exists() for table in tables.FACT_TABLES]
    return not await connection.scalar(select(or_(*rows)))


@asynccontextmanager
async def _explained() -> AsyncIterator[None]:
    """Turns a database error into one that tells the worker what to do."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise while_working(error) from error
