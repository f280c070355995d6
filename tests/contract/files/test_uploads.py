"""Pieces of unfinished uploads."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from tests.contract.files.backends import Backend
from tests.contract.files.streams import Broken, broken_stream, content, stream, whole

from video_manager.errors import AlreadyExists, Conflict, NotFound
from video_manager.ports import FileStore

DATA = content("upload", 1_200_000)
HALF = 600_001


async def test_pieces_become_a_file(files: FileStore) -> None:
    assert await files.length("u") == 0
    assert await files.append("u", 0, stream(DATA[:HALF])) == HALF
    assert await files.length("u") == HALF
    assert await files.append("u", HALF, stream(DATA[HALF:])) == len(DATA)
    assert await files.stat("a") is None
    stored = await files.complete("u", "a")
    assert (stored.id, stored.size_bytes, stored.sha256) == ("a", len(DATA), hashlib.sha256(DATA).hexdigest())
    assert await whole(files, "a") == DATA
    assert await files.length("u") == 0


async def test_a_wrong_offset_is_refused_and_changes_nothing(files: FileStore) -> None:
    await files.append("u", 0, stream(DATA[:HALF]))
    for offset in (0, HALF - 1, HALF + 1, 10**12):
        with pytest.raises(Conflict, match=str(HALF)):
            await files.append("u", offset, stream(b"x"))
        assert await files.length("u") == HALF
    await files.append("u", HALF, stream(DATA[HALF:]))
    assert (await files.complete("u", "a")).sha256 == hashlib.sha256(DATA).hexdigest()


async def test_pieces_of_any_size(files: FileStore) -> None:
    """Smaller and larger than what the stores keep together, and exactly that."""
    chunk = 255 << 10
    offset = 0
    for size in (1, chunk - 2, 1, chunk, 0, 2 * chunk, 7, len(DATA)):
        offset = await files.append("u", offset, stream(DATA[offset : offset + size], 33_333))
        assert await files.length("u") == offset
    stored = await files.complete("u", "a")
    assert (stored.size_bytes, stored.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
    assert await whole(files, "a") == DATA


async def test_a_store_that_did_not_receive_the_bytes_completes_them(
    files: FileStore, backend: Backend, place: str
) -> None:
    """As behind a balancer, where every request may reach another replica."""
    second = backend.connect(place)
    await second.open()
    try:
        for upload, completing in (("u", files), ("v", second)):
            await files.append(upload, 0, stream(DATA[:HALF]))
            await second.append(upload, HALF, stream(DATA[HALF : HALF + 9]))
            await files.append(upload, HALF + 9, stream(DATA[HALF + 9 :]))
            assert (await completing.complete(upload, upload)).sha256 == hashlib.sha256(DATA).hexdigest()
            assert await files.stat(upload) == await second.stat(upload)
    finally:
        await second.close()


async def test_an_unknown_upload_starts_at_zero(files: FileStore) -> None:
    with pytest.raises(Conflict):
        await files.append("u", 1, stream(b"x"))
    assert await files.length("u") == 0
    with pytest.raises(NotFound, match="u"):
        await files.complete("u", "a")


async def test_what_arrived_before_a_broken_connection_stays(files: FileStore) -> None:
    with pytest.raises(Broken):
        await files.append("u", 0, broken_stream(DATA[:HALF]))
    assert await files.length("u") == HALF
    await files.append("u", HALF, stream(DATA[HALF:]))
    assert (await files.complete("u", "a")).sha256 == hashlib.sha256(DATA).hexdigest()


async def test_what_arrived_before_a_cancellation_stays(files: FileStore) -> None:
    sent = 0
    waiting = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        nonlocal sent
        for start in range(0, HALF, 1000):
            yield DATA[start : start + 1000]
            sent = start + 1000
            if sent >= 50_000:
                waiting.set()
            await asyncio.sleep(0)

    appending = asyncio.create_task(files.append("u", 0, slow()))
    await waiting.wait()
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    length = await files.length("u")
    assert length >= 50_000
    await files.append("u", length, stream(DATA[length:]))
    assert (await files.complete("u", "a")).sha256 == hashlib.sha256(DATA).hexdigest()


async def test_two_senders_at_once_never_mix(files: FileStore) -> None:
    results = await asyncio.gather(
        *(files.append("u", 0, stream(DATA[:HALF], chunk_bytes=10_000)) for _ in range(4)), return_exceptions=True
    )
    assert results.count(HALF) == 1
    assert all(isinstance(result, Conflict) for result in results if result != HALF)
    await files.append("u", HALF, stream(DATA[HALF:]))
    assert (await files.complete("u", "a")).sha256 == hashlib.sha256(DATA).hexdigest()


async def test_completing_again_has_no_effect(files: FileStore) -> None:
    await files.append("u", 0, stream(DATA))
    first = await files.complete("u", "a")
    assert await files.complete("u", "a") == first


async def test_completing_at_once_gives_one_file(files: FileStore) -> None:
    await files.append("u", 0, stream(DATA))
    results = await asyncio.gather(*(files.complete("u", "a") for _ in range(4)))
    assert {result.sha256 for result in results} == {hashlib.sha256(DATA).hexdigest()}
    assert [one.id async for one in files.list()] == ["a"]


async def test_completing_under_a_taken_id_keeps_both(files: FileStore) -> None:
    await files.put("a", stream(b"other"))
    await files.append("u", 0, stream(DATA))
    with pytest.raises(AlreadyExists):
        await files.complete("u", "a")
    assert await whole(files, "a") == b"other"
    assert (await files.complete("u", "b")).size_bytes == len(DATA)


async def test_an_empty_upload(files: FileStore) -> None:
    assert await files.append("u", 0, stream(b"")) == 0
    assert (await files.complete("u", "a")).size_bytes == 0


async def test_discard(files: FileStore) -> None:
    await files.append("u", 0, stream(DATA))
    await files.discard("u")
    await files.discard("u")
    assert await files.length("u") == 0
    assert (await files.use()).used_bytes == 0
    with pytest.raises(NotFound):
        await files.complete("u", "a")
