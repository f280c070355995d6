"""Thousands of publications over a year of zones and changes of the clock, by two schedulers on a virtual clock: each
once, at its right instant, which another library computes here by trying the offsets of the world.

`dateutil` reads the system's zones, `zoneinfo` those of the tzdata package or the system: rules that differ between the
two would fail here, so only zones whose rules are settled take part.
"""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from dateutil import tz
from tests.fakes.clock import VirtualClock
from tests.integration.publishing.conftest import RITA, World, open_world
from tests.integration.publishing.noting_publisher import Noting

from video_manager.domain.publication import Publication, PublicationState
from video_manager.domain.schedule import PostingPolicy
from video_manager.manager.approving import resolve_time
from video_manager.manager.requests import WallClock
from video_manager.ports import Query
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.repository import Repository

YEAR = 2027
ZONES = (
    "Europe/Berlin", "Europe/London", "Europe/Lisbon", "Europe/Athens", "Europe/Chisinau", "America/New_York",
    "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage", "America/St_Johns",
    "America/Halifax", "America/Havana", "America/Santiago", "America/Nuuk", "Atlantic/Azores", "Australia/Sydney",
    "Australia/Adelaide", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Norfolk",
    "Asia/Jerusalem", "Asia/Beirut", "Asia/Kathmandu", "Asia/Tokyo", "UTC",
)  # fmt: skip
"""All but the last three change their clocks twice a year, at several hours of the day, by an hour or half of one."""
UNCHANGING = 3
MINUTE = timedelta(minutes=1)
FEW, ALL = 8 * len(ZONES), 10_000
"""The few are enough to meet each zone, and each of its changes twice."""


@cache
def changes(zone: str) -> list[datetime]:
    """The minutes (UTC) of the year at which the zone's clock changes, found by looking at it."""
    place, found = tz.gettz(zone), []
    day = datetime(YEAR, 1, 1, tzinfo=UTC)
    while day.year == YEAR:
        following = day + timedelta(days=1)
        if day.astimezone(place).utcoffset() != following.astimezone(place).utcoffset():
            minute = day
            while minute.astimezone(place).utcoffset() == day.astimezone(place).utcoffset():
                minute += MINUTE
            found.append(minute)
        day = following
    return found


def right_instant(wall: datetime, zone: str) -> datetime:
    """The first minute at which the clock of the zone shows that time, or, when it skips it, a later one."""
    place = tz.gettz(zone)
    offsets = range(-15 * 60, 15 * 60 + 1, 15)
    shown = [at for offset in offsets if _shows(at := wall.replace(tzinfo=UTC) - offset * MINUTE, wall, place)]
    if shown:
        return min(shown)
    at = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    while at.astimezone(place).replace(tzinfo=None) < wall:
        at += MINUTE
    return at


def _shows(at: datetime, wall: datetime, place: object) -> bool:
    return at.astimezone(place).replace(tzinfo=None) == wall  # type: ignore[arg-type]


