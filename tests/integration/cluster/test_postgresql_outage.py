"""PostgreSQL killed, hanging and coming back, under an open warehouse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from tests.contract.warehouse.test_warehouse_contract import ALWAYS, STORY, everything, stated, write
from tests.integration.cluster.private_postgresql import PASSWORD, PrivatePostgresql

from video_manager.adapters.warehouse import SqlWarehouse, database
from video_manager.domain.metrics import Metric
from video_manager.errors import Unavailable


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgresql]:
    private = PrivatePostgresql()
    yield private
    private.remove()


@pytest.fixture
async def warehouse(server: PrivatePostgresql) -> AsyncIterator[SqlWarehouse]:
    await asyncio.to_thread(server.start)
    opened = SqlWarehouse(server.address)
    await opened.open()
    await opened.rebuild(_nothing())
    yield opened
    await opened.close()


async def _nothing() -> AsyncIterator[object]:
    return
    yield


async def views(warehouse: SqlWarehouse) -> float:
    return sum((await warehouse.publication_peaks(Metric.VIEWS, ALWAYS[1])).values())


async def test_a_killed_server_is_unavailable_and_comes_back_by_itself(
    server: PrivatePostgresql, warehouse: SqlWarehouse
) -> None:
    await write(warehouse, *STORY)
    expected = await everything(warehouse)
    for _ in range(2):
        server.kill()
        with pytest.raises(Unavailable, match="the warehouse did not answer") as caught:
            await warehouse.last_as_of()
        assert PASSWORD not in str(caught.value)
        with pytest.raises(Unavailable):
            await warehouse.write(stated("p1", 1, 1))
        await asyncio.to_thread(server.start)
        assert await everything(warehouse) == expected
        await write(warehouse, *STORY)
    assert await everything(warehouse) == expected


async def test_a_server_that_hangs_is_unavailable(
    server: PrivatePostgresql, warehouse: SqlWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_ANSWER_SECONDS", 0.5)
    await warehouse.write(stated("p1", 1, 1))
    server.pause()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match="no answer in time"):
                await warehouse.last_as_of()
            with pytest.raises(Unavailable, match="no answer in time"):
                await warehouse.write(stated("p1", 2, 2))
    finally:
        server.resume()
    monkeypatch.undo()
    await warehouse.write(stated("p1", 3, 5))
    assert await views(warehouse) == 5


async def test_a_rebuild_cut_short_leaves_the_old(server: PrivatePostgresql, warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    expected = await everything(warehouse)

    async def killing() -> AsyncIterator[object]:
        yield stated("p1", 50, 50)
        await asyncio.to_thread(server.kill)
        yield stated("p1", 51, 51)

    with pytest.raises(Unavailable):
        await warehouse.rebuild(killing())
    await asyncio.to_thread(server.start)
    assert await everything(warehouse) == expected


async def test_a_start_waits_for_a_server_that_starts_later(server: PrivatePostgresql, warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    server.kill()
    early = SqlWarehouse(server.address, connect_seconds=120)
    opening = asyncio.create_task(early.open())
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)
    await opening
    assert await views(early) == 7
    await early.close()


async def test_a_start_ends_when_nothing_answers(server: PrivatePostgresql, warehouse: SqlWarehouse) -> None:
    server.kill()
    early = SqlWarehouse(server.address, connect_seconds=0.5)
    with pytest.raises(
        Unavailable, match=r"VIDEO_MANAGER_WAREHOUSE_URL names .*which does not answer: Connect"
    ) as caught:
        await early.open()
    assert PASSWORD not in caught.value.detail
    await early.close()


async def test_a_server_that_takes_no_more_connections_is_unavailable(
    server: PrivatePostgresql, warehouse: SqlWarehouse
) -> None:
    taken = []
    try:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while len(taken) < 100:
                taken.append(await asyncpg.connect(server.address))
        late = SqlWarehouse(server.address, connect_seconds=0)
        with pytest.raises(Unavailable, match=r"which does not answer: .*too many clients"):
            await late.open()
        await late.close()
    finally:
        for connection in taken:
            await connection.close()
    assert await views(warehouse) == 0
