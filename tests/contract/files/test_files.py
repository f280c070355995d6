"""Complete files: put, read, copy, fetch, delete, list."""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.files.backends import Backend
from tests.contract.files.streams import Broken, broken_stream, content, stream, whole

from video_manager.errors import AlreadyExists, InvalidInput, NotFound
from video_manager.ports import FileStore

DATA = content("data", 2_500_000)
SHA256 = hashlib.sha256(DATA).hexdigest()


async def test_a_stream_is_stored_whole(files: FileStore) -> None:
    stored = await files.put("a", stream(DATA))
    assert (stored.id, stored.size_bytes, stored.sha256) == ("a", len(DATA), SHA256)
    assert datetime.now(UTC) - stored.created_at < timedelta(minutes=1)
    assert await files.stat("a") == stored
    assert await whole(files, "a") == DATA


async def test_an_empty_file_is_a_file(files: FileStore) -> None:
    stored = await files.put("empty", stream(b""))
    assert (stored.size_bytes, stored.sha256) == (0, hashlib.sha256(b"").hexdigest())
    assert await whole(files, "empty") == b""


async def test_an_id_is_taken_once(files: FileStore) -> None:
    await files.put("a", stream(b"first"))
    with pytest.raises(AlreadyExists, match="a"):
        await files.put("a", stream(b"second, and longer"))
    stored = await files.stat("a")
    assert stored is not None
    assert stored.sha256 == hashlib.sha256(b"first").hexdigest()
    assert await whole(files, "a") == b"first"


async def test_of_many_writers_of_one_id_one_wins_whole(files: FileStore) -> None:
    texts = [content(n, 200_000 + n) for n in range(6)]
    results = await asyncio.gather(*(files.put("a", stream(text)) for text in texts), return_exceptions=True)
    (winner,) = [text for text, result in zip(texts, results, strict=True) if not isinstance(result, BaseException)]
    assert all(isinstance(result, AlreadyExists) for result in results if isinstance(result, BaseException))
    stored = await files.stat("a")
    assert stored is not None
    assert stored.sha256 == hashlib.sha256(winner).hexdigest()
    assert await whole(files, "a") == winner


async def test_nothing_is_visible_before_the_last_byte(files: FileStore) -> None:
    last_byte = asyncio.Event()
    writing = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield DATA
        writing.set()
        await last_byte.wait()

    putting = asyncio.create_task(files.put("a", slow()))
    await writing.wait()
    assert await files.stat("a") is None
    assert [one async for one in files.list()] == []
    last_byte.set()
    await putting
    assert await files.stat("a") is not None


async def test_a_broken_stream_leaves_nothing(files: FileStore) -> None:
    before = (await files.use()).used_bytes
    with pytest.raises(Broken):
        await files.put("a", broken_stream(DATA))
    assert await files.stat("a") is None
    assert (await files.use()).used_bytes == before
    await files.put("a", stream(DATA))


async def test_a_cancelled_put_leaves_nothing(files: FileStore) -> None:
    started = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield content("x", 100_000)
            started.set()

    putting = asyncio.create_task(files.put("a", endless()))
    await started.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await files.stat("a") is None
    assert (await files.use()).used_bytes == 0


async def test_ranges(files: FileStore) -> None:
    """At the ends, and where the chunks of the stores meet (255 KiB, 1 MiB)."""
    await files.put("a", stream(DATA))
    chunk, mebibyte, last = 255 << 10, 1 << 20, len(DATA) - 1
    edges = (0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, mebibyte - 1, mebibyte + 1, last, last + 1, 9_000_000)
    for start, end in itertools.combinations_with_replacement((*edges, None), 2):
        if start is not None:
            assert await whole(files, "a", start, end) == DATA[start:end], (start, end)


async def test_chunks_are_at_most_one_mebibyte(files: FileStore) -> None:
    await files.put("a", stream(DATA, chunk_bytes=len(DATA)))
    assert max([len(chunk) async for chunk in files.read("a")]) <= 1 << 20


