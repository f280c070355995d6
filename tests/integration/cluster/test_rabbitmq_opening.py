"""What is said about a wrong address, wrong credentials, a missing permission, another server, and nobody."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pamqp.frame
import pytest
from pamqp import commands
from tests.integration.cluster.private_rabbitmq import PrivateRabbitMQ, private_rabbitmq
from tests.integration.cluster.rabbitmq_clients import new_prefix, rabbit
from tests.servers.processes import free_port

from video_manager.adapters.cluster.broker_address import BrokerAddress
from video_manager.adapters.cluster.bus import RabbitBus
from video_manager.errors import SettingsError, Unavailable

SETTING = "VIDEO_MANAGER_RABBITMQ_URL"
SECRET = "secret%2Fword"


@pytest.fixture(scope="module")
def server() -> Iterator[PrivateRabbitMQ]:
    with private_rabbitmq() as server:
        yield server


async def refusal(address: str, kind: type[Exception] = SettingsError, connect_seconds: float = 5) -> str:
    """What opening says."""
    bus = rabbit(address, new_prefix(), connect_seconds=connect_seconds)
    with pytest.raises(kind) as told:
        await bus.open()
    text = str(told.value)
    assert SETTING in text
    assert "secret" not in text
    return text


@pytest.mark.parametrize(
    "text", ["", "rabbitmq", "http://host/", "amqp://", f"amqp://u:{SECRET}@host:99999/", "amqp:/x"]
)
async def test_what_is_no_address(text: str) -> None:
    with pytest.raises(SettingsError, match=SETTING) as told:
        RabbitBus(text)
    assert "secret" not in str(told.value)
    assert "amqp://user:password@host:5672" in str(told.value)


def test_an_address_never_shows_its_password() -> None:
    address = BrokerAddress.parse(f"amqps://u:{SECRET}@host/studio?heartbeat=3")
    assert "secret" not in f"{address} {address!r}"
    assert str(address) == "host:5671"
    assert address.url.query["heartbeat"] == "3"


async def test_wrong_credentials(server: PrivateRabbitMQ) -> None:
    text = await refusal(server.address(user="nobody", password=SECRET))
    assert "refuses user 'nobody'" in text


async def test_a_missing_virtual_host(server: PrivateRabbitMQ) -> None:
    assert "virtual host 'nowhere'" in await refusal(server.address("nowhere"))


@pytest.mark.parametrize(("name", "rights"), [
    ("reader", ("", "", ".*")), ("writer", (".*", ".*", "")), ("talker", (".*", "", ".*")),
])  # fmt: skip
async def test_a_missing_permission(server: PrivateRabbitMQ, name: str, rights: tuple[str, str, str]) -> None:
    server.add_user(name, *rights)
    text = await refusal(server.address(user=name, password=name))
    assert f"user '{name}' lacks a permission" in text


async def test_permissions_below_the_prefix_are_enough(server: PrivateRabbitMQ) -> None:
    prefix = new_prefix()
    # Dead letters and hand-overs go through the default exchange, which is written to by the name amq.default.
    server.add_user("modest", f"^{prefix}.*", f"^({prefix}.*|amq\\\\.default)$", f"^{prefix}.*")
    bus = rabbit(server.address(user="modest", password="modest"), prefix)
    await bus.open()
    await bus.close()


async def test_nobody_there_is_waited_for_only_so_long() -> None:
    text = await refusal(f"amqp://u:{SECRET}@127.0.0.1:{free_port()}/", Unavailable, connect_seconds=0.3)
    assert "cannot be reached" in text
    assert "waited 0.3 s" in text


async def test_a_broker_that_comes_late_is_waited_for(server: PrivateRabbitMQ) -> None:
    await asyncio.to_thread(server.kill)
    bus = rabbit(server.address(), new_prefix(), connect_seconds=60)
    opening = asyncio.create_task(bus.open())
    await asyncio.to_thread(server.start)
    await opening
    await bus.close()


@asynccontextmanager
async def listening(greeting: bytes, then: bytes = b"") -> AsyncIterator[str]:
    """A server that says this to whoever connects, and that after each thing it hears."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(8)
        writer.write(greeting)
        try:
            while await reader.read(4096):
                writer.write(then)
                await writer.drain()
        except ConnectionError:
            pass  # the client has heard enough
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"amqp://u:{SECRET}@127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.parametrize(("product", "version"), [("RabbitMQ", "3.9.29"), ("LavinMQ", "2.4.0")])
async def test_a_server_that_is_not_fit(product: str, version: str) -> None:
    def frame(command: object) -> bytes:
        return bytes(pamqp.frame.marshal(command, 0))

    properties = {"product": product, "version": version, "capabilities": {}}
    start = frame(commands.Connection.Start(server_properties=properties, mechanisms="PLAIN", locales="en_US"))
    tune = frame(commands.Connection.Tune(channel_max=10, frame_max=131072, heartbeat=60))
    async with listening(start, tune + frame(commands.Connection.OpenOk())) as address:
        text = await refusal(address)
    assert f"answers {product} {version}; RabbitMQ 3.10 or later is needed" in text


async def test_a_server_that_speaks_something_else() -> None:
    async with listening(b"AMQP\x00\x01\x00\x00") as address:
        assert "does not speak AMQP 0-9-1" in await refusal(address)
