"""Between a client and MongoDB: passes whole messages on, loses the answers it is told to lose, changes what it is told
to change."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field


async def _nothing() -> None:
    pass


@dataclass
class MongodbProxy:
    """`lose` answers to messages that contain `command` are lost: the server has done its work, the connection is
    closed instead. `after_loss` runs before the client learns of it. `rewrites` replace bytes by as many in answers."""

    target_port: int
    command: bytes = b""
    lose: int = 0
    after_loss: Callable[[], Awaitable[None]] = _nothing
    rewrites: tuple[tuple[bytes, bytes], ...] = ()
    lost: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        to_server: asyncio.StreamWriter | None = None
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target_port)
            losing = asyncio.Event()
            requests = asyncio.create_task(self._pass_requests(from_client, to_server, losing))
            try:
                await self._pass_answers(from_server, to_client, losing)
            finally:
                requests.cancel()
                await asyncio.gather(requests, return_exceptions=True)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one side is gone: the other one is told below
        finally:
            for writer in (to_client, to_server):
                if writer is not None:
                    writer.close()
                    with suppress(OSError):
                        await writer.wait_closed()

    async def _pass_requests(
        self, from_client: asyncio.StreamReader, to_server: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        try:
            while True:
                message = await _message(from_client)
                if self.command and self.command in message and self.lose > 0:
                    self.lose -= 1
                    losing.set()
                to_server.write(message)
                await to_server.drain()
        finally:
            to_server.close()

    async def _pass_answers(
        self, from_server: asyncio.StreamReader, to_client: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while True:
            message = await _message(from_server)
            if losing.is_set():
                self.lost += 1
                await self.after_loss()
                return
            for old, new in self.rewrites:
                assert len(old) == len(new)
                message = message.replace(old, new)
            to_client.write(message)
            await to_client.drain()


async def _message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(struct.unpack("<i", head)[0] - 4)
