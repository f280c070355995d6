"""The warehouses that the contract holds for, and databases of one test alone on the PostgreSQL server."""

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy.engine import make_url
from tests import services
from tests.servers.postgres import PostgreSQL

from video_manager.adapters.warehouse import sqlite_url

BACKENDS = ("sqlite", "postgresql")
_SORTS_BY_LANGUAGE = 150_000
"""The first version in which a database says by which language's rules it sorts."""


@contextmanager
def warehouse_place(backend: str, folder: Path) -> Iterator[str]:
    """The address of an empty warehouse."""
    if backend == "sqlite":
        yield sqlite_url(folder / "warehouse.sqlite")
    else:
        with empty_database() as address:
            yield address


@contextmanager
def empty_database(encoding: str = "UTF8") -> Iterator[str]:
    """The address of a database that is removed afterwards. It sorts by the rules of English, unlike Python and
    SQLite: a query that leaves the order to the database is found out."""
    server = services.server_url(PostgreSQL)
    name = f"{services.PREFIX}{uuid.uuid4().hex[:16]}"
    [[version]] = run_sql(server, "select current_setting('server_version_num')::int")
    by_language = encoding == "UTF8" and version >= _SORTS_BY_LANGUAGE
    order = "locale_provider icu icu_locale 'en-US'" if by_language else "lc_collate 'C' lc_ctype 'C'"
    run_sql(server, f"create database {name} template template0 encoding '{encoding}' {order}")
    try:
        yield make_url(server).set(database=name).render_as_string(hide_password=False)
    finally:
        run_sql(server, f"drop database if exists {name} with (force)")


def run_sql(address: str, *statements: str) -> list[list[object]]:
    """Each on its own, outside a transaction, as the user of the address; the last one's rows."""

    async def run() -> list[list[object]]:
        url = make_url(address).set(drivername="postgresql")
        connection = await asyncpg.connect(url.render_as_string(hide_password=False))
        try:
            rows = [await connection.fetch(statement) for statement in statements]
        finally:
            await connection.close()
        return [list(row.values()) for row in rows[-1]]

    with ThreadPoolExecutor(1) as thread:  # a test may call this inside its own event loop
        return thread.submit(asyncio.run, run()).result()
