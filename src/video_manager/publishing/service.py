"""Use cases on publications, and what other services may ask of publishing."""

import contextlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from video_manager.contracts.commands import CreatePublication, WithdrawPublication
from video_manager.contracts.envelope import Envelope
from video_manager.domain import publication as rules
from video_manager.domain import publication_times as times
from video_manager.domain.access import Actor, Right
from video_manager.domain.channel import Channel
from video_manager.domain.model import Instant
from video_manager.domain.posting import Composed, Draft
from video_manager.domain.publication import Publication, PublicationState, instant_of
from video_manager.errors import Conflict, FieldError, InvalidInput, InvalidTransition, NotFound
from video_manager.ports import Clock, Op, Query, Scalar, Where
from video_manager.publishing.channels import ChannelEdit, ChannelService
from video_manager.publishing.forecast import Forecast, Plan
from video_manager.publishing.ledger import ENDED_STATES, FILE_PATHS, Decide, Ledger
from video_manager.publishing.planning import Planner, require_slots
from video_manager.publishing.recalling import Recalling
from video_manager.publishing.site.shelf import Site
from video_manager.publishing.taking_down import TakingDown
from video_manager.repository import Loaded, Page, Repository

_CREATED = Where("approved.video_id", Op.IS_NULL, value=False)
"""Leaves out tombstones."""
_MOST = 10_000
"""Publications of the files that somebody asks about at once: a file may go to many channels."""
_OPEN_STATES: tuple[Scalar, ...] = tuple(state.value for state in PublicationState if state not in ENDED_STATES)


class LocalTime(BaseModel):
    """A wall-clock time and its zone; a skipped time means the next valid instant, a repeated one the first."""

    model_config = ConfigDict(extra="forbid")

    local: str = Field(max_length=40, examples=["2026-11-24T18:00"])
    zone: str = Field(max_length=60, examples=["Europe/Berlin"])


class NewTime(BaseModel):
    """null: as soon as possible. `next_slot`: the channel's next free slot."""

    model_config = ConfigDict(extra="forbid")

    publish_at: Instant | LocalTime | Literal["next_slot"] | None


class Resolution(BaseModel):
    """What a person found when they looked on the platform."""

    model_config = ConfigDict(extra="forbid")

    published: bool
    url: str | None = Field(None, max_length=2000, description="Where it is public.")
    external_id: str | None = Field(None, max_length=300, description="The platform's own id, where known.")

    @model_validator(mode="after")
    def _has_a_place(self) -> "Resolution":
        if self.published and not self.url:
            raise ValueError("say where it is public: url")
        if self.url and (urlsplit(self.url).scheme not in ("http", "https") or not urlsplit(self.url).netloc):
            raise ValueError("url must look like https://example.org/watch/1")
        return self


