"""What a start says about a MongoDB that is wrong, refuses, is too old or not there."""

import asyncio
import struct
from collections.abc import Iterator

import pytest
from pymongo import MongoClient
from tests.integration.cluster.driver_sockets import LEFT_SOCKETS, collect_left_sockets
from tests.integration.cluster.mongodb_proxy import MongodbProxy
from tests.integration.cluster.private_mongodb import (
    ADDRESS_PASSWORD,
    PASSWORD,
    PrivateMongodb,
    mongodb_address,
    private_mongodb,
)

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.errors import SettingsError, Unavailable
from video_manager.ports import CollectionSpec

__all__ = ["collect_left_sockets"]
pytestmark = LEFT_SOCKETS


@pytest.fixture(scope="module")
def guarded() -> Iterator[PrivateMongodb]:
    """A server that wants credentials: `owner` may do all, `reader` only read."""
    with private_mongodb() as server:
        with MongoClient[dict[str, object]](server.address()) as client:
            client.admin.command("createUser", "owner", pwd=PASSWORD, roles=["root"])
            client.admin.command("createUser", "reader", pwd=PASSWORD, roles=[{"role": "read", "db": "studio"}])
        server.flags = ("--auth",)
        server.restart()
        yield server


async def _refusal(address: str, error: type[Exception] = SettingsError, connect_seconds: float = 5) -> str:
    connection = MongoConnection(address, connect_seconds)
    with pytest.raises(error) as caught:
        await connection.open()
    await connection.close()
    text = str(caught.value)
    assert "VIDEO_MANAGER_MONGODB_URL" in text
    assert PASSWORD not in text
    assert ADDRESS_PASSWORD not in text
    return text


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://mongodb/studio", "must look like mongodb://"),
        ("mongodb://owner:priv@te/word@mongodb/studio", "escaped"),
        (f"mongodb://owner:{ADDRESS_PASSWORD}@mongodb", "names no database"),
        (f"mongodb://owner:{ADDRESS_PASSWORD}@mongodb/studio?retrywrite=true", "retrywrite"),
        (f"mongodb://owner:{ADDRESS_PASSWORD}@mongodb/studio?timeoutMS=soon", "timeoutms"),
        (f"mongodb://owner:{ADDRESS_PASSWORD}@/studio", "host"),
    ],
)
async def test_a_wrong_address_is_said_before_anything_is_connected(address: str, said: str) -> None:
    assert said in (await _refusal(address)).lower()


async def test_nobody_there_is_said_after_the_time_to_wait() -> None:
    text = await _refusal(mongodb_address(1, user=f"owner:{ADDRESS_PASSWORD}@"), Unavailable, connect_seconds=0)
    assert "127.0.0.1:1 did not answer" in text


async def test_a_server_that_starts_later_is_waited_for() -> None:
    with private_mongodb() as server:
        server.kill()
        connection = MongoConnection(server.address(), connect_seconds=60)
        opening = asyncio.create_task(connection.open())
        await asyncio.sleep(0.3)
        assert not opening.done()
        await asyncio.to_thread(server.restart)
        await opening
        await connection.ping()
        await connection.close()


async def test_right_credentials_open_it(guarded: PrivateMongodb) -> None:
    connection = MongoConnection(guarded.address("authSource=admin", user=f"owner:{ADDRESS_PASSWORD}@"))
    await connection.open()
    assert connection.database.name == "studio"
    assert await connection.database["access.probe"].count_documents({}) == 0, "the probe leaves nothing behind"
    await connection.close()


async def test_a_wrong_password_is_said(guarded: PrivateMongodb) -> None:
    text = await _refusal(guarded.address("authSource=admin", user="owner:wrong@"))
    assert "refuses the credentials" in text
    assert "wrong" not in text


@pytest.mark.parametrize("user", ["", f"reader:{ADDRESS_PASSWORD}@"], ids=["none", "reader"])
async def test_a_missing_permission_is_said(guarded: PrivateMongodb, user: str) -> None:
    text = await _refusal(guarded.address("authSource=admin", user=user))
    assert "readWrite" in text
    assert "'studio'" in text


@pytest.mark.parametrize("wire_version", [13, 3], ids=["5.0", "older than the driver knows"])
async def test_a_server_that_is_too_old_is_refused(guarded: PrivateMongodb, wire_version: int) -> None:
    """The server is a new one whose greeting is made older on its way."""
    with MongoClient[dict[str, object]](guarded.address()) as client:
        new = struct.pack("<i", client.admin.command("hello")["maxWireVersion"])
    old = struct.pack("<i", wire_version)
    proxy = MongodbProxy(guarded.port, rewrites=((b"maxWireVersion\0" + new, b"maxWireVersion\0" + old),))
    await proxy.start()
    try:
        address = mongodb_address(proxy.port, "authSource=admin", user=f"owner:{ADDRESS_PASSWORD}@")
        assert "too old" in await _refusal(address)
    finally:
        await proxy.stop()


async def test_the_stores_share_one_connection_and_the_last_one_closes_it(guarded: PrivateMongodb) -> None:
    connection = MongoConnection(guarded.address("authSource=admin", user=f"owner:{ADDRESS_PASSWORD}@"))
    first, second = MongoDocuments(connection), MongoDocuments(connection)
    await asyncio.gather(first.open(), second.open())
    await first.close()
    await first.close()
    await second.register(CollectionSpec("things"))
    assert await second.get("things", "a") is None
    await second.close()
    with pytest.raises(RuntimeError, match="not open"):
        _ = connection.database


async def test_a_role_that_is_taken_away_later_is_said(guarded: PrivateMongodb) -> None:
    with MongoClient[dict[str, object]](
        guarded.address("authSource=admin"), username="owner", password=PASSWORD
    ) as client:
        client.admin.command("createUser", "guest", pwd="guest", roles=[{"role": "readWrite", "db": "studio"}])
        store = MongoDocuments(MongoConnection(guarded.address("authSource=admin", user="guest:guest@")))
        await store.open()
        await store.register(CollectionSpec("things"))
        client.admin.command("updateUser", "guest", roles=[])
    # This server looks at the roles when somebody signs in.
    await asyncio.to_thread(guarded.restart)
    try:
        with pytest.raises(SettingsError, match="refuses this user"):
            await store.insert("things", "a", {"id": "a"})
    finally:
        await store.close()


async def test_a_server_without_a_replica_set_will_do_and_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with private_mongodb() as server:
        server.flags = ("--standalone",)
        await asyncio.to_thread(server.restart)
        store = MongoDocuments(MongoConnection(server.address()))
        await store.open()
        await store.register(CollectionSpec("things"))
        await store.insert("things", "a", {"id": "a"})
        assert await store.replace("things", "a", 1, {"id": "a"}) == 2
        await store.close()
    assert "no replica set" in caplog.text
