"""What only a file can have: a wrong schema, damage, no permission to read it, a full disk."""

import sqlite3
import stat
from pathlib import Path

import pytest
from tests.contract.documents.backends import THINGS
from tests.contract.messages import message

from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.errors import SettingsError, StorageFull
from video_manager.ports import CollectionSpec, DocumentStore


async def test_a_file_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    store = SqliteDocuments(path)
    await store.open()
    await store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE schema_version SET version = 99")
    connection.close()
    with pytest.raises(SettingsError, match="newer release"):
        await SqliteDocuments(path).open()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "documents.db"
    path.write_bytes(b"this is a letter to my aunt, and no database at all" * 50)
    with pytest.raises(SettingsError, match="no database"):
        await SqliteDocuments(path).open()


async def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "documents.db"
    store = SqliteDocuments(path)
    await store.open()
    await store.register(THINGS)
    try:
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    finally:
        await store.close()


async def test_doubled_values_of_a_newly_unique_field_stop_the_start(tmp_path: Path) -> None:
    store = SqliteDocuments(tmp_path / "documents.db")
    await store.open()
    try:
        await store.register(CollectionSpec("things"))
        for id in "ab":
            await store.insert("things", id, {"id": id, "email": "x@y"})
        with pytest.raises(SettingsError, match="twice"):
            await store.register(THINGS)
    finally:
        await store.close()


async def _fill(store: DocumentStore, written: list[str]) -> None:
    for n in range(10_000):
        await store.insert("things", str(n), {"id": str(n), "text": "x" * 10_000}, outbox=[message(f"m{n}")])
        written.append(str(n))


async def test_a_full_disk_is_said_and_loses_nothing(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    store = SqliteDocuments(small_disk / "documents.db")
    await store.open()
    await store.register(THINGS)
    ballast.write_bytes(bytes(4 << 20))
    written: list[str] = []
    try:
        with pytest.raises(StorageFull, match="full"):
            await _fill(store, written)
        assert written
        ballast.unlink()
        await store.insert("things", "after", {"id": "after"})
        assert await store.count("things") == len(written) + 1
        assert len(await store.unsent(limit=10_000)) == len(written)
    finally:
        await store.close()
