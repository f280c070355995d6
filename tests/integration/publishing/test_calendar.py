"""The calendar that other programs subscribe to: its address, its rights, and what its events do when plans change."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from icalendar import Calendar, Event
from tests.integration.publishing.conftest import FOLDER, message

from video_manager.bootstrap.adapters import opened
from video_manager.bootstrap.application import build_application
from video_manager.bootstrap.system import System
from video_manager.contracts.commands import CreatePublication
from video_manager.domain.access import SYSTEM, Actor, Role
from video_manager.domain.video import MediaFile, MediaRole, Metadata
from video_manager.errors import Forbidden
from video_manager.publishing.service import LocalTime, NewTime
from video_manager.settings import Settings

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
ID = "p" * 32


@dataclass
class Subscribed:
    system: System
    client: httpx.AsyncClient
    person: Actor
    address: str

    async def create(self, id: str = ID, title: str = "Ein Tag, am Meer; früh", at: datetime | None = SOON) -> None:
        master = MediaFile(
            id="m", role=MediaRole.MASTER, name="m.mp4", content_type="video/mp4", size_bytes=3, sha256="a" * 64
        )
        command = CreatePublication(
            publication_id=id, approval_id="a", video_id="v1", version=1, channel_id=FOLDER, publish_at=at,
            metadata=Metadata(title=title), master=master, approved_by="Rita",
        )  # fmt: skip
        await self.system.publishing.service.create(message(command, id), command)

    async def event(self, id: str = ID) -> Event:
        answer = await self.client.get(self.address)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/calendar; charset=utf-8")
        found = [
            one for one in Calendar.from_ical(answer.content).walk("VEVENT") if one["UID"] == f"{id}@video-manager"
        ]
        assert len(found) == 1
        return found[0]


@pytest.fixture
async def subscribed(settings: Settings) -> AsyncIterator[Subscribed]:
    async with AsyncExitStack() as stack:
        adapters = await stack.enter_async_context(opened(settings))
        system = await System.build(settings, adapters)
        app = build_application(system, workers=False, studio=False)
        await stack.enter_async_context(app.router.lifespan_context(app))
        made = await system.access.users.create(SYSTEM, "u1", "vic", "a-password-for-tests-7", Role.VIEWER)
        person = Actor(id=made.value.id, name="vic", role=Role.VIEWER)
        address = await system.access.calendars.make(person)
        transport = httpx.ASGITransport(app)
        client = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=settings.base_url, headers={"Accept": "text/calendar"})
        )
        yield Subscribed(system, client, person, address)


async def test_a_scheduled_publication_is_an_event(subscribed: Subscribed) -> None:
    await subscribed.create()
    event = await subscribed.event()
    assert event["SUMMARY"] == "Ein Tag, am Meer; früh (Published folder)"
    assert event["DTSTART"].dt == SOON
    assert (event["STATUS"], event["SEQUENCE"]) == ("CONFIRMED", 1)
    assert event["URL"].endswith("/videos/v1")


async def test_the_same_plans_are_the_same_bytes(subscribed: Subscribed) -> None:
    for number in range(3):
        await subscribed.create(f"{number:032}")
    first, again = [(await subscribed.client.get(subscribed.address)).content for _ in range(2)]
    assert first == again


async def test_a_moved_one_moves_and_a_cancelled_one_is_struck_out(subscribed: Subscribed) -> None:
    await subscribed.create()
    service = subscribed.system.publishing.service
    later = LocalTime(local="2037-07-01T18:00", zone="Europe/Berlin")
    await service.reschedule(SYSTEM, ID, NewTime(publish_at=later))
    moved = await subscribed.event()
    assert (moved["DTSTART"].dt, moved["SEQUENCE"]) == (datetime(2037, 7, 1, 16, 0, tzinfo=UTC), 2)
    assert "Asked for: 2037-07-01T18:00 Europe/Berlin." in moved["DESCRIPTION"]
    await service.cancel(SYSTEM, ID)
    ended = await subscribed.event()
    assert (ended["STATUS"], ended["SEQUENCE"], ended["DTSTART"].dt) == ("CANCELLED", 3, moved["DTSTART"].dt)


async def test_what_is_long_over_leaves_the_calendar(subscribed: Subscribed) -> None:
    await subscribed.create(at=datetime.now(UTC) - timedelta(days=61))
    body = (await subscribed.client.get(subscribed.address)).text
    assert "BEGIN:VCALENDAR" in body
    assert "BEGIN:VEVENT" not in body


async def test_the_address_is_secret_and_can_be_replaced_and_ended(subscribed: Subscribed) -> None:
    calendars, client = subscribed.system.access.calendars, subscribed.client
    user = await subscribed.system.access.users.by_id("u1")
    assert user is not None
    assert user.calendar_sha256 is not None
    assert user.calendar_sha256 not in subscribed.address
    for wrong in ("", "u1", "u1.", f"u1.{'0' * 48}", f"u2.{'0' * 48}", "x" * 200):
        assert (await client.get("/calendar.ics", params={"token": wrong})).status_code == 404
    assert (await client.get("/calendar.ics", params={"token": "x" * 201})).status_code == 422
    second = await calendars.make(subscribed.person)
    assert (await client.get(subscribed.address)).status_code == 404
    assert (await client.get(second)).status_code == 200
    await calendars.end(subscribed.person)
    assert (await client.get(second)).status_code == 404
    assert not await calendars.has_one(subscribed.person)


async def test_it_reads_and_nothing_else_and_ends_with_the_account(subscribed: Subscribed) -> None:
    token = urlsplit(subscribed.address).query.removeprefix("token=")
    actor = await subscribed.system.access.calendars.actor_of(token)
    assert actor is not None
    assert actor.role is Role.VIEWER
    for method, path in (("POST", "/calendar.ics"), ("GET", "/api/v1/publications"), ("GET", "/api/v1/me")):
        answer = await subscribed.client.request(method, path, params={"token": token})
        assert answer.status_code in (401, 405)
        assert (await subscribed.client.get(path, headers={"Authorization": f"Bearer {token}"})).status_code in (
            401,
            404,
        )
    await subscribed.system.access.users.change(SYSTEM, "u1", disabled=True)
    assert (await subscribed.client.get(subscribed.address)).status_code == 404


async def test_only_a_person_has_one_and_the_audit_log_says_so(subscribed: Subscribed) -> None:
    with pytest.raises(Forbidden):
        await subscribed.system.access.calendars.make(Actor(id="k1", name="key ci", role=Role.ADMIN))
    audit = await subscribed.system.access.audit.page(SYSTEM, action="calendar.make")
    assert [entry.actor_name for entry in audit.items] == ["vic"]
    assert all("token" not in entry.detail for entry in audit.items)
