"""Turns: among all processes on the same documents, one at a time does a certain thing.

A turn is a document that is taken by compare-and-set and lapses by itself when its holder died. Clocks of different
machines may differ a little, and a holder may be held up for longer than its turn lasts: so a turn saves work or keeps
a rule about several documents, and nothing that must never happen rests on it alone.
"""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from video_manager.domain.model import Frozen, Instant
from video_manager.errors import Unavailable, VideoManagerError
from video_manager.ports import Clock, CollectionSpec, DocumentStore
from video_manager.repository import Repository

TURNS = CollectionSpec("turns")
LAPSE_SECONDS = 15.0
PATIENCE_SECONDS = 20.0
"""Longer than a turn lasts: one whose holder died is waited for."""
_LOOK_SECONDS = 0.05

log = logging.getLogger(__name__)


class Turn(Frozen):
    """`holder` is made up for each taking; None while nobody has it."""

    id: str
    holder: str | None
    until: Instant


class Turns:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._turns = Repository(store, TURNS, Turn)
        self._clock = clock

    async def open(self) -> None:
        await self._turns.register()

    @asynccontextmanager
    async def once(self, name: str, seconds: float) -> AsyncIterator[bool]:
        """Whether nobody has taken it within its time; then it is taken for so long: what is to be done once in a
        while, by whoever comes first. Given back only when what is done inside fails, for the next try."""
        holder = uuid.uuid4().hex
        taken = await self._take(name, holder, seconds)
        try:
            yield taken
        except BaseException:
            if taken:
                await self._give_back_quietly(name, holder)
            raise

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        """Wait for the turn, and give it back afterwards. Raises Unavailable when it does not come."""
        holder = uuid.uuid4().hex
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        while not await self._take(name, holder, LAPSE_SECONDS):
            if self._clock.monotonic() > deadline:
                raise Unavailable(f"another process has been busy with {name} for long: try again in a moment")
            await self._clock.sleep(_LOOK_SECONDS)
        try:
            yield
        finally:
            await self._give_back_quietly(name, holder)

    async def _take(self, name: str, holder: str, seconds: float) -> bool:
        now = self._clock.now()
        mine = Turn(id=name, holder=holder, until=now + timedelta(seconds=seconds))
        if await self._turns.add_if_absent(mine):
            return True
        changed = await self._turns.change(name, lambda it: mine if it.holder is None or it.until <= now else None)
        return changed.value.holder == holder

    async def _give_back_quietly(self, name: str, holder: str) -> None:
        """What was done is done, and must not be told as failed: a turn that cannot be given back lapses by itself."""
        try:
            await asyncio.shield(self._give_back(name, holder))
        except VideoManagerError as error:
            log.warning("the turn %s could not be given back: %s", name, error)

    async def _give_back(self, name: str, holder: str) -> None:
        await self._turns.change(name, lambda it: it.with_(holder=None) if it.holder == holder else None)
