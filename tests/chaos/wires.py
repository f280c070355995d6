"""The network between a cluster and its servers, which can be cut, slowed down and taken away."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.system.cluster import Servers
from tests.tcp_proxy import Direction, TcpProxy

ANSWER_SECONDS = 30.0
"""A bound against hanging; the proxies answer at once."""
T = TypeVar("T")


class Wires:
    """Proxies in an event loop of a thread of its own; to be called from any other thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, direct: Servers, proxies: dict[str, TcpProxy]) -> None:
        self._loop = loop
        self._proxies = proxies
        self.addresses = replace(
            direct, **{name: proxy.through(getattr(direct, name)) for name, proxy in proxies.items()}
        )

    def cut_after(self, name: str, byte_count: int, direction: Direction) -> None:
        self._call(_done(lambda: self._proxies[name].cut_after(byte_count, direction)))

    def cut(self, name: str) -> None:
        self._call(_done(self._proxies[name].cut))

    def silence(self, name: str) -> None:
        self._call(_done(self._proxies[name].silence))

    def refuse(self, name: str) -> None:
        """Neither open connections nor new ones."""
        self._call(self._proxies[name].refuse())
        self.cut(name)

    def accept(self, name: str) -> None:
        self._call(self._proxies[name].accept())

    @contextmanager
    def jitter(self, name: str, rng: Random, seconds: tuple[float, float]) -> Iterator[None]:
        """While inside, everything takes longer, in each direction, by a time that changes all the time."""
        proxy = self._proxies[name]

        async def change() -> None:
            while True:
                proxy.delay_seconds = rng.uniform(*seconds)
                await asyncio.sleep(0.02)

        changing = asyncio.run_coroutine_threadsafe(change(), self._loop)
        try:
            yield
        finally:
            changing.cancel()
            self._call(_done(lambda: setattr(proxy, "delay_seconds", 0.0)))

    def accepted(self, name: str) -> int:
        """How many connections were made so far."""
        return self._proxies[name].accepted

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_SECONDS)


async def _done(call: Any) -> None:
    """In the loop, where the proxies live."""
    call()


@contextmanager
def wires_to(direct: Servers) -> Iterator[Wires]:
    """Proxies to all servers of these addresses."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="wires")
    thread.start()
    stack = AsyncExitStack()
    try:

        async def enter() -> dict[str, TcpProxy]:
            return {
                name: await stack.enter_async_context(TcpProxy(urlsplit(getattr(direct, name)).port or 0))
                for name in ("mongodb", "rabbitmq", "warehouse")
            }

        yield Wires(loop, direct, asyncio.run_coroutine_threadsafe(enter(), loop).result(ANSWER_SECONDS))
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(ANSWER_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
