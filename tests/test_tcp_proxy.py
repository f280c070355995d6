"""The proxy's faults, as both ends see them."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from tests.tcp_proxy import Direction, TcpProxy

BOUND_SECONDS = 20


class Echo:
    """Sends back what it gets, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                self.heard += chunk
                writer.write(chunk)
                await writer.drain()
        except ConnectionError:
            self.lost.set()
        finally:
            writer.close()


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[TcpProxy]:
    server = await asyncio.start_server(echo.take, "127.0.0.1", 0)
    async with server, TcpProxy(server.sockets[0].getsockname()[1]) as proxy, asyncio.timeout(BOUND_SECONDS):
        yield proxy
    await asyncio.wait_for(asyncio.gather(*echo.tasks), BOUND_SECONDS)  # all end with the proxy


@pytest.fixture
async def line(proxy: TcpProxy) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def test_everything_passes_in_order_and_so_does_the_end(proxy: TcpProxy, line: Line) -> None:
    reader, writer = line
    sent = b"".join(number.to_bytes(4, "big") for number in range(300_000))

    async def send() -> None:
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    _, heard = await asyncio.gather(send(), reader.read())
    assert heard == sent
    assert proxy.passed_bytes == dict.fromkeys(Direction, len(sent))


async def test_a_cut_is_a_reset_at_both_ends_and_later_connections_work(
    proxy: TcpProxy, echo: Echo, line: Line
) -> None:
    reader, writer = line
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    await echo.lost.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"again")
    assert await reader.readexactly(5) == b"again"
    assert proxy.accepted == 2
    writer.close()


async def test_a_request_cut_half_way(proxy: TcpProxy, echo: Echo, line: Line) -> None:
    reader, writer = line
    proxy.cut_after(3, Direction.TO_SERVER)
    writer.write(b"request")
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(7)
    await echo.lost.wait()
    assert echo.heard in (b"req", b"")  # a reset may overtake what was sent before it
    assert proxy.passed_bytes[Direction.TO_SERVER] == 3


async def test_an_answer_that_is_lost(proxy: TcpProxy, echo: Echo, line: Line) -> None:
    reader, writer = line
    proxy.cut_after(0, Direction.TO_CLIENT)
    writer.write(b"request")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert echo.heard == b"request"
    assert proxy.passed_bytes[Direction.TO_CLIENT] == 0


async def test_a_pause_is_silence_and_loses_nothing(proxy: TcpProxy, echo: Echo, line: Line) -> None:
    reader, writer = line
    proxy.pause()
    writer.write(b"one")
    await asyncio.sleep(0.1)  # enough for it to have passed, if it could
    assert echo.heard == b""
    proxy.resume()
    assert await reader.readexactly(3) == b"one"


async def test_a_delay_holds_back_each_direction(proxy: TcpProxy, line: Line) -> None:
    reader, writer = line
    proxy.delay_seconds = 0.1
    loop = asyncio.get_running_loop()
    started = loop.time()
    writer.write(b"one")
    assert await reader.readexactly(3) == b"one"
    assert loop.time() - started >= 0.2


async def test_it_can_refuse_and_accept_again_on_its_port(proxy: TcpProxy) -> None:
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    await proxy.accept()
    assert proxy.port == port
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()


async def test_a_target_that_is_down_is_a_lost_connection(free_port: int) -> None:
    async with TcpProxy(free_port) as proxy, asyncio.timeout(BOUND_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_addresses_lead_through_it(proxy: TcpProxy) -> None:
    here = f"127.0.0.1:{proxy.port}"
    assert proxy.through("amqp://vm:pw@127.0.0.1:5672/vhost") == f"amqp://vm:pw@{here}/vhost"
    assert proxy.through("mongodb://127.0.0.1:1/?directConnection=true") == f"mongodb://{here}/?directConnection=true"


async def test_a_reset_by_the_server_reaches_the_client() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    async with server, TcpProxy(server.sockets[0].getsockname()[1]) as proxy, asyncio.timeout(BOUND_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()


async def test_silence_is_for_open_connections_only(proxy: TcpProxy, line: Line, echo: Echo) -> None:
    reader, writer = line
    writer.write(b"a")
    assert await reader.readexactly(1) == b"a"
    proxy.silence()
    writer.write(b"b")
    new_reader, new_writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    new_writer.write(b"c")
    assert await new_reader.readexactly(1) == b"c"
    assert echo.heard == b"ac"
    new_writer.close()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.1)
