"""Encrypting everything anew with the newest key, so that an older one can be taken away."""

from pydantic import BaseModel, Field

from video_manager.domain.access import Actor, Right
from video_manager.domain.publication import Publication
from video_manager.errors import ActionRequiredError
from video_manager.ports import Op, Query, Where
from video_manager.publishing.access.handles import Handles
from video_manager.publishing.access.keyring import Keyring
from video_manager.publishing.access.vault import Vault
from video_manager.publishing.ledger import Ledger
from video_manager.publishing.recording import Record, ignore_record
from video_manager.repository import Repository

_BATCH = 200
_MOST_NAMED = 20


class RotationStep(BaseModel):
    """`next` goes on where this step ended; null: everything was looked at."""

    credentials: int = Field(0, description="Documents of the vault that were encrypted anew.")
    handles: int = Field(0, description="Publications whose remote handles were.")
    looked_at: int = 0
    unreadable: list[str] = Field(default_factory=list, description="Whose key is gone; they stay as they are.")
    next: str | None = None


class Rotation:
    """In steps, each of which may be repeated: what has the newest key already is left alone."""

    def __init__(
        self, vault: Vault, publications: Repository[Publication], ledger: Ledger, handles: Handles, keyring: Keyring,
        record: Record = ignore_record,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._publications = publications
        self._ledger = ledger
        self._handles = handles
        self._keyring = keyring
        self._record = record

    async def step(self, actor: Actor, cursor: str | None = None) -> RotationStep:
        """First the vault, then the publications. Raises Forbidden, SettingsError, InvalidInput."""
        actor.require(Right.ADMINISTER)
        if cursor is not None:
            return await self._of_publications(cursor)
        step = await self._of_vault()
        await self._record(actor, "credentials.rotate", "", f"{step.credentials} encrypted anew")
        return step.model_copy(update={"next": ""})

    async def _of_vault(self) -> RotationStep:
        """All at once: as many documents as there are channels."""
        step, unreadable = RotationStep(), []
        after = None
        older = Where("key", Op.NE, self._keyring.newest)
        while found := await self._vault.find(Query((older,), order_by="key", limit=_BATCH, after=after)):
            for loaded in found:
                try:
                    await self._vault.change(loaded.value.id, self._vault.rotated)
                    step.credentials += 1
                except ActionRequiredError:
                    unreadable.append(loaded.value.id)
            step.looked_at += len(found)
            after = (found[-1].value.key, found[-1].value.id)
        step.unreadable = unreadable[:_MOST_NAMED]
        return step

    async def _of_publications(self, cursor: str) -> RotationStep:
        page = await self._publications.page(order_by="created_at", limit=_BATCH, cursor=cursor or None)
        step = RotationStep(looked_at=len(page.items), next=page.next)
        for loaded in page.items:
            if not self._handles.are_older(loaded.value):
                continue
            try:
                await self._ledger.move(loaded.value.id, self._handles.rotated)
                step.handles += 1
            except ActionRequiredError:
                step.unreadable.append(f"publication {loaded.value.id}")
        step.unreadable = step.unreadable[:_MOST_NAMED]
        return step
