"""HTTP in, use case, HTTP out: dead letters, and the space that files take."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from video_manager.gateway.operations import OperationsService
from video_manager.settings import Settings
from video_manager.web import CurrentActor, Items, Limit


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
