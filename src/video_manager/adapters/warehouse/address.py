"""Which database an address names, and the engine that talks to it."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from video_manager.errors import SettingsError

SETTING = "VIDEO_MANAGER_WAREHOUSE_URL"
SUPPORTED = ("sqlite", "postgresql")
STATEMENT_SECONDS = 60
"""PostgreSQL itself ends a statement after this."""

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 10
_POOL = {"pool_pre_ping": True, "pool_size": 5, "max_overflow": 5, "pool_timeout": 30, "pool_recycle": 1800}
_WRITES = "video_manager_writes"


def sqlite_url(path: Path) -> str:
    return URL.create("sqlite+aiosqlite", database=str(path)).render_as_string(hide_password=False)


def engine_at(address: str) -> AsyncEngine:
    """The engine, not connected yet. `postgres://` and `postgresql://` mean the same. Raises SettingsError."""
    try:
        url = _with_driver(make_url(address))
        engine = _sqlite(url) if url.drivername.startswith("sqlite") else create_async_engine(url, **_options(url))
    except (ArgumentError, NoSuchModuleError, ImportError, SQLAlchemyError, ValueError) as error:
        # The driver's words are left out: they may repeat the address, and with it the password.
        raise SettingsError(
            f"{SETTING} is no usable address, such as postgresql://user:password@host/database: "
            f"{type(error).__name__}; special characters in the password are written as %40 for @, %2F for /"
        ) from error
    if engine.dialect.name not in SUPPORTED:
        raise SettingsError(f"{SETTING}: {engine.dialect.name} is not supported; use one of {', '.join(SUPPORTED)}")
    if engine.dialect.name == "postgresql" and not url.database:
        raise SettingsError(f"{SETTING}: {shown(url)} names no database; write it after the host: .../video_manager")
    return engine


def shown(url: URL) -> str:
    """The address without its password, and without options, which may hold one."""
    return url.set(query={}).render_as_string(hide_password=True)


def folder_of(url: URL) -> Path | None:
    """Of a SQLite file."""
    return Path(url.database).parent if url.drivername.startswith("sqlite") and url.database else None


def writing(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that write. SQLite's lock is taken at their beginning: a transaction that
    reads first and writes then is refused when somebody else wrote in between."""
    return engine.execution_options(**{_WRITES: True})


def reading(engine: AsyncEngine) -> AsyncEngine:
    """The same engine for transactions that read: all statements of one question see the same moment, as on SQLite."""
    if engine.dialect.name != "postgresql":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _with_driver(url: URL) -> URL:
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+asyncpg")
    if url.drivername == "postgresql+asyncpg" and "sslmode" in url.query:
        # What libpq and most hosters call it.
        url = url.update_query_dict({"ssl": url.query["sslmode"]}).difference_update_query(["sslmode"])
    return url


def _options(url: URL) -> dict[str, Any]:
    if url.drivername != "postgresql+asyncpg":
        return {}
    server = {"application_name": "video-manager", "statement_timeout": str(STATEMENT_SECONDS * 1000), "jit": "off"}
    return {**_POOL, "connect_args": {"timeout": _CONNECT_SECONDS, "server_settings": server}}


def _sqlite(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Python's module would begin a transaction only before the first change of a row, never before one of the
        # schema; a migration that fails half-way has to leave the old schema.
        connection.isolation_level = None
        cursor = connection.cursor()
        # FULL: a payload marked as loaded really is.
        cursor.execute("PRAGMA synchronous=FULL")
        # WAL: the dashboard reads while the loader writes.
        for retry in Retrying(
            retry=retry_if_exception(lambda error: "database is locked" in str(error)),
            wait=wait_random(0.005, 0.05), stop=stop_after_delay(_BUSY_SECONDS), reraise=True,
        ):  # fmt: skip
            with retry:  # SQLite does not let us wait for another one that is just opening a new file
                cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
