"""A process that requests, relays and handles until it is killed: the shape of every service, in small."""

import asyncio
import sys
from pathlib import Path

from tests.contract.messages import message

from video_manager.adapters.backoff import Backoff
from video_manager.adapters.clock import SystemClock
from video_manager.adapters.embedded.bus import SqliteBus
from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.contracts.envelope import Envelope
from video_manager.domain.model import Frozen
from video_manager.outbox import OutboxRelay
from video_manager.ports import CollectionSpec, Subscription
from video_manager.repository import Change, Repository

STEPS = 3
"""How often a token goes round before it rests."""


class Token(Frozen):
    id: str
    steps: int = 0


class Ring:
    """Each token's document counts a message, and sends itself the next one."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteDocuments(folder / "documents.db")
        self.bus = SqliteBus(folder / "bus.db", Backoff(0.02, 0.2))
        self.tokens = Repository(self.store, CollectionSpec("tokens", indexed=("steps",)), Token)
        self.relay = OutboxRelay(self.store, self.bus, SystemClock(), sweep_seconds=0.1, alone=True)

    async def start(self) -> None:
        await self.store.open()
        await self.tokens.register()
        await self.bus.open()
        await self.bus.consume(Subscription("ring", ("version.created",), self._handle))
        await self.relay.start()

    async def stop(self) -> None:
        await self.relay.stop()
        await self.bus.close()
        await self.store.close()

    async def request(self, id: str) -> None:
        await self.tokens.add(Token(id=id), [message(f"{id}/1")])

    async def _handle(self, envelope: Envelope) -> None:
        id, _, step = envelope.id.partition("/")

        def count(token: Token) -> Change[Token]:
            following = (message(f"{id}/{int(step) + 1}"),) if int(step) < STEPS else ()
            return Change(token.with_(steps=token.steps + 1), following)

        await self.tokens.change(id, count, handled=envelope.id)


async def run(folder: str, name: str) -> None:
    ring = Ring(Path(folder))
    await ring.start()
    for n in range(1_000_000):
        id = f"{name}-{n}"
        await ring.request(id)
        print(id, flush=True)  # noqa: T201 - its parent reads it
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
