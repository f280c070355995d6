"""Who did what to which object: written by every use case that changes access or an object's fate."""

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from video_manager.domain.access import Actor, AuditEntry, Right
from video_manager.ports import Clock, CollectionSpec, DocumentStore, Op, Where
from video_manager.repository import Page, Repository

AUDIT = CollectionSpec("audit", indexed=("at", "actor_id", "action", "subject"))

Record = Callable[[Actor, str, str, str], Awaitable[None]]
"""What other services are given: actor, action (`publication.move`), subject (the object's id), detail in words."""

logger = logging.getLogger(__name__)


class AuditLog:
    def __init__(self, store: DocumentStore, clock: Clock) -> None:
        self._entries = Repository(store, AUDIT, AuditEntry)
        self._clock = clock

    async def open(self) -> None:
        await self._entries.register()

    async def record(self, actor: Actor, action: str, subject: str, detail: str = "") -> None:
        await self._add(actor, action, subject, detail)

    @asynccontextmanager
    async def about_to(self, actor: Actor, action: str, subject: str, detail: str = "") -> AsyncIterator[None]:
        """Write the entry before the change and take it back when the change was refused. A process that dies in
        between leaves an entry for a change that perhaps did not happen; never a change without its entry."""
        entry = await self._add(actor, action, subject, detail)
        try:
            yield
        except Exception:
            await self._entries.remove(entry.id)
            raise

    async def page(
        self, actor: Actor, *, subject: str | None = None, actor_id: str | None = None, action: str | None = None,
        cursor: str | None = None, limit: int = 50,
    ) -> Page[AuditEntry]:  # fmt: skip
        """The newest first."""
        actor.require(Right.ADMINISTER)
        wanted = {"subject": subject, "actor_id": actor_id, "action": action}
        where = [Where(field, Op.EQ, value) for field, value in wanted.items() if value is not None]
        found = await self._entries.page(where, order_by="at", descending=True, limit=limit, cursor=cursor)
        return Page(tuple(row.value for row in found.items), found.next)

    async def _add(self, actor: Actor, action: str, subject: str, detail: str) -> AuditEntry:
        entry = AuditEntry(
            id=uuid.uuid4().hex, at=self._clock.now(), actor_id=actor.id, actor_name=actor.name, action=action,
            subject=subject, detail=detail,
        )  # fmt: skip
        await self._entries.add(entry)
        logger.info("%s: %s %s %s", actor.name, action, subject, detail)
        return entry