async def test_a_range_that_ends_before_it_starts_is_refused(files: FileStore) -> None:
    await files.put("a", stream(b"abc"))
    with pytest.raises(InvalidInput):
        await whole(files, "a", 2, 1)
    with pytest.raises(InvalidInput):
        await whole(files, "a", -1)


async def test_reading_what_is_not_there(files: FileStore, tmp_path: Path) -> None:
    assert await files.stat("nothing") is None
    with pytest.raises(NotFound, match="nothing"):
        await whole(files, "nothing")
    with pytest.raises(NotFound, match="nothing"):
        await files.fetch("nothing", tmp_path, "x.mp4")
    with pytest.raises(NotFound, match="nothing"):
        await files.copy("nothing", "b")
    assert not await files.delete("nothing")


async def test_a_local_file_is_stored(files: FileStore, tmp_path: Path) -> None:
    path = tmp_path / "render.mp4"
    path.write_bytes(DATA)
    stored = await files.put_path("a", path)
    assert (stored.size_bytes, stored.sha256) == (len(DATA), SHA256)
    assert await whole(files, "a") == DATA


async def test_a_local_file_from_another_file_system_is_stored(files: FileStore, small_disk: Path) -> None:
    path = small_disk / "render.mp4"
    path.write_bytes(DATA)
    stored = await files.put_path("a", path)
    assert stored.sha256 == SHA256
    assert await whole(files, "a") == DATA


async def test_a_local_file_that_is_missing_or_taken(files: FileStore, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"missing\.mp4"):
        await files.put_path("a", tmp_path / "missing.mp4")
    await files.put("a", stream(b"first"))
    path = tmp_path / "render.mp4"
    path.write_bytes(DATA)
    with pytest.raises(AlreadyExists):
        await files.put_path("a", path)
    assert await whole(files, "a") == b"first"


async def test_fetch_gives_a_local_file(files: FileStore, tmp_path: Path) -> None:
    await files.put("a", stream(DATA))
    path = await files.fetch("a", tmp_path, "source.mp4")
    assert path == tmp_path / "source.mp4"
    assert path.read_bytes() == DATA
    await files.put("b", stream(b"other"))
    again = await files.fetch("b", tmp_path, "source.mp4")
    assert again.read_bytes() == b"other"
    again.unlink()
    assert await whole(files, "b") == b"other"


async def test_a_fetched_file_outlives_the_stored_one(files: FileStore, tmp_path: Path) -> None:
    await files.put("a", stream(DATA))
    path = await files.fetch("a", tmp_path, "source.mp4")
    await files.delete("a")
    assert path.read_bytes() == DATA


async def test_fetch_to_another_file_system(files: FileStore, small_disk: Path) -> None:
    await files.put("a", stream(DATA))
    assert (await files.fetch("a", small_disk, "source.mp4")).read_bytes() == DATA


async def test_a_copy_is_independent(files: FileStore) -> None:
    await files.put("a", stream(DATA))
    copied = await files.copy("a", "b")
    assert (copied.id, copied.size_bytes, copied.sha256) == ("b", len(DATA), SHA256)
    assert await files.delete("a")
    assert await whole(files, "b") == DATA


async def test_copying_again_has_no_effect_and_other_bytes_are_kept(files: FileStore) -> None:
    await files.put("a", stream(DATA))
    assert await files.copy("a", "b") == await files.copy("a", "b")
    await files.put("c", stream(b"other"))
    with pytest.raises(AlreadyExists):
        await files.copy("a", "c")
    assert await whole(files, "c") == b"other"


async def test_a_deleted_file_is_gone_and_its_id_free(files: FileStore) -> None:
    await files.put("a", stream(DATA))
    assert await files.delete("a")
    assert await files.stat("a") is None
    assert not await files.delete("a")
    stored = await files.put("a", stream(b"again"))
    assert stored.sha256 == hashlib.sha256(b"again").hexdigest()


