"""What an administrator looks after: messages nobody could handle, and the space that files take."""

from video_manager.domain.access import Actor, Right
from video_manager.gateway.audit import AuditLog
from video_manager.ports import DeadLetter, FileStore, MessageBus, StorageUse


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
