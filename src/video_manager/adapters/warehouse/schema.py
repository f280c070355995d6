"""Opening: waits for the server, looks whether it fits, and has the schema brought up to date."""

import asyncio
import importlib
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from video_manager.adapters.warehouse import tables
from video_manager.adapters.warehouse.address import SETTING, shown, writing
from video_manager.adapters.warehouse.failures import (
    DATABASE_ERRORS,
    does_not_answer,
    lock_is_taken,
    while_opening,
    words,
)
from video_manager.errors import SettingsError

OLDEST_POSTGRESQL = 13
LOCK_KEY = 0x76_69_64_65_6F_77_68
"""Of the advisory locks in the database, which other programs may share. Writers hold it together; whoever makes the
schema or all rows again holds it alone."""

_LOCK_SECONDS = 10
_ATTEMPT_SECONDS = 5.0
_log = logging.getLogger(__name__)


async def open_schema(engine: AsyncEngine, connect_seconds: float, *, only_look: bool = False) -> None:
    """Raises SettingsError, and Unavailable when there is no answer within `connect_seconds`. With `only_look` nothing
    is made or moved: it tells whether that could be done."""
    try:
        await _wait_for_answer(engine, connect_seconds)
        if not await _is_current(engine) and not only_look:
            await _bring_up_to_date(engine)
    except TypeError as error:
        raise SettingsError(f"{SETTING}: the driver does not know an option of the address: {error}") from error
    except DATABASE_ERRORS as error:
        raise while_opening(error, engine.url) from error


@asynccontextmanager
async def alone(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction that no other one writes beside, however long it waits for that."""
    if engine.dialect.name != "postgresql":
        async with writing(engine).begin() as connection:
            yield connection
        return
    async with engine.connect() as connection:
        while not await _locked(connection):
            _log.info("waiting until another process has made the warehouse")
        await connection.execute(text("set local statement_timeout = 0"))  # of all rows at once
        yield connection
        await connection.commit()


async def beside_others(connection: AsyncConnection) -> None:
    """Keep `alone` out until this transaction ends. Raises the database's error when it takes too long."""
    if connection.dialect.name == "postgresql":
        await _limit_waiting(connection)
        await connection.execute(text("select pg_advisory_xact_lock_shared(:key)"), {"key": LOCK_KEY})


async def _locked(connection: AsyncConnection) -> bool:
    """In steps, so that a connection that died meanwhile is noticed."""
    try:
        await _limit_waiting(connection)
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    except DATABASE_ERRORS as error:
        if not lock_is_taken(error):
            raise
        await connection.rollback()
        return False
    return True


async def _limit_waiting(connection: AsyncConnection) -> None:
    await connection.execute(text(f"set local lock_timeout = '{_LOCK_SECONDS}s'"))


# ---- the server -------------------------------------------------------------------------------------------


async def _wait_for_answer(engine: AsyncEngine, connect_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + connect_seconds
    told = False
    while True:
        left = deadline - loop.time()
        try:
            async with asyncio.timeout(max(min(left, _ATTEMPT_SECONDS), 1.0)):
                await _look_at_server(engine)
        except DATABASE_ERRORS as error:
            if not does_not_answer(error) or left <= 0 or engine.dialect.name == "sqlite":
                raise
            if not told:
                _log.warning("the warehouse %s does not answer yet (%s); waiting up to %g s", shown(engine.url),
                             words(error), connect_seconds)  # fmt: skip
                told = True
        else:
            return
        await asyncio.sleep(min(random.uniform(0.2, 1.0), max(left, 0.05)))  # noqa: S311 - no secret


async def _look_at_server(engine: AsyncEngine) -> None:
    """Connects. Raises SettingsError when the server is too old or not made for every language's letters."""
    async with engine.connect() as connection:
        if engine.dialect.name != "postgresql":
            return
        found = (
            await connection.execute(
                text("select current_setting('server_version_num'), current_setting('server_version'),"
                     " current_setting('server_encoding')")
            )
        ).one()  # fmt: skip
    where = f"{SETTING} names {shown(engine.url)}"
    if int(found[0]) < OLDEST_POSTGRESQL * 10_000:
        raise SettingsError(f"{where}, which is PostgreSQL {found[1]}; {OLDEST_POSTGRESQL} or newer is needed")
    if found[2] != "UTF8":
        raise SettingsError(f"{where}, whose encoding is {found[2]}; make a database WITH ENCODING 'UTF8' instead")


# ---- the schema -------------------------------------------------------------------------------------------


async def _is_current(engine: AsyncEngine) -> bool:
    """False when there is something to make. Raises SettingsError when that cannot be."""
    async with engine.connect() as connection:
        found = await connection.run_sync(read_version)
        _refuse_newer(engine, found)
        if found == tables.SCHEMA_VERSION:
            await _check_table_rights(connection)
            return True
        await _check_schema_rights(connection)
        return False


async def _bring_up_to_date(engine: AsyncEngine) -> None:
    migrating = await asyncio.to_thread(importlib.import_module, "video_manager.adapters.warehouse.migrating")
    async with alone(engine) as connection:
        found = await connection.run_sync(read_version)  # another process may have been faster
        _refuse_newer(engine, found)
        if found != tables.SCHEMA_VERSION:
            await connection.run_sync(migrating.migrate, found)


def _refuse_newer(engine: AsyncEngine, found: int | None) -> None:
    if found is not None and found > tables.SCHEMA_VERSION:
        raise SettingsError(
            f"the warehouse {shown(engine.url)} has schema {found}, this release needs {tables.SCHEMA_VERSION}: "
            "start the release that made it, or name an empty database, which is filled from the raw payloads"
        )


def read_version(connection: Connection) -> int | None:
    """None: no release has finished making it."""
    if not inspect(connection).has_table(tables.warehouse_schema.name):
        return None
    return connection.scalar(select(tables.warehouse_schema.c.version))


async def _check_schema_rights(connection: AsyncConnection) -> None:
    if connection.dialect.name != "postgresql":
        return
    if not await connection.scalar(text("select has_schema_privilege(current_schema(), 'CREATE')")):
        url = connection.engine.url
        raise SettingsError(
            f"{SETTING} names {shown(url)}, where {url.username} may not make tables: ALTER DATABASE {url.database} "
            f"OWNER TO {url.username}, or GRANT USAGE, CREATE ON SCHEMA public TO {url.username}"
        )


async def _check_table_rights(connection: AsyncConnection) -> None:
    """Another user may have made them."""
    if connection.dialect.name != "postgresql":
        return
    missing = await connection.scalar(
        text(
            "select min(name) from unnest(cast(:names as text[])) as name, unnest(cast(:rights as text[])) as needed"
            " where not has_table_privilege(name, needed)"
        ),
        {"names": [table.name for table in tables.FACT_TABLES], "rights": ["SELECT", "INSERT", "UPDATE", "DELETE"]},
    )
    if missing:
        url = connection.engine.url
        raise SettingsError(
            f"{SETTING} names {shown(url)}, where {url.username} may not read and write the table {missing}: "
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {url.username}"
        )