async def test_many_are_deleted_together(files: FileStore) -> None:
    sizes = {"small": 1, "empty": 0, "chunks": 3 << 20, "kept": 5}
    for id, size_bytes in sizes.items():
        await files.put(id, stream(content(id, size_bytes)))
    await files.delete_many(["small", "nothing", "chunks", "empty"])
    assert [one.id async for one in files.list()] == ["kept"]
    use = await files.use()
    assert (use.files, use.used_bytes) == (1, 5)
    await files.put("chunks", stream(b"again"))
    assert await whole(files, "chunks") == b"again"
    await files.delete_many([])
    await asyncio.gather(*(files.delete_many(["chunks", "kept"]) for _ in range(3)))
    assert (await files.use()).used_bytes == 0


async def test_a_file_being_read_can_be_deleted(files: FileStore) -> None:
    await files.put("a", stream(DATA))
    reading = files.read("a")
    first = await anext(reading)
    await files.delete("a")
    try:
        rest = b"".join([chunk async for chunk in reading])
    except NotFound:
        return  # a store may say that it is gone, but never end early without a word
    assert first + rest == DATA


async def test_list_and_use(files: FileStore) -> None:
    for n in range(5):
        await files.put(f"f{n}", stream(content(n, 1000)))
    await files.delete("f0")
    assert {(one.id, one.size_bytes) async for one in files.list()} == {(f"f{n}", 1000) for n in range(1, 5)}
    use = await files.use()
    assert (use.files, use.used_bytes) == (4, 4000)
    assert use.free_bytes is None or use.free_bytes > 0


async def test_the_room_in_use_is_right_again_after_any_bustle(files: FileStore) -> None:
    """It is asked while files come and go."""
    bustling = True

    async def come_and_go(name: str) -> None:
        for n in range(8):
            await files.put(f"{name}-{n}", stream(content(name, 1000)))
            await files.delete(f"{name}-{n}")

    async def look() -> None:
        while bustling:
            use = await files.use()
            assert use.files >= 0
            assert use.used_bytes >= 0
            await asyncio.sleep(0.001)

    looking = asyncio.create_task(look())
    await asyncio.gather(*(come_and_go(name) for name in "abcd"))
    bustling = False
    await looking
    await files.put("left", stream(b"12345"))
    async with asyncio.timeout(10):
        while ((use := await files.use()).files, use.used_bytes) != (1, 5):  # noqa: ASYNC110 - it can only be asked
            await asyncio.sleep(0.05)


async def test_files_outlive_the_store(files: FileStore, backend: Backend, place: str) -> None:
    stored = await files.put("a", stream(DATA))
    await files.append("u", 0, stream(b"piece"))
    second = backend.connect(place)
    await second.open()
    try:
        assert await second.stat("a") == stored
        assert await whole(second, "a") == DATA
        assert await second.length("u") == 5
    finally:
        await second.close()


async def test_ids_that_could_leave_the_store_are_refused(files: FileStore, tmp_path: Path) -> None:
    await files.put("good", stream(b"good"))
    local = tmp_path / "local"
    local.write_bytes(b"x")
    for id in ("", ".", "..", "...", "../a", "a/b", "/etc/passwd", "a\x00", "a\n", "ä", "a" * 121, "a b", "$where"):
        for refused in (
            files.put(id, stream(b"x")), files.put_path(id, local), whole(files, id), files.stat(id),
            files.delete(id), files.copy("good", id), files.append(id, 0, stream(b"x")), files.length(id),
            files.complete("u", id), files.complete(id, "u"), files.discard(id), files.fetch("good", tmp_path, id),
        ):  # fmt: skip
            with pytest.raises(InvalidInput):
                await refused


async def test_ids_that_are_plain_names_are_taken(files: FileStore) -> None:
    ids = ["a", "-rf", ".hidden", "a..b", "A_9.mp4", "a" * 120]
    for id in ids:
        await files.put(id, stream(b"x"))
    assert {one.id async for one in files.list()} == set(ids)
