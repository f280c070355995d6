"""What only the folder has: its disk, and what a crash or a person may leave in it."""

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.files.streams import content, stream, whole

from video_manager.adapters.embedded.files import FolderFiles
from video_manager.errors import StorageFull


@pytest.fixture
async def limited(tmp_path: Path) -> AsyncIterator[FolderFiles]:
    """A quota of 1 MB."""
    files = FolderFiles(tmp_path / "store", quota_bytes=1_000_000)
    await files.open()
    yield files
    await files.close()


async def test_a_part_of_the_disk_is_never_filled(tmp_path: Path) -> None:
    """Whatever comes: a new file, a file that takes its place by its name alone, an upload."""
    free = shutil.disk_usage(tmp_path).free
    files = FolderFiles(tmp_path / "store", keep_free_bytes=2 * free)
    await files.open()
    path = tmp_path / "render.mp4"
    path.write_bytes(content(1, 1000))
    with pytest.raises(StorageFull, match="stay free for the databases"):
        await files.put("a", stream(content(2, 1000)))
    with pytest.raises(StorageFull, match="stay free for the databases"):
        await files.put_path("b", path)
    with pytest.raises(StorageFull, match="stay free for the databases"):
        await files.append("u", 0, stream(content(3, 1000)))
    assert path.exists()
    assert (await files.use()).files == 0
    await files.close()


async def test_a_full_disk_is_said_and_leaves_nothing(small_disk: Path) -> None:
    files = FolderFiles(small_disk / "store")
    await files.open()
    try:
        await files.put("first", stream(content(1, 1_000_000)))
        with pytest.raises(StorageFull, match="second"):
            await files.put("second", stream(content(2, 8_000_000)))
        assert await files.stat("second") is None
        with pytest.raises(StorageFull, match="u"):
            await files.append("u", 0, stream(content(3, 8_000_000)))
        kept = await files.length("u")
        assert kept > 0
        assert await whole(files, "first") == content(1, 1_000_000)
        await files.discard("u")
        await files.put("third", stream(content(4, 3_000_000)))
        with pytest.raises(StorageFull):
            await files.put("fourth", stream(content(5, 3_000_000)))
        await files.delete("third")
        await files.put("fourth", stream(content(5, 3_000_000)))
    finally:
        await files.close()


async def test_a_copy_takes_no_space(limited: FolderFiles) -> None:
    await limited.put("a", stream(content(1, 900_000)))
    await limited.copy("a", "b")
    assert (await limited.use()).used_bytes == 900_000
    await limited.delete("a")
    with pytest.raises(StorageFull):
        await limited.put("c", stream(content(2, 200_000)))


async def test_lost_and_damaged_facts_are_found_out_again(tmp_path: Path) -> None:
    root = tmp_path / "store"
    files = FolderFiles(root)
    await files.open()
    try:
        stored = await files.put("a", stream(content(1, 10_000)))
        (facts,) = [path for path in (root / "facts").rglob("*") if path.is_file()]
        for damage in (b"", b'{"size_bytes": 3', b'{"size_bytes":3,"sha256":"x","created_at":"2026-01-01T00:00:00Z"}'):
            facts.write_bytes(damage)
            read = await files.stat("a")
            assert read is not None
            assert (read.size_bytes, read.sha256) == (stored.size_bytes, stored.sha256)
        facts.unlink()
        assert [(one.id, one.size_bytes) async for one in files.list()] == [("a", 10_000)]
        read = await files.stat("a")
        assert read is not None
        assert read.sha256 == hashlib.sha256(content(1, 10_000)).hexdigest()
    finally:
        await files.close()


async def test_leftovers_of_dead_writers_are_removed_and_those_of_living_ones_kept(tmp_path: Path) -> None:
    root = tmp_path / "store"
    first, second = FolderFiles(root), FolderFiles(root)
    await first.open()
    (root / "temporary" / "left-by-a-crash").write_bytes(b"x" * 1000)

    async def slow() -> AsyncIterator[bytes]:
        yield b"one "
        await second.open()
        assert (await second.use()).used_bytes == 4
        yield b"two"

    try:
        await first.put("a", slow())
        assert await whole(first, "a") == b"one two"
        assert list((root / "temporary").iterdir()) == []
    finally:
        await first.close()
        await second.close()


async def test_stored_and_fetched_files_are_read_only(tmp_path: Path) -> None:
    files = FolderFiles(tmp_path / "store")
    await files.open()
    try:
        await files.put("a", stream(b"x"))
        assert (await files.fetch("a", tmp_path, "b")).stat().st_mode & 0o222 == 0
    finally:
        await files.close()


async def test_asking_for_room_counts_no_files_while_there_is_enough(tmp_path: Path) -> None:
    """With ten thousand of them, counting took longer than the rest of a request."""
    files = FolderFiles(tmp_path / "store", quota_bytes=1_000_000)
    await files.open()
    try:
        await files.put("a", stream(content(1, 400_000)))
        for path in [path for path in (tmp_path / "store").rglob("*") if path.is_file()]:
            path.unlink()  # behind its back
        assert await files.free_bytes(600_000) == 600_000, "as it believes"
        assert await files.free_bytes(600_001) == 1_000_000, "too little: then it looks"
    finally:
        await files.close()
