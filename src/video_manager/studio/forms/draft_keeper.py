"""Keeps a form's draft while a person types, without a write for every key."""

import asyncio
from collections.abc import Callable
from typing import Any

from nicegui import background_tasks

from video_manager.errors import VideoManagerError
from video_manager.studio.session import Visit

DELAY_SECONDS = 0.8


class DraftKeeper:
    """`read` gives what is to be kept. Call `touch` on every change and `forget` once it was sent."""

    def __init__(self, visit: Visit, place: str, read: Callable[[], dict[str, Any]]) -> None:
        self._visit = visit
        self._place = place
        self._read = read
        self._waiting = False
        self._sent = False

    def touch(self, *_event: object) -> None:
        if not self._waiting and not self._sent:
            self._waiting = True
            background_tasks.create(self._keep_soon(), name=f"keep draft {self._place}")

    async def flush(self) -> None:
        """Keep at once what would be kept soon: the form is about to be drawn anew."""
        if self._waiting:
            await self._keep()

    async def forget(self) -> None:
        self._sent = True
        await self._visit.drafts.forget(self._visit.opener, self._place)

    async def start_over(self) -> None:
        """Forget what is kept, and keep what comes from now on."""
        await self.forget()
        self._sent = False

    async def _keep_soon(self) -> None:
        await asyncio.sleep(DELAY_SECONDS)
        self._waiting = False
        await self._keep()

    async def _keep(self) -> None:
        if self._sent:
            return
        try:
            actor = await self._visit.current_actor()
        except VideoManagerError:
            return  # signed out meanwhile: whatever was typed since is not this session's any more
        await self._visit.drafts.keep(actor, self._place, self._read())
