"""Whose turn it is: slots, distances, caps and missed times of the channels, over the rules of `domain`.

What has no limits, no slots and no rule but `publish_now` passes without a read or a write.
"""

import logging
from collections.abc import Collection
from datetime import datetime

from video_manager.domain import publication_times as times
from video_manager.domain import timetable as tables
from video_manager.domain.channel import Channel
from video_manager.domain.publication import Publication, PublicationState
from video_manager.domain.schedule import Limits, MissedRule, Pace, SlotTime
from video_manager.domain.timetable import Timetable, Turn, TurnState
from video_manager.errors import InvalidInput
from video_manager.ports import Clock, CollectionSpec, Op, Query, Where
from video_manager.publishing.ledger import Ledger
from video_manager.publishing.platforms import Platforms
from video_manager.repository import Repository

TIMETABLES = CollectionSpec("timetables")
_MOST_SCHEDULED = 10_000
_MOST_PUBLISHED = 1000

log = logging.getLogger(__name__)


class Planner:
    def __init__(
        self, timetables: Repository[Timetable], publications: Repository[Publication], ledger: Ledger,
        platforms: Platforms, clock: Clock,
    ) -> None:  # fmt: skip
        self._timetables = timetables
        self._publications = publications
        self._ledger = ledger
        self._platforms = platforms
        self._clock = clock

    def limits(self, channel: Channel) -> Limits:
        """The channel's and its platform's."""
        try:
            pace = self._platforms.kind(channel.platform).pace
        except InvalidInput:  # its plugin is gone; the attempt itself says so
            pace = Pace()
        return Limits.of(channel.schedule, pace)

    # ---- what is due ----------------------------------------------------------------------------------------

    async def admits(self, publication: Publication, channel: Channel) -> bool:
        """Whether a due publication may be claimed now. If not, it was given another time or a person is asked.
        Raises InvalidTransition when somebody else moved it."""
        if times.is_missed(publication, channel.schedule, self._clock.now()):
            rule = channel.schedule.missed
            if rule is MissedRule.ASK:
                await self._ledger.move(publication.id, lambda it: times.ask_about_missed(it, self._clock.now()))
                return False
            if rule is MissedRule.NEXT_SLOT:
                await self._move_missed(publication, channel)
                return False
        limits = self.limits(channel)
        if not limits:
            return True
        return await self._takes_turn(publication, channel, limits)

    async def hold(self, publication: Publication, channel: Channel) -> bool:
        """Keep the publication's own time free for it, which its platform is to keep; False when a distance or cap does
        not let it out then."""
        limits, at, held = self.limits(channel), publication.publish_at, True
        if not limits or at is None:
            return at is not None
        seen = await self._seen(channel)

        def decide(table: Timetable) -> Timetable:
            nonlocal held
            changed, held = tables.hold(table, publication.id, at, self._clock.now(), limits, seen)
            return changed

        await self._timetables.change(channel.id, decide)
        return held

    async def _move_missed(self, publication: Publication, channel: Channel) -> None:
        try:
            slot = await self.take_slot(channel, publication.id)
        except InvalidInput as error:
            why = error.detail
            await self._ledger.move(publication.id, lambda it: times.ask_for_time(it, why, self._clock.now()))
        else:
            await self._ledger.move(publication.id, lambda it: times.move_missed(it, slot, self._clock.now()))

    async def _takes_turn(self, publication: Publication, channel: Channel, limits: Limits) -> bool:
        seen = await self._seen(channel)
        opening = None

        def decide(table: Timetable) -> Timetable:
            nonlocal opening
            changed, opening = tables.admit(table, publication.id, self._clock.now(), limits, seen)
            return changed

        turn = (await self._timetables.change(channel.id, decide)).value.turn(publication.id)
        if turn is None or opening is None:
            raise AssertionError("unreachable: deciding gives it a turn")
        if turn.state is not TurnState.RESERVED:
            return True
        why = limits.words(opening.hold) if opening.hold else ""
        await self._ledger.move(publication.id, lambda it: times.wait_for_turn(it, turn.at, why, self._clock.now()))
        return False

    # ---- slots ------------------------------------------------------------------------------------------------

    async def take_slot(self, channel: Channel, publication_id: str) -> SlotTime:
        """Reserve the channel's next free slot for a publication; again, it gives back its earlier one. Raises
        InvalidInput (`publish_at`) when the channel has no slots, or none that is free."""
        limits, slot = self.limits(channel), None
        require_slots(channel)
        planned = await self._planned(channel.id, publication_id)
        seen = await self._seen(channel)

        def decide(table: Timetable) -> Timetable:
            nonlocal slot
            changed, slot = tables.reserve(
                table, publication_id, self._clock.now(), channel.schedule, limits, seen, planned
            )
            return changed

        await self._timetables.change(channel.id, decide)
        if slot is None:
            raise InvalidInput.field("publish_at", f"channel {channel.name!r} has no free slot within a year")
        return slot

    async def _planned(self, channel_id: str, except_for: str) -> Collection[datetime]:
        """The times of the channel's other publications, also of those that are uploaded ahead of theirs, or whose
        platform keeps the time."""
        states = [PublicationState.SCHEDULED.value, PublicationState.UPLOADING.value, PublicationState.PENDING.value]
        where = (Where("approved.channel_id", Op.EQ, channel_id), Where("state", Op.IN, states))
        found = await self._publications.find(Query(where, order_by="created_at", limit=_MOST_SCHEDULED))
        moments = [times.goes_out(one.value) for one in found if one.value.id != except_for]
        return {at for at in moments if at is not None}

    # ---- timetables ---------------------------------------------------------------------------------------------

    async def _seen(self, channel: Channel) -> tables.Seen:
        """Makes the channel's timetable if it is missing, and reads the publications of its turns."""
        loaded = await self._timetables.get(channel.id)
        if loaded is None:
            await self.remember(channel)
            loaded = await self._timetables.load(channel.id)
        open_turns = [turn.publication_id for turn in loaded.value.turns if turn.state is not TurnState.DONE]
        found = await self._publications.load_many(open_turns)
        return {one.value.id: one.value for one in found}

    async def turns(self, channel: Channel, limits: Limits) -> tuple[Turn, ...]:
        """The turns of the channel's timetable that count now."""
        loaded = await self._timetables.get(channel.id)
        if loaded is None:
            return ()
        return tables.counted(loaded.value, self._clock.now(), limits, await self._seen(channel))

    async def remember(self, channel: Channel) -> None:
        """Note what the channel published lately, for when a limit begins to hold."""
        limits, now = self.limits(channel), self._clock.now()
        published = (Where("approved.channel_id", Op.EQ, channel.id),
                     Where("state", Op.EQ, PublicationState.PUBLISHED.value))  # fmt: skip
        query = Query(published, order_by="created_at", descending=True, limit=_MOST_PUBLISHED)
        found = await self._publications.find(query) if limits else []
        moments = {one.value.id: one.value.published_at for one in found if one.value.published_at is not None}
        await self._timetables.add_if_absent(Timetable(id=channel.id))
        await self._timetables.change(channel.id, lambda table: tables.recall(table, moments, now, limits))

    # ---- start ----------------------------------------------------------------------------------------------------

    async def realign(self) -> None:
        """The rules of a zone may be others than when a time was set: a newer tzdata. What was to be at 18:00 there
        stays at 18:00 there."""
        cursor, now = None, self._clock.now()
        while True:
            scheduled = Where("state", Op.EQ, PublicationState.SCHEDULED.value)
            page = await self._publications.page([scheduled], order_by="due_at", limit=500, cursor=cursor)
            for loaded in page.items:
                try:
                    if times.realign(loaded.value, now) is not loaded.value:
                        await self._ledger.move(loaded.value.id, lambda it: times.realign(it, now))
                except InvalidInput as error:  # the zone is gone: its instant stays
                    log.warning("publication %s keeps its time in UTC: %s", loaded.value.id, error.detail)
            if page.next is None:
                return
            cursor = page.next


def require_slots(channel: Channel) -> None:
    """Raises InvalidInput when the channel has no posting slots."""
    if not channel.schedule.slots:
        raise InvalidInput.field(
            "publish_at", f"channel {channel.name!r} has no posting slots: add some to its schedule, or choose a time"
        )