def walls(count: int) -> list[tuple[datetime, str]]:
    """Wall-clock times in all zones: half of them in the hours around a change, also skipped and repeated ones."""
    chance, made = random.Random(4), []
    moments = {zone: changes(zone) for zone in ZONES}
    for number in range(count):
        zone = ZONES[number % len(ZONES)]
        if moments[zone] and number // len(ZONES) % 2:
            change = moments[zone][number // len(ZONES) // 2 % len(moments[zone])]
            # The wall clock just before, and up to two hours to either side.
            near = (change - MINUTE).astimezone(tz.gettz(zone)).replace(tzinfo=None)
            wall = near + chance.randrange(-120, 121) * MINUTE
        else:
            wall = datetime(YEAR, 1, 2) + chance.randrange(363 * 24 * 60) * MINUTE  # noqa: DTZ001 - a wall clock
        made.append((wall, zone))
    return made


def test_the_year_has_both_changes_of_the_clock_in_most_zones() -> None:
    assert all(len(changes(zone)) == 2 for zone in ZONES[:-UNCHANGING])
    made = walls(1000)
    instants = [right_instant(wall, zone) for wall, zone in made]
    shown = [at.astimezone(tz.gettz(zone)).replace(tzinfo=None) for at, (_, zone) in zip(instants, made, strict=True)]
    skipped = sum(clock != wall for clock, (wall, _) in zip(shown, made, strict=True))
    twice = sum(
        any(_shows(at + later * MINUTE, wall, tz.gettz(zone)) for later in (30, 60))
        for at, (wall, zone) in zip(instants, made, strict=True)
    )
    assert min(skipped, twice) > 25


@pytest.mark.parametrize("count", [FEW, pytest.param(ALL, marks=[pytest.mark.long, pytest.mark.timeout(1500)])])
async def test_each_goes_out_once_and_at_its_right_instant(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = VirtualClock(datetime(YEAR - 1, 12, 30, tzinfo=UTC))
    noted: list[tuple[str, object]] = []
    monkeypatch.setattr(Noting, "clock", clock, raising=False)
    monkeypatch.setattr(Noting, "noted", noted)
    wanted: dict[str, datetime] = {}
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                open_world(tmp_path, clock=clock, plugins=[Noting], slots=40, lease_seconds=300.0, renew_seconds=60.0)
            )
            for _ in range(2)
        ]
        first.publishing.scheduler._worker, second.publishing.scheduler._worker = "first", "second"
        service = first.publishing.service
        await service.channels.create(RITA, "notes", NewChannel(platform="noting", name="Notes"))
        # So that one that was late would be asked about and never published.
        strict = PostingPolicy.model_validate({"missed": "ask", "grace_minutes": 0})
        await service.edit_channel(RITA, "notes", ChannelEdit(schedule=strict))
        for number, (wall, zone) in enumerate(walls(count)):
            id = f"{number:032}"
            wanted[id] = right_instant(wall, zone)
            await _approve(first, id, WallClock(local=wall.isoformat(timespec="minutes"), zone=zone))
        publications: Repository[Publication] = first.publishing.repositories[0]
        for id, at in wanted.items():
            assert (await publications.load(id)).value.due_at == at
        await _live_through(first, second, clock, wanted, noted)
        assert Counter(id for id, _ in noted) == dict.fromkeys(wanted, 1)
        assert dict(noted) == wanted
        states = await publications.count_by("state")
        assert states == {PublicationState.PUBLISHED.value: count}
        attempts = [one.value.attempts for one in await publications.find(Query(limit=count))]
        assert all(len(tries) == 1 for tries in attempts)
        assert {tries[0].worker for tries in attempts} == {"first", "second"}


async def _approve(world: World, id: str, at: WallClock) -> None:
    """As the manager does it."""
    command = await world.command(id, "notes", publish_at=resolve_time(at), video_id=id)
    await world.create(command.model_copy(update={"requested_local": f"{at.local} {at.zone}"}))


async def _live_through(
    first: World, second: World, clock: VirtualClock, wanted: dict[str, datetime], noted: list[tuple[str, object]]
) -> None:
    """From a second before each due moment to the moment itself, with both schedulers looking."""
    schedulers = [world.publishing.scheduler for world in (first, second)]

    async def look() -> None:
        await asyncio.gather(*(scheduler.tick() for scheduler in schedulers))
        await asyncio.gather(*(scheduler.settle() for scheduler in schedulers))

    so_far = 0
    for at, here in sorted(Counter(wanted.values()).items()):
        before = (at - clock.now()).total_seconds() - 1
        if before > 0:
            await clock.advance(before)
            await look()
            assert len(noted) == so_far, f"something went out before {at}"
        await clock.advance((at - clock.now()).total_seconds())
        so_far += here
        while len(noted) < so_far:
            known = len(noted)
            await look()
            assert len(noted) > known, f"something is late at {at}"
