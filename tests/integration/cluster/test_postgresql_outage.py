"""PostgreSQL killed, hanging and coming back, under an open warehouse."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from tests.contract.warehouse.backends import run_sql
from tests.contract.warehouse.test_warehouse_contract import ALWAYS, STORY, everything, stated, write
from tests.servers.postgres import PostgreSQL
from tests.services import private_server

from video_manager.adapters.warehouse import SqlWarehouse, database
from video_manager.domain.metrics import Metric
from video_manager.errors import Unavailable


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with private_server(PostgreSQL) as private:
        run_sql(
            private.url, "alter system set max_connections = 20", "alter system set superuser_reserved_connections = 0"
        )
        private.restart()
        yield private


def serve(server: PostgreSQL) -> None:
    server.start()
    server.wait_ready()


def password_of(server: PostgreSQL) -> str:
    return str(make_url(server.url).password)


@pytest.fixture
async def warehouse(server: PostgreSQL) -> AsyncIterator[SqlWarehouse]:
    await asyncio.to_thread(serve, server)
    opened = SqlWarehouse(server.url)
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
    server: PostgreSQL, warehouse: SqlWarehouse
) -> None:
    await write(warehouse, *STORY)
    expected = await everything(warehouse)
    for _ in range(2):
        server.kill()
        with pytest.raises(Unavailable, match="the warehouse did not answer") as caught:
            await warehouse.last_as_of()
        assert password_of(server) not in str(caught.value)
        with pytest.raises(Unavailable):
            await warehouse.write(stated("p1", 1, 1))
        await asyncio.to_thread(serve, server)
        assert await everything(warehouse) == expected
        await write(warehouse, *STORY)
    assert await everything(warehouse) == expected


async def test_a_server_that_hangs_is_unavailable(
    server: PostgreSQL, warehouse: SqlWarehouse, monkeypatch: pytest.MonkeyPatch
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


async def test_a_rebuild_cut_short_leaves_the_old(server: PostgreSQL, warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    expected = await everything(warehouse)

    async def killing() -> AsyncIterator[object]:
        yield stated("p1", 50, 50)
        await asyncio.to_thread(server.kill)
        yield stated("p1", 51, 51)

    with pytest.raises(Unavailable):
        await warehouse.rebuild(killing())
    await asyncio.to_thread(serve, server)
    assert await everything(warehouse) == expected


async def test_a_start_waits_for_a_server_that_starts_later(server: PostgreSQL, warehouse: SqlWarehouse) -> None:
    await write(warehouse, *STORY)
    server.kill()
    early = SqlWarehouse(server.url, connect_seconds=120)
    opening = asyncio.create_task(early.open())
    await asyncio.sleep(0)
    await asyncio.to_thread(serve, server)
    await opening
    assert await views(early) == 7
    await early.close()


async def test_a_start_ends_when_nothing_answers(server: PostgreSQL, warehouse: SqlWarehouse) -> None:
    server.kill()
    early = SqlWarehouse(server.url, connect_seconds=0.5)
    with pytest.raises(
        Unavailable, match=r"VIDEO_MANAGER_WAREHOUSE_URL names .*which does not answer: Connect"
    ) as caught:
        await early.open()
    assert password_of(server) not in caught.value.detail
    await early.close()


async def test_a_server_that_takes_no_more_connections_is_unavailable(
    server: PostgreSQL, warehouse: SqlWarehouse
) -> None:
    taken = []
    try:
        with contextlib.suppress(asyncpg.TooManyConnectionsError):
            while len(taken) < 100:
                taken.append(await asyncpg.connect(server.url.replace("+asyncpg", "")))
        late = SqlWarehouse(server.url, connect_seconds=0)
        with pytest.raises(Unavailable, match=r"which does not answer: .*too many clients"):
            await late.open()
        await late.close()
    finally:
        for connection in taken:
            await connection.close()
    assert await views(warehouse) == 0
