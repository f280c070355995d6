"""What an administrator looks after: messages nobody could handle, and the space that files take."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from video_manager.domain.access import Actor, Right
from video_manager.gateway.audit import AuditLog
from video_manager.ports import DeadLetter, FileStore, MessageBus, StorageUse
from video_manager.settings import Settings
from video_manager.web import CurrentActor, Items, Limit


class OperationsService:
    def __init__(self, bus: MessageBus, files: FileStore, audit: AuditLog) -> None:
        self._bus = bus
        self._files = files
        self._audit = audit

    async def dead_letters(self, actor: Actor, limit: int = 100) -> list[DeadLetter]:
        actor.require(Right.ADMINISTER)
        return await self._bus.dead_letters(limit)

    async def resend(self, actor: Actor, dead_letter_id: str) -> None:
        """Put it into its queue again. Raises NotFound."""
        actor.require(Right.ADMINISTER)
        async with self._audit.about_to(actor, "dead-letter.resend", dead_letter_id):
            await self._bus.resend(dead_letter_id)

    async def drop(self, actor: Actor, dead_letter_id: str) -> None:
        """Give it up for good. Raises NotFound."""
        actor.require(Right.ADMINISTER)
        async with self._audit.about_to(actor, "dead-letter.drop", dead_letter_id):
            await self._bus.drop(dead_letter_id)

    async def storage(self, actor: Actor) -> StorageUse:
        actor.require(Right.VIEW)
        return await self._files.use()


class DeadLetterOut(BaseModel):
    id: str
    queue: str
    envelope: Mapping[str, Any]
    reason: str
    attempts: int
    died_at: datetime


class StorageOut(BaseModel):
    """`quota_bytes` null: only the disk limits; `free_bytes` null: unknown."""

    files: int
    used_bytes: int
    free_bytes: int | None
    quota_bytes: int | None


def operations_routes(operations: OperationsService, settings: Settings) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/dead-letters")
    async def dead_letters(actor: CurrentActor, limit: Limit = 100) -> Items[DeadLetterOut]:
        """Messages that could not be handled, with the reason."""
        found = await operations.dead_letters(actor, limit)
        return Items(items=[DeadLetterOut(**vars(letter)) for letter in found])

    @router.post("/dead-letters/{dead_letter_id}/resend", status_code=204)
    async def resend(actor: CurrentActor, dead_letter_id: str) -> None:
        await operations.resend(actor, dead_letter_id)

    @router.delete("/dead-letters/{dead_letter_id}", status_code=204)
    async def drop(actor: CurrentActor, dead_letter_id: str) -> None:
        await operations.drop(actor, dead_letter_id)

    @router.get("/storage")
    async def storage(actor: CurrentActor) -> StorageOut:
        """The space that video files take, and what is left."""
        use = await operations.storage(actor)
        return StorageOut(
            files=use.files, used_bytes=use.used_bytes, free_bytes=use.free_bytes,
            quota_bytes=settings.storage_quota_bytes,
        )  # fmt: skip

    return router
