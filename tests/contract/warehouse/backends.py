"""The warehouses that the contract holds for, and databases of one test alone on the PostgreSQL server."""

import asyncio
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from video_manager.adapters.warehouse import sqlite_url

SERVER = os.environ.get("VIDEO_MANAGER_TEST_POSTGRES_URL")
BACKENDS = ("sqlite", "postgresql")


@contextmanager
def warehouse_place(backend: str, folder: Path) -> Iterator[str]:
    """The address of an empty warehouse."""
    if backend == "sqlite":
        yield sqlite_url(folder / "warehouse.sqlite")
    else:
        with empty_database() as address:
            yield address


@contextmanager
def empty_database(server: str | None = None, *, encoding: str = "UTF8") -> Iterator[str]:
    """The address of a database that is removed afterwards. It sorts by the rules of English, unlike Python and
    SQLite: a query that leaves the order to the database is found out."""
    address = server or SERVER
    if address is None:
        pytest.skip("no PostgreSQL: VIDEO_MANAGER_TEST_POSTGRES_URL names none")
    name = f"vm_test_{uuid.uuid4().hex[:16]}"
    order = "locale_provider icu icu_locale 'en-US'" if encoding == "UTF8" else "lc_collate 'C' lc_ctype 'C'"
    run_sql(address, f"create database {name} template template0 encoding '{encoding}' {order}")
    try:
        yield make_url(address).set(database=name).render_as_string(hide_password=False)
    finally:
        run_sql(address, f"drop database if exists {name} with (force)")


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
