"""A TCP proxy that does to connections what networks do: cut them half-way, delay what they carry, stand still."""

import asyncio
import socket
import struct
from enum import Enum
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK_BYTES = 65536
_MOST_CHUNKS = 64
"""On their way in one direction; more wait at the sender."""
_ROUNDS = 5
"""Of the event loop, until asyncio has closed a listening socket and handed over what that had accepted."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER that makes closing a reset: the peer sees a lost connection, no orderly end."""


class Direction(Enum):
    TO_SERVER = "to server"
    TO_CLIENT = "to client"


class TcpProxy:
    """Listens on a port of its own and passes everything on to `target_port`. Runs in the event loop that enters it."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._budgets: dict[Direction, int] = {}
        self.port = 0
        self.delay_seconds = 0.0
        """How much later everything arrives, in each direction. It keeps its order and its rate."""
        self.accepted = 0
        """How many connections were made so far."""
        self.passed_bytes = dict.fromkeys(Direction, 0)

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.refuse()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def through(self, url: str) -> str:
        """The address that leads through this proxy to what the address names."""
        parts = urlsplit(url)
        credentials, at, _ = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{credentials}{at}127.0.0.1:{self.port}").geturl()

    # ---- faults -------------------------------------------------------------------------------------------

    def cut(self) -> None:
        """Reset every open connection. New ones are accepted."""
        for connection in list(self._connections):
            connection.reset()

    def cut_after(self, byte_count: int, direction: Direction) -> None:
        """Let that many more bytes pass in that direction, of all connections together, then reset them all: in the
        middle of a frame, or with a request delivered whose answer is lost. Happens once."""
        self._budgets[direction] = byte_count

    def silence(self) -> None:
        """Open connections carry nothing more and are not closed, as when a firewall on the way has forgotten them.
        New ones work."""
        for connection in self._connections:
            connection.silent = True

    def pause(self) -> None:
        """Nothing passes in either direction and nothing is closed: a peer sees silence."""
        self._flowing.clear()

    def resume(self) -> None:
        """What was sent meanwhile arrives now."""
        self._flowing.set()

    async def refuse(self) -> None:
        """Refuse new connections, as when nothing listens. Open ones stay."""
        if self._server is not None:
            server, self._server = self._server, None
            server.close()
            for _ in range(_ROUNDS):
                await asyncio.sleep(0)

    async def accept(self) -> None:
        """Accept connections again, on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    # ---- passing on ---------------------------------------------------------------------------------------

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """In a task of our own: asyncio says nothing of the end of those it makes for a server."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            server_reader, server_writer = await asyncio.open_connection(*self._target)
        except OSError:
            return
        else:
            await self._join(reader, writer, server_reader, server_writer)
        finally:
            _reset(writer)

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server_reader: asyncio.StreamReader,
        server_writer: asyncio.StreamWriter,
    ) -> None:  # fmt: skip
        connection = _Connection(writer, server_writer)
        self._connections.add(connection)
        ways = [
            asyncio.create_task(self._pass_on(connection, reader, server_writer, Direction.TO_SERVER)),
            asyncio.create_task(self._pass_on(connection, server_reader, writer, Direction.TO_CLIENT)),
        ]
        try:
            await asyncio.wait(ways)
        finally:
            connection.reset()
            self._connections.discard(connection)
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)

    async def _pass_on(
        self, connection: "_Connection", reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Direction
    ) -> None:
        """Until this direction ends; its orderly end is passed on as well, and that one side resets it."""
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_MOST_CHUNKS)
        deliver = asyncio.create_task(self._deliver(connection, chunks, writer, way))
        loop = asyncio.get_running_loop()
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                await chunks.put((loop.time() + self.delay_seconds, chunk))
            await chunks.put((loop.time() + self.delay_seconds, b""))
            await deliver
        except ConnectionError:
            if connection.silent:  # not even its end is heard
                await asyncio.get_running_loop().create_future()
            connection.reset()
        finally:
            deliver.cancel()
            await asyncio.wait({deliver})

    async def _deliver(
        self, connection: "_Connection", chunks: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter,
        way: Direction,
    ) -> None:  # fmt: skip
        loop = asyncio.get_running_loop()
        try:
            while True:
                due_at, chunk = await chunks.get()
                await asyncio.sleep(max(0.0, due_at - loop.time()))
                await self._flowing.wait()
                if connection.silent:
                    continue
                if not chunk:
                    writer.write_eof()
                    return
                await self._write(chunk, writer, way)
        except ConnectionError:
            connection.reset()

    async def _write(self, chunk: bytes, writer: asyncio.StreamWriter, way: Direction) -> None:
        budget = self._budgets.get(way)
        part = chunk if budget is None else chunk[:budget]
        if budget is not None:
            self._budgets[way] = budget - len(part)
        writer.write(part)
        await writer.drain()
        self.passed_bytes[way] += len(part)
        if self._budgets.get(way) == 0:
            del self._budgets[way]
            self.cut()


class _Connection:
    def __init__(self, *writers: asyncio.StreamWriter) -> None:
        self.silent = False
        self._writers = writers
        for writer in writers:
            writer.transport.set_write_buffer_limits(high=0)  # so that draining waits until the kernel has it all

    def reset(self) -> None:
        for writer in self._writers:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
