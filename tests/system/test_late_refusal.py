"""The warehouse opens while the server answers already: a refusal then still ends the process, with a clear text."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.system.conftest import RunningSystem

from video_manager.adapters.warehouse import tables
from video_manager.bootstrap.late_warehouse import LateWarehouse
from video_manager.cli.exits import Exit
from video_manager.errors import SettingsError, Unavailable

END_SECONDS = 120.0
"""A bound against hanging."""


def newer_warehouse(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("create table warehouse_schema (version integer primary key)")
        database.execute("insert into warehouse_schema values (99)")


def test_a_warehouse_of_a_newer_release_ends_the_process(tmp_path: Path) -> None:
    system = RunningSystem(tmp_path)
    system.data_dir.mkdir()
    newer_warehouse(system.data_dir / "warehouse.sqlite")
    system.start()
    assert system._process is not None
    try:
        assert system._process.wait(END_SECONDS) == Exit.WRONG_SETTINGS
    finally:
        system.kill()
    log = system.log()
    assert "The studio is at" in log  # it was late
    assert f"warehouse.sqlite has schema 99, this release needs {tables.SCHEMA_VERSION}: start the release that" in log
    assert "Traceback" not in log


async def test_who_asked_meanwhile_does_not_wait_for_ever(tmp_path: Path) -> None:
    newer_warehouse(tmp_path / "warehouse.sqlite")
    warehouse = LateWarehouse(tmp_path / "warehouse.sqlite", 0.0)
    asked = asyncio.create_task(warehouse.last_as_of())
    await asyncio.sleep(0)
    with pytest.raises(SettingsError, match="has schema 99"):
        await warehouse.open()
    with pytest.raises(Unavailable, match="has schema 99"):
        await asked
    await warehouse.close()
