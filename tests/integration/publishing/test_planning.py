"""Slots, distances, caps and missed times, by two schedulers on the same stores and a virtual clock."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.fakes.clock import VirtualClock
from tests.integration.publishing.conftest import RITA, World, open_world
from tests.integration.publishing.noting_publisher import Hurried, Noting

from video_manager.domain.publication import Publication, PublicationState
from video_manager.domain.schedule import PostingPolicy
from video_manager.domain.timetable import Timetable
from video_manager.errors import InvalidInput, InvalidTransition, PermanentError
from video_manager.ports import Query
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.publishing.service import LocalTime, NewTime
from video_manager.repository import Repository

S = PublicationState
MONDAY = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVENINGS = [{"weekday": day, "time": "18:00"} for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")]
NEXT = NewTime(publish_at="next_slot")


@dataclass
class Pair:
    """Two processes with one clock."""

    first: World
    second: World
    clock: VirtualClock

    async def channel(self, platform: str = "noting", **schedule: Any) -> str:
        id = f"channel-{platform}"
        await self.first.publishing.service.channels.create(RITA, id, NewChannel(platform=platform, name=platform))
        await self.schedule(id, **schedule)
        return id

    async def schedule(self, id: str, **schedule: Any) -> None:
        edit = ChannelEdit(schedule=PostingPolicy.model_validate(schedule))
        await self.first.publishing.service.edit_channel(RITA, id, edit)

    async def create(self, channel: str, number: int, at: datetime | None = None, *, next_slot: bool = False) -> str:
        id = f"{number:032}"
        command = await self.first.command(id, channel, publish_at=at, video_id=f"v{number}")
        return await self.first.create(command.model_copy(update={"next_slot": next_slot}))

    async def run(self, until: datetime) -> None:
        """Let time pass from one due moment to the next, with both schedulers looking at once."""
        while True:
            for _ in range(3):
                await asyncio.gather(*(world.publishing.scheduler.tick() for world in (self.first, self.second)))
                await asyncio.gather(*(world.publishing.scheduler.settle() for world in (self.first, self.second)))
            if self.clock.now() >= until:
                return
            await self.jump(min([until, *await self._due()]))

    async def _due(self) -> list[datetime]:
        found = await self.first.publishing.repositories[0].find(Query(limit=100))
        return [one.value.due_at for one in found if one.value.due_at and one.value.due_at > self.clock.now()]

    async def jump(self, to: datetime) -> None:
        """Nobody looks meanwhile: the system is down."""
        await self.clock.advance((to - self.clock.now()).total_seconds())

    async def publication(self, id: str) -> Publication:
        return await self.first.publication(id)

    @property
    def timetables(self) -> Repository[Timetable]:
        return self.first.publishing.service._planner._timetables

    @property
    def went_out(self) -> list[datetime]:
        return [at for _, at in Noting.noted if isinstance(at, datetime)]


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    clock = VirtualClock(MONDAY)
    monkeypatch.setattr(Noting, "clock", clock, raising=False)
    monkeypatch.setattr(Noting, "noted", [])
    monkeypatch.setattr(Noting, "refusals", [])
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                open_world(tmp_path, clock=clock, plugins=[Noting, Hurried], renew_seconds=2.0, lease_seconds=30.0)
            )
            for _ in range(2)
        ]
        yield Pair(first, second, clock)


# ---- distances and caps ---------------------------------------------------------------------------------------


async def test_posts_keep_their_distance_whoever_publishes_them(pair: Pair) -> None:
    channel = await pair.channel(min_distance_minutes=30)
    for number in range(5):
        await pair.create(channel, number, MONDAY + number * MINUTE)
    await pair.run(MONDAY + 3 * HOUR)
    assert [at - MONDAY for at in pair.went_out] == [number * 30 * MINUTE for number in range(5)]
    assert len({id for id, _ in Noting.noted}) == 5
    waited = await pair.publication(f"{1:032}")
    assert waited.tries == 0
    assert [entry.action for entry in waited.history] == ["approved", "waits"]
    assert waited.history[-1].detail == "until 2026-11-23 12:30 UTC: this channel posts at least 30 minutes apart"
    assert (waited.publish_at, waited.error) == (MONDAY + MINUTE, None)


async def test_one_that_waits_shows_why_and_until_when(pair: Pair) -> None:
    channel = await pair.channel(min_distance_minutes=30)
    for number in range(2):
        await pair.create(channel, number, MONDAY)
    await pair.run(MONDAY)
    both = [await pair.publication(f"{number:032}") for number in range(2)]
    waiting = next(one for one in both if one.state is S.SCHEDULED)
    assert (waiting.due_at, waiting.publish_at) == (MONDAY + 30 * MINUTE, MONDAY)
    assert waiting.waits_for == "this channel posts at least 30 minutes apart"
    await pair.run(MONDAY + HOUR)
    assert (await pair.publication(waiting.id)).waits_for is None


async def test_a_day_of_the_zone_has_its_cap(pair: Pair) -> None:
    channel = await pair.channel(max_per_day=2, zone="Asia/Tokyo")  # its day ends at 15:00 UTC
    for number in range(5):
        await pair.create(channel, number, MONDAY)
    await pair.run(MONDAY + 2 * DAY)
    offsets = [at - MONDAY for at in pair.went_out]
    assert offsets == [timedelta(0), timedelta(0), 3 * HOUR, 3 * HOUR, 27 * HOUR]


async def test_the_platforms_own_pace_holds_without_any_schedule(pair: Pair) -> None:
    channel = await pair.channel("hurried")
    for number in range(4):
        await pair.create(channel, number, MONDAY + number * HOUR)
    await pair.run(MONDAY + 26 * HOUR)
    assert [at - MONDAY for at in pair.went_out] == [timedelta(0), HOUR, 2 * HOUR, DAY]


async def test_what_failed_leaves_its_place_to_others(pair: Pair) -> None:
    channel = await pair.channel(min_distance_minutes=60)
    Noting.refusals.append(PermanentError("too long"))
    await pair.create(channel, 0, MONDAY)
    await pair.create(channel, 1, MONDAY + MINUTE)
    await pair.run(MONDAY + 5 * MINUTE)
    assert (await pair.publication(f"{0:032}")).state is S.FAILED
    assert pair.went_out == [MONDAY + MINUTE]


async def test_a_limit_that_is_set_later_counts_what_went_out_before(pair: Pair) -> None:
    channel = await pair.channel()
    await pair.create(channel, 0, MONDAY)
    await pair.run(MONDAY)
    await pair.schedule(channel, min_distance_minutes=60)
    await pair.create(channel, 1, MONDAY + MINUTE)
    await pair.run(MONDAY + 2 * HOUR)
    assert pair.went_out == [MONDAY, MONDAY + HOUR]


async def test_a_turn_whose_process_died_is_nobodys_soon(pair: Pair) -> None:
    """Taken, and then neither claimed nor moved: the same publication goes on with it, others wait a little."""
    channel = await pair.channel(min_distance_minutes=30)
    ids = [await pair.create(channel, number, MONDAY) for number in range(2)]
    service = pair.first.publishing.service
    planner, held = service._planner, (await service.channels.get(RITA, channel)).value
    assert await planner.admits(await pair.publication(ids[0]), held)  # ... and dies here
    await pair.clock.advance(1)
    await service.cancel(RITA, ids[0])
    await pair.run(MONDAY + 2 * MINUTE)
    assert pair.went_out == [MONDAY + timedelta(seconds=1)]


@pytest.mark.parametrize("seed", [1, 2])
async def test_whatever_people_do_meanwhile_the_limits_hold(pair: Pair, seed: int) -> None:
    """Times at random, some moved, called off or refused by the platform, some put into slots."""
    chance = random.Random(seed)
    channel = await pair.channel(min_distance_minutes=20, max_per_day=14, zone="America/New_York", slots=EVENINGS)
    service, ids = pair.first.publishing.service, []
    for number in range(36):
        at = MONDAY + chance.randrange(600) * MINUTE
        ids.append(await pair.create(channel, number, at, next_slot=chance.random() < 0.15))
    for hour in range(12):
        await pair.run(MONDAY + hour * HOUR)
        waiting = [id for id in ids if (await pair.publication(id)).state is S.SCHEDULED]
        chance.shuffle(waiting)
        for id in waiting[:1]:
            await service.cancel(RITA, id)
        for id in waiting[1:3]:
            await service.reschedule(RITA, id, NewTime(publish_at=pair.clock.now() + chance.randrange(90) * MINUTE))
        Noting.refusals += [PermanentError("too long")] * (hour % 4 == 1)
    await pair.run(MONDAY + 12 * DAY)
    assert {(await pair.publication(id)).state for id in ids} <= {S.PUBLISHED, S.CANCELLED, S.FAILED}
    assert len(pair.went_out) > 20
    assert all(later - sooner >= 20 * MINUTE for sooner, later in pairwise(pair.went_out))
    days = Counter(at.astimezone(ZoneInfo("America/New_York")).date() for at in pair.went_out)
    assert max(days.values()) <= 14
    for id, at in Noting.noted:
        assert isinstance(at, datetime)
        assert at >= ((await pair.publication(id)).publish_at or at)
    assert max(Counter(id for id, _ in Noting.noted).values()) == 1


async def test_without_limits_nothing_is_asked_of_a_timetable(pair: Pair) -> None:
    channel = await pair.channel()
    for number in range(3):
        await pair.create(channel, number, MONDAY)
    await pair.run(MONDAY)
    assert pair.went_out == [MONDAY] * 3
    timetable = (await pair.timetables.load(channel)).value
    assert timetable.turns == ()  # made when the schedule was saved


# ---- slots ------------------------------------------------------------------------------------------------------


async def test_the_next_slot_is_one_that_nobody_has(pair: Pair) -> None:
    channel = await pair.channel(slots=EVENINGS, zone="Europe/Berlin")
    taken = MONDAY.replace(hour=17) + DAY  # Tuesday 18:00 in Berlin, by a person
    await pair.create(channel, 0, taken)
    for number in (1, 2):
        await pair.create(channel, number, next_slot=True)
    found = [await pair.publication(f"{number:032}") for number in (1, 2)]
    assert [one.publish_at for one in found] == [MONDAY.replace(hour=17), taken + DAY]
    assert found[1].requested_local == "2026-11-25T18:00 Europe/Berlin"
    assert [entry.action for entry in found[0].history] == ["approved", "next free slot"]
    await pair.run(taken + DAY)
    assert pair.went_out == [MONDAY.replace(hour=17), taken, taken + DAY]


async def test_many_at_once_get_a_slot_each(pair: Pair) -> None:
    channel = await pair.channel(slots=EVENINGS)
    commands = [
        (await pair.first.command(f"{number:032}", channel, video_id=f"v{number}")).model_copy(
            update={"next_slot": True}
        )
        for number in range(12)
    ]
    await asyncio.gather(*(world.create(one) for one in commands for world in (pair.first, pair.second)))
    times = sorted([(await pair.publication(one.publication_id)).publish_at for one in commands])  # type: ignore[type-var]
    assert times == [MONDAY.replace(hour=18) + number * DAY for number in range(12)]


async def test_moved_to_the_next_slot_and_a_reservation_nobody_used(pair: Pair) -> None:
    channel = await pair.channel(slots=EVENINGS)
    ids = [await pair.create(channel, number, MONDAY + 30 * DAY) for number in range(2)]
    service = pair.first.publishing.service
    held = (await service.channels.get(RITA, channel)).value
    # A process reserves the first evening and dies.
    reserved = await service._planner.take_slot(held, ids[0])
    assert reserved.at == MONDAY.replace(hour=18)
    moved = await service.reschedule(RITA, ids[1], NEXT)
    assert moved.value.publish_at == MONDAY.replace(hour=18) + DAY
    await pair.clock.advance(150)
    moved = await service.reschedule(RITA, ids[1], NEXT)
    assert moved.value.publish_at == MONDAY.replace(hour=18)


async def test_without_slots_the_next_slot_is_refused(pair: Pair) -> None:
    channel = await pair.channel()
    id = await pair.create(channel, 0, MONDAY + DAY)
    service = pair.first.publishing.service
    with pytest.raises(InvalidInput, match="no posting slots"):
        await service.reschedule(RITA, id, NEXT)
    with pytest.raises(InvalidInput, match="no posting slots"):
        await service.require_slots(channel)
    # Its slots were removed between the approval and the command: a person chooses.
    stranded = await pair.publication(await pair.create(channel, 1, next_slot=True))
    assert (stranded.state, stranded.due_at) == (S.ACTION_REQUIRED, None)
    assert "no posting slots" in (stranded.error or "")
    moved = await service.reschedule(RITA, stranded.id, NewTime(publish_at=MONDAY + HOUR))
    assert (moved.value.state, moved.value.error) == (S.SCHEDULED, None)


async def test_one_that_went_out_gets_no_slot(pair: Pair) -> None:
    channel = await pair.channel(slots=EVENINGS)
    id = await pair.create(channel, 0, MONDAY)
    await pair.run(MONDAY)
    with pytest.raises(InvalidTransition):
        await pair.first.publishing.service.reschedule(RITA, id, NEXT)
    assert (await pair.timetables.load(channel)).value.turns == ()


# ---- missed times -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("late", "asked"), [(30 * MINUTE, False), (30 * MINUTE + timedelta(seconds=1), True)])
async def test_late_within_the_grace_is_in_time(pair: Pair, late: timedelta, asked: bool) -> None:
    channel = await pair.channel(missed="ask")
    id = await pair.create(channel, 0, MONDAY + HOUR)
    await pair.jump(MONDAY + HOUR + late)
    await pair.run(pair.clock.now())
    assert (await pair.publication(id)).state is (S.ACTION_REQUIRED if asked else S.PUBLISHED)


async def test_missed_and_published_at_once_by_default(pair: Pair) -> None:
    id = await pair.create(await pair.channel(), 0, MONDAY + HOUR)
    await pair.jump(MONDAY + 2 * DAY)
    await pair.run(pair.clock.now())
    assert (await pair.publication(id)).published_at == MONDAY + 2 * DAY


async def test_missed_and_a_person_is_asked_once(pair: Pair) -> None:
    channel = await pair.channel(missed="ask")
    id = await pair.create(channel, 0, MONDAY + HOUR)
    soon = await pair.create(channel, 1)  # as soon as possible is never late
    await pair.jump(MONDAY + DAY)
    await pair.run(pair.clock.now())
    asked = await pair.publication(id)
    assert (asked.state, asked.due_at, asked.missed_at) == (S.ACTION_REQUIRED, None, MONDAY + DAY)
    assert "publish it now (try again), or move it to another time" in (asked.error or "")
    service = pair.first.publishing.service
    assert (await service.channels.get(RITA, channel)).value.running
    assert (await pair.publication(soon)).state is S.PUBLISHED
    # Going on with the channel decides nothing about it.
    await service.edit_channel(RITA, channel, ChannelEdit(paused=False))
    await pair.run(MONDAY + DAY + HOUR)
    assert (await pair.publication(id)).state is S.ACTION_REQUIRED
    assert (await pair.first.events()).count("publication.action_required") == 1
    await service.retry(RITA, id)
    await pair.run(pair.clock.now())
    assert (await pair.publication(id)).state is S.PUBLISHED


async def test_missed_and_moved_to_the_next_slot(pair: Pair) -> None:
    channel = await pair.channel(slots=EVENINGS, missed="next_slot")
    ids = [await pair.create(channel, number, MONDAY + HOUR) for number in range(2)]
    await pair.jump(MONDAY + 4 * HOUR)
    await pair.run(pair.clock.now())
    moved = [await pair.publication(id) for id in ids]
    evening = MONDAY.replace(hour=18)
    assert sorted(one.publish_at for one in moved if one.publish_at) == [evening, evening + DAY]
    assert {one.state for one in moved} == {S.SCHEDULED}
    assert {one.history[-1].action for one in moved} == {"missed"}
    await pair.run(evening + DAY)
    assert pair.went_out == [evening, evening + DAY]


async def test_a_paused_channel_keeps_its_publications_and_the_rule_holds_afterwards(pair: Pair) -> None:
    channel = await pair.channel(missed="ask")
    service = pair.first.publishing.service
    await service.edit_channel(RITA, channel, ChannelEdit(paused=True))
    ids = [await pair.create(channel, number, MONDAY + number * 3 * HOUR) for number in range(2)]
    await pair.run(MONDAY + 3 * HOUR)
    assert {(await pair.publication(id)).state for id in ids} == {S.SCHEDULED}
    await service.edit_channel(RITA, channel, ChannelEdit(paused=False))
    await pair.run(pair.clock.now())
    assert [(await pair.publication(id)).state for id in ids] == [S.ACTION_REQUIRED, S.PUBLISHED]


# ---- zones ------------------------------------------------------------------------------------------------------


async def test_new_rules_of_a_zone_move_the_instant_and_not_the_wall_clock(pair: Pair) -> None:
    """As if the times had been set under rules that were changed since."""
    channel = await pair.channel()
    service, publications = pair.first.publishing.service, pair.first.publishing.repositories[0]
    id = await pair.create(channel, 0)
    await service.reschedule(RITA, id, NewTime(publish_at=LocalTime(local="2027-07-01T18:00", zone="Europe/Berlin")))
    right = (await pair.publication(id)).publish_at
    assert right == datetime(2027, 7, 1, 16, 0, tzinfo=UTC)
    told = (await pair.publication(id)).told
    await publications.change(id, lambda it: it.with_(publish_at=right + HOUR, due_at=right + HOUR))
    for world in (pair.first, pair.second):
        await world.publishing.scheduler.start()
    await pair.clock.advance(1)
    while (await pair.publication(id)).publish_at != right:  # noqa: ASYNC110 - another task's doing
        await asyncio.sleep(0.01)
    aligned = await pair.publication(id)
    assert (aligned.due_at, aligned.told) == (right, told + 1)
    assert [entry.action for entry in aligned.history].count("time zone rules changed") == 1
    assert "2027-07-01T18:00 Europe/Berlin is 2027-07-01 16:00 UTC now" in aligned.history[-1].detail