class PublishingService:
    """`wake` tells the schedule of this process that something may be due."""

    def __init__(
        self, publications: Repository[Publication], ledger: Ledger, channels: ChannelService, planner: Planner,
        forecast: Forecast, taking_down: TakingDown, recalling: Recalling, site: Site, clock: Clock,
        wake: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._publications = publications
        self._ledger = ledger
        self.channels = channels
        self._planner = planner
        self._forecast = forecast
        self._taking_down = taking_down
        self._recalling = recalling
        self._site = site
        self._clock = clock
        self._wake = wake

    # ---- for people ---------------------------------------------------------------------------------------

    async def list(
        self, actor: Actor, *, state: PublicationState | None = None, video_id: str | None = None,
        channel_id: str | None = None, limit: int = 50, cursor: str | None = None,
    ) -> Page[Loaded[Publication]]:  # fmt: skip
        """The newest first."""
        actor.require(Right.VIEW)
        wanted = {"state": state.value if state else None, "approved.video_id": video_id,
                  "approved.channel_id": channel_id}  # fmt: skip
        where = [Where(field, Op.EQ, value) for field, value in wanted.items() if value is not None]
        return await self._publications.page(
            [_CREATED, *where], order_by="created_at", descending=True, limit=limit, cursor=cursor
        )

    async def plan(self, actor: Actor, days: int = 7) -> Plan:
        """A dry run of the next days."""
        return await self._forecast.plan(actor, days)

    async def get(self, actor: Actor, id: str) -> Loaded[Publication]:
        actor.require(Right.VIEW)
        loaded = await self._publications.load(id)
        _ = loaded.value.content  # a tombstone is not shown
        return loaded

    async def cancel(self, actor: Actor, id: str, expected_revision: int | None = None) -> Loaded[Publication]:
        return await self._replan(
            actor, id, expected_revision, lambda it: rules.cancel(it, actor.name, self._clock.now())
        )

    async def retry(self, actor: Actor, id: str, expected_revision: int | None = None) -> Loaded[Publication]:
        """Try again now, or at its time if that is still to come; one that may be public is asked about instead."""
        return await self._act(actor, id, expected_revision, lambda it: rules.retry(it, actor.name, self._clock.now()))

    async def resolve(
        self, actor: Actor, id: str, found: Resolution, expected_revision: int | None = None
    ) -> Loaded[Publication]:
        """A person looked on the platform."""

        def decide(publication: Publication) -> Publication:
            return rules.resolve(
                publication, actor.name, self._clock.now(), published=found.published, external_id=found.external_id,
                url=found.url,
            )  # fmt: skip

        return await self._act(actor, id, expected_revision, decide)

    async def take_down(self, actor: Actor, id: str, expected_revision: int | None = None) -> Loaded[Publication]:
        """Delete the public post on its platform. Raises Conflict where that is not possible."""
        actor.require(Right.PUBLISH)
        await self.get(actor, id)
        return await self._taking_down.take_down(actor, id, expected_revision)

    async def reschedule(
        self, actor: Actor, id: str, new: NewTime, expected_revision: int | None = None
    ) -> Loaded[Publication]:
        """Move it to another time, which is written down with who did it."""
        if new.publish_at == "next_slot":
            return await self._move_to_slot(actor, id, expected_revision)
        at, written = _time_of(new.publish_at)
        return await self._replan(
            actor, id, expected_revision,
            lambda it: rules.reschedule(it, actor.name, at, written, self._clock.now()),
        )  # fmt: skip

    async def _move_to_slot(self, actor: Actor, id: str, expected_revision: int | None) -> Loaded[Publication]:
        actor.require(Right.PUBLISH)
        before, now = await self.get(actor, id), self._clock.now()
        if not before.value.entrusted:
            rules.reschedule(before.value, actor.name, None, None, now)  # refused before a slot is taken
        channel = await self.channels.of_publication(before.value.content.channel_id)
        slot = await self._planner.take_slot(channel, id)

        def decide(it: Publication) -> Publication:
            return rules.reschedule(it, actor.name, slot.at, slot.written, self._clock.now())

        return await self._replan(actor, id, expected_revision, decide)

    async def _replan(
        self, actor: Actor, id: str, expected_revision: int | None, decide: Decide
    ) -> Loaded[Publication]:
        """Where the platform keeps the time, it is taken back first."""
        actor.require(Right.PUBLISH)
        before = await self.get(actor, id)
        if not before.value.entrusted or expected_revision not in (None, before.revision):
            return await self._act(actor, id, expected_revision, decide)
        changed = await self._recalling.change(before.value, decide, expected_revision)
        self._wake()
        return changed

    async def edit_channel(
        self, actor: Actor, id: str, edit: ChannelEdit, expected_revision: int | None = None
    ) -> Loaded[Channel]:
        """Resuming a channel tries again what was waiting for a person to repair it; also when it runs already, since
        a crash may have come in between."""
        actor.require(Right.CHANNELS)
        changed = await self.channels.update(actor, id, edit, expected_revision)
        if edit.schedule is not None:
            await self._planner.remember(changed.value)
        if edit.paused is False:
            await self.resume(actor, id)
        if edit.paused:
            await self._recalling.of_paused(id)
            self._wake()
        return changed

    async def resume(self, actor: Actor, channel_id: str) -> None:
        """Try again what a person had to repair the channel for."""
        actor.require(Right.CHANNELS)
        stopped = await self._publications.find(
            Query(
                (
                    Where("approved.channel_id", Op.EQ, channel_id),
                    Where("state", Op.EQ, PublicationState.ACTION_REQUIRED.value),
                ),
                limit=1000,
            )
        )
        for loaded in stopped:
            with contextlib.suppress(InvalidTransition):  # a person was faster
                await self._ledger.move(loaded.value.id, lambda it: times.resume(it, actor.name, self._clock.now()))
        self._wake()

    async def delete_channel(self, actor: Actor, channel_id: str, expected_revision: int | None = None) -> None:
        actor.require(Right.CHANNELS)
        waiting = await self._publications.count(
            Where("approved.channel_id", Op.EQ, channel_id), Where("state", Op.IN, [*_OPEN_STATES])
        )
        await self.channels.delete(actor, channel_id, waiting, expected_revision)

    async def _act(self, actor: Actor, id: str, expected_revision: int | None, decide: Decide) -> Loaded[Publication]:
        actor.require(Right.PUBLISH)
        await self.get(actor, id)
        changed = await self._ledger.move(id, decide, expected_revision=expected_revision)
        self._wake()
        return changed

    # ---- commands of the manager ----------------------------------------------------------------------------

    async def create(self, message: Envelope, command: CreatePublication) -> None:
        """Insert if absent. A channel that is gone makes it a failed one, so that people see why."""
        platform, decide = await self._fitted(command)
        await self._ledger.insert(command, platform, message, decide)
        self._wake()

    async def _fitted(self, command: CreatePublication) -> tuple[str, Decide]:
        """The channel's platform, and what becomes of the new publication there."""
        try:
            platform = await self.channels.channel_platform(command.channel_id)
        except (NotFound, Conflict) as error:
            refusal = error.detail
            return "", lambda made: made.with_(state=PublicationState.FAILED, due_at=None, error=refusal)
        if not command.next_slot:
            return platform, lambda made: made
        channel = await self.channels.of_publication(command.channel_id)
        try:
            slot = await self._planner.take_slot(channel, command.publication_id)
        except InvalidInput as error:  # its slots were removed since the approval
            why = error.detail
            return platform, lambda made: times.ask_for_time(made, why, self._clock.now())
        return platform, lambda made: times.place(made, slot, command.approved_by, self._clock.now())

    async def withdraw(self, message: Envelope, command: WithdrawPublication) -> None:
        """Remembered also when it arrives before the create."""
        await self._ledger.withdraw(command, message)

    # ---- for other services -----------------------------------------------------------------------------------

    async def channel_platform(self, channel_id: str) -> str:
        """The platform of a usable channel. Raises NotFound, or Conflict when it is disabled."""
        return await self.channels.channel_platform(channel_id)

    async def compose(self, channel_id: str, draft: Draft) -> Composed:
        """What would be posted to a usable channel, and what speaks against it. Raises NotFound, Conflict,
        InvalidInput."""
        return await self.channels.compose(channel_id, draft)

    async def require_slots(self, channel_id: str) -> None:
        """Raises InvalidInput (`publish_at`) when the channel has no posting slots."""
        require_slots(await self.channels.of_publication(channel_id))

    async def open_for_video(self, video_id: str) -> Sequence[str]:
        """Ids of the video's publications that are uploading or armed: what cannot be taken back now."""
        found = await self._publications.find(
            Query((Where("approved.video_id", Op.EQ, video_id), Where("state", Op.IN, [*_OPEN_STATES])), limit=1000)
        )
        return [loaded.value.id for loaded in found if loaded.value.active]

    async def files_in_use(self, file_ids: Collection[str]) -> set[str]:
        """Those of the stored files that open publications and the site's pages still need."""
        used = await self._site.files_in_use(file_ids)
        for path in FILE_PATHS:
            rest = sorted(set(file_ids) - used)
            # A file has few publications: their states are looked at here, and one index answers.
            query = Query((Where(path, Op.IN, rest),), limit=_MOST)
            for loaded in await self._publications.find(query) if rest else ():
                content = loaded.value.content
                if loaded.value.state in _OPEN_STATES:
                    used.update(file.id for file in (content.master, content.thumbnail, content.captions) if file)
        return used & set(file_ids)


def _time_of(at: datetime | LocalTime | None) -> tuple[datetime | None, str | None]:
    """The instant, and the wall-clock time as it was written."""
    if not isinstance(at, LocalTime):
        return at, None
    try:
        return instant_of(at.local, at.zone), f"{at.local} {at.zone}"
    except InvalidInput as error:
        wrong = [FieldError(f"publish_at.{item.field}", item.reason) for item in error.errors]
        raise InvalidInput(f"publish_at.{error.detail}", wrong) from error
