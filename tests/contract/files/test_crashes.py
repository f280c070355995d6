"""Killed processes and full disks."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.contract.files.backends import Backend
from tests.contract.files.streams import content, stream
from tests.contract.files.writer import SIZE_BYTES, data_of

from video_manager.errors import StorageFull
from video_manager.ports import FileStore


@pytest.mark.slow
async def test_kill_9_loses_no_acknowledged_byte_and_shows_no_half_file(
    backend: Backend, backend_name: str, place: str, kill_after: Callable[..., list[str]], kills: int
) -> None:
    there: set[str] = set()
    gone: set[str] = set()
    pieces: dict[str, int] = {}
    for run in range(kills):
        for line in await asyncio.to_thread(kill_after, "tests.contract.files.writer", backend_name, place, str(run)):
            verb, id, *rest = line.split()
            match verb:
                case "file":
                    there.add(id)
                case "gone":
                    gone.add(id)
                case "piece":
                    pieces[id] = int(rest[0])
    files = backend.connect(place)
    await files.open()
    try:
        visible = {one.id for one in [one async for one in files.list()]}
        assert there - gone - visible <= _deleted_last(there), "acknowledged files are lost"
        assert not gone & visible
        for id in visible:
            stored = await files.stat(id)
            assert stored is not None
            expected = data_of(id)
            assert (stored.size_bytes, stored.sha256) == (SIZE_BYTES, hashlib.sha256(expected).hexdigest()), id
        for id, length in pieces.items():
            if id not in visible:
                kept = await files.length(id)
                assert kept >= length, f"{id} lost acknowledged pieces"
                await files.append(id, kept, stream(data_of(id)[kept:]))
            stored = await files.complete(id, id)
            assert stored.sha256 == hashlib.sha256(data_of(id)).hexdigest(), id
        for run in range(kills):
            # The one that was begun and killed before its first piece was acknowledged.
            begun = sum(id.startswith(f"upload-{run}-") for id in pieces)
            await files.discard(f"upload-{run}-{begun}")
        use = await files.use()
        assert use.used_bytes <= use.files * SIZE_BYTES, "leftovers take space"
    finally:
        await files.close()
    assert there or pieces, "nothing was acknowledged: nothing was tested"


def _deleted_last(there: set[str]) -> set[str]:
    """Of each run, the file whose deletion may have happened without its acknowledgement."""
    copied = {id.removesuffix(".copy") for id in there if id.endswith(".copy")}
    return {id for id in there if id in copied}


async def test_no_space_for_a_working_copy(files: FileStore, small_disk: Path) -> None:
    await files.put("a", stream(content(1, 8_000_000)))
    with pytest.raises(StorageFull, match="a"):
        await files.fetch("a", small_disk, "source.mp4")
    assert os.listdir(small_disk) == []  # noqa: PTH208 - nothing blocks here
