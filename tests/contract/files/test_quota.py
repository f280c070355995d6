"""No more than the quota, whatever takes the space."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.files.backends import Backend
from tests.contract.files.streams import content, stream, whole

from video_manager.errors import StorageFull
from video_manager.ports import FileStore


@pytest.fixture
async def limited(backend: Backend, place: str) -> AsyncIterator[FileStore]:
    """A quota of 1 MB."""
    files = backend.limited(place, 1_000_000)
    await files.open()
    yield files
    await files.close()


async def test_the_quota_counts_files_and_uploads(limited: FileStore, tmp_path: Path) -> None:
    await limited.put("a", stream(content(1, 400_000)))
    await limited.append("u", 0, stream(content(2, 400_000)))
    assert (await limited.use()).free_bytes == 200_000
    with pytest.raises(StorageFull, match="quota"):
        await limited.put("b", stream(content(3, 300_000)))
    with pytest.raises(StorageFull, match="quota"):
        await limited.append("u", 400_000, stream(content(4, 300_000), 300_000))
    path = tmp_path / "render.mp4"
    path.write_bytes(content(5, 300_000))
    with pytest.raises(StorageFull, match="quota"):
        await limited.put_path("c", path)
    assert path.exists()
    assert (await limited.use()).used_bytes == 800_000
    await limited.put("b", stream(content(3, 200_000)))


async def test_the_room_that_is_left_is_told_without_counting(limited: FileStore) -> None:
    await limited.put("a", stream(content(1, 700_000)))
    for enough in (1, 300_000, 300_001, 10**15):
        assert await limited.free_bytes(enough) == 300_000
    await limited.delete("a")
    assert await limited.free_bytes(10**15) == 1_000_000


async def test_deleting_makes_room_again(limited: FileStore) -> None:
    for n in range(5):
        await limited.put(f"a{n}", stream(content(n, 900_000)))
        with pytest.raises(StorageFull):
            await limited.put("b", stream(content(9, 200_000)))
        await limited.delete(f"a{n}")


async def test_what_arrived_before_the_quota_was_reached_stays(limited: FileStore) -> None:
    data = content(1, 1_200_000)
    with pytest.raises(StorageFull, match="quota"):
        await limited.append("u", 0, stream(data))
    kept = await limited.length("u")
    assert 900_000 <= kept <= 1_000_000
    assert (await limited.use()).used_bytes == kept
    await limited.complete("u", "a")
    assert await whole(limited, "a") == data[:kept]


async def test_another_process_uses_the_same_quota(limited: FileStore, backend: Backend, place: str) -> None:
    second = backend.limited(place, 1_000_000)
    await second.open()
    await limited.put("a", stream(content(1, 800_000)))
    try:
        free = (await second.use()).free_bytes
        assert free == 200_000
        with pytest.raises(StorageFull):
            await second.put("b", stream(content(2, 300_000)))
    finally:
        await second.close()
