"""What a person typed and did not send yet survives a reload and a restart."""

import contextlib
from typing import Any

from video_manager.domain.access import Actor
from video_manager.domain.model import Frozen, Instant, derived_id
from video_manager.errors import NotFound
from video_manager.ports import Clock, CollectionSpec, DocumentStore
from video_manager.repository import Repository

DRAFTS = CollectionSpec("drafts", indexed=("owner", "updated_at"))
MAX_DRAFT_CHARACTERS = 400_000
"""A larger one is not kept: the article itself is safe in the person's own editor."""


class Draft(Frozen):
    """`place` is the form it belongs to, as `new` or `review/ID/1`; `values` what it held."""

    id: str
    owner: str
    place: str
    values: dict[str, Any]
    updated_at: Instant


class Drafts:
    """Owned by the studio: one small document a person and form."""

    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._drafts = Repository(store, DRAFTS, Draft)
        self._clock = clock
        self._registered = False

    async def read(self, actor: Actor, place: str) -> dict[str, Any]:
        """The kept values, empty when there are none."""
        await self._open()
        loaded = await self._drafts.get(_id(actor, place))
        return dict(loaded.value.values) if loaded else {}

    async def keep(self, actor: Actor, place: str, values: dict[str, Any]) -> None:
        """Replace the draft; empty values forget it."""
        if not values:
            await self.forget(actor, place)
            return
        if len(str(values)) > MAX_DRAFT_CHARACTERS:
            return
        await self._open()
        draft = Draft(id=_id(actor, place), owner=actor.id, place=place, values=values, updated_at=self._clock.now())
        if not await self._drafts.add_if_absent(draft):
            with contextlib.suppress(NotFound):  # sent in this moment, by another page of the same person
                await self._drafts.change(draft.id, lambda _old: draft)

    async def forget(self, actor: Actor, place: str) -> None:
        await self._open()
        await self._drafts.remove(_id(actor, place))

    async def _open(self) -> None:
        if not self._registered:
            await self._drafts.register()
            self._registered = True


def _id(actor: Actor, place: str) -> str:
    return derived_id("draft", actor.id, place)
