"""The schema's way from nothing, and from every earlier release, to this one."""

import asyncio
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.contract.warehouse.backends import empty_database
from tests.contract.warehouse.test_warehouse_contract import ALWAYS, NOON, STORY, everything, write

from video_manager.adapters.warehouse import SqlWarehouse, migrating, sqlite_url, tables
from video_manager.analytics.warehouse_port import PublicationsQuery
from video_manager.domain.metrics import Metric
from video_manager.errors import SettingsError

ROOT = Path(__file__).parents[3]
FIRST_RELEASE = (Path(__file__).parent / "first_release.sql").read_text(encoding="utf-8")
"""What the first release's `create_all` made on PostgreSQL."""


async def execute(address: str, *statements: str) -> list[Any]:
    """In one transaction; the rows of the last one."""
    engine = create_async_engine(address)
    try:
        async with engine.begin() as connection:
            results = [await connection.execute(text(statement)) for statement in statements]
            return list(results[-1].all()) if results[-1].returns_rows else []
    finally:
        await engine.dispose()


async def make_first_release(address: str, *more: str) -> None:
    script = FIRST_RELEASE
    if address.startswith("sqlite"):
        script = script.replace("TIMESTAMP WITH TIME ZONE", "DATETIME").replace("SERIAL", "INTEGER")
    await execute(address, *(part for part in script.split(";\n") if part.strip()), *more)


async def differences(address: str) -> list[Any]:
    def compare(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))

    engine = create_async_engine(address)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def open_and_close(address: str) -> None:
    warehouse = SqlWarehouse(address)
    try:
        await warehouse.open()
    finally:
        await warehouse.close()


async def versions(address: str) -> list[Any]:
    return await execute(address, "select version, version_num from warehouse_schema, alembic_version")


NEWEST = [(tables.SCHEMA_VERSION, f"{tables.SCHEMA_VERSION:04}")]


def test_the_version_is_that_of_the_newest_revision() -> None:
    script = ScriptDirectory.from_config(migrating.alembic_config())
    assert script.get_heads() == [migrating.revision_of(tables.SCHEMA_VERSION)]


async def test_from_nothing_to_this_release(warehouse_url: str) -> None:
    await open_and_close(warehouse_url)
    assert await differences(warehouse_url) == []
    assert await versions(warehouse_url) == NEWEST
    await open_and_close(warehouse_url)
    assert await versions(warehouse_url) == NEWEST


async def test_ids_are_compared_as_bytes() -> None:
    """Alembic does not compare collations."""
    with empty_database() as address:
        await open_and_close(address)
        rows = await execute(
            address,
            "select table_name, column_name from information_schema.columns"
            " where table_schema = 'public' and collation_name = 'C'",
        )
    texts = {(table.name, column.name) for table in tables.FACT_TABLES for column in table.columns
             if getattr(column.type, "length", None)}  # fmt: skip
    assert set(map(tuple, rows)) == texts


async def test_a_database_of_the_first_release_is_taken_over(warehouse_url: str) -> None:
    """With its rows; times were stored in each database's own way."""
    stored = "2026-11-22 12:0{}:00+00" if warehouse_url.startswith("postgres") else "2026-11-22 12:0{}:00.000000"
    rows = {
        "warehouse_schema": "values (1)",
        "versions (video_id, version, title, created_at)": f"values ('v1', 1, 'Old', '{stored.format(0)}')",
        "publications (publication_id, video_id, version, channel_id, platform, published_at)":
            f"values ('p1', 'v1', 1, 'c', 'site', '{stored.format(0)}')",
        "metric_snapshots (publication_id, metric, as_of, slot, value)":
            "values " + ", ".join(f"('p1', 'views', '{stored.format(at)}', 0, {9 - at})" for at in (3, 1, 2)),
    }  # fmt: skip
    await make_first_release(warehouse_url, *(" ".join(("insert into", *row)) for row in rows.items()))
    warehouse = SqlWarehouse(warehouse_url)
    await warehouse.open()
    [row] = await warehouse.publications(PublicationsQuery(*ALWAYS))
    assert (row.title, row.values, row.as_of) == ("Old", {Metric.VIEWS: 6}, NOON + timedelta(minutes=3))
    await write(warehouse, *STORY)
    [row] = await warehouse.publications(PublicationsQuery(*ALWAYS))
    assert (row.title, row.values[Metric.VIEWS], row.generator) == ("One!", 7, "story")
    await warehouse.close()
    assert await differences(warehouse_url) == []
    assert await versions(warehouse_url) == NEWEST


