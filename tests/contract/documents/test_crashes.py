"""Killed processes."""

import asyncio
from collections.abc import Callable

import pytest
from tests.contract.documents.backends import THINGS, Backend

from video_manager.ports import Query


@pytest.mark.slow
async def test_kill_9_loses_no_acknowledged_write_and_leaves_none_half(
    backend: Backend, backend_name: str, place: str, kill_after: Callable[..., list[str]], kills: int
) -> None:
    acknowledged: set[tuple[str, str]] = set()
    for run in range(kills):
        lines = await asyncio.to_thread(kill_after, "tests.contract.documents.writer", backend_name, place, str(run))
        acknowledged |= {(verb, id) for verb, id in map(str.split, lines)}
    store = backend.connect(place)
    await store.open()
    await store.register(THINGS)
    try:
        revisions = {one.id: one for one in await store.find("things", Query(limit=1_000_000))}
        outboxes = {one.id: len(one.messages) for one in await store.unsent(limit=1_000_000)}
    finally:
        await store.close()
    assert len(acknowledged) > kills
    lost = [(verb, id) for verb, id in acknowledged if id not in revisions]
    lost += [("replaced", id) for verb, id in acknowledged if verb == "replaced" and revisions[id].revision != 2]
    assert lost == []
    for id, stored in revisions.items():
        whole = (stored.body["n"], outboxes[id], len(stored.handled))
        assert whole == ((0, 1, 0) if stored.revision == 1 else (1, 2, 1)), f"{id} was half written"
