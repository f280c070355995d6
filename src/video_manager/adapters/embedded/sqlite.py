"""How every SQLite file of the laptop profile is opened, and what its errors mean."""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiosqlite
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random

from video_manager.errors import SettingsError, StorageFull

BUSY_SECONDS = 15.0
"""How long a write waits for another process (the command line beside the server)."""

_FULL_CODES = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})


async def connect(path: Path, *, read_only: bool = False) -> aiosqlite.Connection:
    """A connection in autocommit mode: each statement is a transaction of its own, on disk when it returns."""
    if not read_only:
        _prepare(path)
    connection = aiosqlite.connect(path, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=512)
    # A process that ends by an error before it closed everything must end, not wait for this thread for ever. What was
    # acknowledged is on disk by then. aiosqlite has no public way to say so.
    connection._thread.daemon = True  # noqa: SLF001
    await connection
    try:
        if not read_only:
            await _use_wal(connection)
            # FULL, not NORMAL: an acknowledged write survives a power cut, not only a killed process.
            await connection.execute("PRAGMA synchronous = FULL")
            await connection.execute("PRAGMA foreign_keys = ON")
        else:
            await connection.execute("PRAGMA query_only = ON")
    except BaseException:
        await connection.close()
        raise
    return connection


async def _use_wal(connection: aiosqlite.Connection) -> None:
    """The first one to open a file changes it; SQLite does not let the others wait for that, so they try again."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, sqlite3.OperationalError) and "locked" in str(error)),
        wait=wait_random(0.005, 0.05), stop=stop_after_delay(BUSY_SECONDS), reraise=True,
    ):  # fmt: skip
        with attempt:
            await connection.execute("PRAGMA journal_mode = WAL")


def _prepare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Password hashes and tokens live here: nobody else on this machine reads them.
    path.touch(mode=0o600, exist_ok=True)


@asynccontextmanager
async def transaction(connection: aiosqlite.Connection) -> AsyncIterator[None]:
    """Several statements as one. The caller sees to it that nobody else uses the connection meanwhile."""
    await connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        await connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors (a full disk).
        if connection.in_transaction:
            await connection.execute("ROLLBACK")
        raise


async def apply_schema(connection: aiosqlite.Connection, path: Path, version: int, statements: tuple[str, ...]) -> None:
    """Make the tables of a new file; refuse a file that a newer release wrote. Raises SettingsError."""
    async with transaction(connection):
        await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        rows = list(await connection.execute_fetchall("SELECT version FROM schema_version"))
        found = int(rows[0][0]) if rows else None
        if found is not None and found > version:
            raise SettingsError(
                f"{path} was written by a newer release (schema {found}, this one knows {version}): "
                "start the newer release, or point VIDEO_MANAGER_DATA_DIR at another folder"
            )
        for statement in statements:
            await connection.execute(statement)
        if found is None:
            await connection.execute("INSERT INTO schema_version VALUES (?)", (version,))
        elif found < version:
            await connection.execute("UPDATE schema_version SET version = ?", (version,))
    sync_folder(path.parent)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """SQLite's errors in the words of the ports: StorageFull, and SettingsError for a file that is no database."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in _FULL_CODES:
            raise StorageFull(f"the disk of {path.parent} is full: free some space, then try again") from error
        if error.sqlite_errorcode == sqlite3.SQLITE_CANTOPEN:
            raise SettingsError(f"{path} cannot be opened: check VIDEO_MANAGER_DATA_DIR and its permissions") from error
        raise
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise SettingsError(f"{path} is damaged or no database ({error}): restore a backup") from error
        raise


def sync_folder(folder: Path) -> None:
    """Make new and renamed names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