async def test_a_newer_schema_stops_the_start(warehouse_url: str) -> None:
    await open_and_close(warehouse_url)
    await execute(warehouse_url, "update warehouse_schema set version = 99")
    with pytest.raises(SettingsError, match=f"has schema 99, this release needs {tables.SCHEMA_VERSION}: start the"):
        await open_and_close(warehouse_url)


async def test_tables_that_a_killed_first_start_left_are_made_again(warehouse_url: str) -> None:
    await make_first_release(warehouse_url, "drop table metric_snapshots")
    await open_and_close(warehouse_url)
    assert await differences(warehouse_url) == []


async def test_rows_without_a_version_are_left_alone(warehouse_url: str) -> None:
    await make_first_release(warehouse_url, "insert into versions (video_id, version) values ('v1', 1)")
    with pytest.raises(SettingsError, match="has rows in versions but does not say of which version it is"):
        await open_and_close(warehouse_url)
    assert await execute(warehouse_url, "select video_id from versions") == [("v1",)]


async def test_another_programs_tables_are_left_alone(warehouse_url: str) -> None:
    await execute(warehouse_url, "create table reviews (stars integer)")
    with pytest.raises(SettingsError, match="reviews"):
        await open_and_close(warehouse_url)
    assert await execute(warehouse_url, "select stars from reviews") == []
    with pytest.raises(Exception, match="versions"):
        await execute(warehouse_url, "select * from versions")  # nothing of ours was left behind either


BROKEN = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "{new}", "{old}"

def upgrade():
    op.create_table("half_made", sa.Column("id", sa.Integer))
    op.drop_index("snapshots_by_slot", "metric_snapshots")
    with op.batch_alter_table("versions") as versions:
        versions.drop_column("title")
    op.execute("insert into nowhere values (1)")
"""


async def test_a_migration_that_fails_leaves_the_old_schema(
    warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = SqlWarehouse(warehouse_url)
    await warehouse.open()
    await write(warehouse, *STORY)
    expected = await everything(warehouse)
    await warehouse.close()
    revisions = tmp_path / "revisions"
    shutil.copytree(migrating.REVISIONS, revisions, ignore=shutil.ignore_patterns("__pycache__"))
    new = migrating.revision_of(tables.SCHEMA_VERSION + 1)
    (revisions / "broken.py").write_text(BROKEN.format(new=new, old=migrating.revision_of(tables.SCHEMA_VERSION)))
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "REVISIONS", revisions)
        patch.setattr(tables, "SCHEMA_VERSION", tables.SCHEMA_VERSION + 1)
        with pytest.raises(SettingsError, match="nowhere"):
            await open_and_close(warehouse_url)
    assert await differences(warehouse_url) == []
    assert await versions(warehouse_url) == NEWEST
    warehouse = SqlWarehouse(warehouse_url)
    await warehouse.open()
    assert await everything(warehouse) == expected
    await warehouse.close()


async def test_all_that_open_at_once_make_the_schema_once(warehouse_url: str) -> None:
    """Each with its own connections, as processes have; those are in the long test below."""
    await asyncio.gather(*(open_and_close(warehouse_url) for _ in range(4)))
    assert await versions(warehouse_url) == NEWEST
    assert await differences(warehouse_url) == []


OPENING = """
import asyncio, sys
from video_manager.adapters.warehouse import SqlWarehouse
from video_manager.adapters.warehouse import migrating
async def main():
    warehouse = SqlWarehouse(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    await warehouse.open()
    await warehouse.close()
asyncio.run(main())
"""


@pytest.mark.long
async def test_two_processes_make_the_schema_once(warehouse_url: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OPENING, warehouse_url, env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0, 0], ends
    assert await versions(warehouse_url) == NEWEST
    assert await differences(warehouse_url) == []


CURRENT = """
import asyncio, sys
from video_manager.adapters.warehouse import SqlWarehouse
async def main():
    warehouse = SqlWarehouse(sys.argv[1])
    await warehouse.open()
    await warehouse.close()
asyncio.run(main())
sys.exit(7 if "alembic" in sys.modules else 0)
"""


async def test_a_current_schema_is_opened_without_alembic(tmp_path: Path) -> None:
    """Its import takes a second of every start."""
    address = sqlite_url(tmp_path / "warehouse.sqlite")
    await open_and_close(address)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CURRENT, address, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    assert await process.wait() == 0
