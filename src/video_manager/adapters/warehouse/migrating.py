"""Brings a database to this release's schema, by Alembic. Imported only when there is something to do: it takes a
second."""

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, select, update

from video_manager.adapters.warehouse import tables
from video_manager.errors import SettingsError

FOLDER = Path(__file__).parent
REVISIONS = FOLDER / "migrations"
_log = logging.getLogger(__name__)


def alembic_config(connection: Connection | None = None) -> Config:
    """Of this package's migrations, wherever it is installed."""
    config = Config(attributes={"connection": connection})
    for name, value in (("script_location", FOLDER), ("version_locations", REVISIONS)):
        config.set_main_option(name, str(value).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    return config


def migrate(connection: Connection, found: int | None) -> None:
    """From version `found` (None: from nothing) to the newest, inside the caller's transaction."""
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # one line of ours is enough
    _log.info("the warehouse's schema goes from version %s to %s", found or "none", tables.SCHEMA_VERSION)
    config = alembic_config(connection)
    if found is None:
        _remove_unfinished(connection)
    elif not inspect(connection).has_table("alembic_version"):
        # Made by the first release, which had no Alembic.
        command.stamp(config, revision_of(found))
    command.upgrade(config, "head")
    version = tables.warehouse_schema
    if connection.execute(update(version).values(version=tables.SCHEMA_VERSION)).rowcount == 0:
        connection.execute(version.insert(), {"version": tables.SCHEMA_VERSION})


def revision_of(version: int) -> str:
    return f"{version:04}"


def _remove_unfinished(connection: Connection) -> None:
    """What the first release left when it was killed while making its tables: they are still empty, and there is no
    version yet."""
    if not inspect(connection).has_table(tables.warehouse_schema.name):
        return
    there = [table for table in tables.metadata.sorted_tables if inspect(connection).has_table(table.name)]
    filled = [table.name for table in there if connection.execute(select(1).select_from(table).limit(1)).first()]
    if filled:
        raise SettingsError(
            f"the warehouse has rows in {', '.join(filled)} but does not say of which version it is; name an empty "
            "database, which is filled from the raw payloads"
        )
    tables.metadata.drop_all(connection, tables=there)
