"""Notifications in the studio."""

from collections.abc import Awaitable, Callable

import pytest
from tests.integration.notifications.conftest import ADMIN, OTHER, VIEWER, WORKER, Desk

from video_manager.contracts import events
from video_manager.domain.access import Actor
from video_manager.errors import Forbidden, NotFound
from video_manager.notifications.service import NotificationService


async def titles(desk: Desk, actor: Actor = VIEWER) -> list[tuple[str, bool]]:
    return [(item.notification.title, item.read) for item in (await desk.service.list(actor)).items]


async def test_an_event_is_told_once_however_often_it_is_heard(desk: Desk) -> None:
    await desk.ready("Tides", id="e1")
    await desk.ready("Tides", id="e1")
    assert await titles(desk) == [("“Tides” is ready for review", False)]
    [hint] = desk.hints
    assert hint.type == "notification.created"


async def test_the_newest_come_first_page_by_page(desk: Desk) -> None:
    for number in range(5):
        await desk.ready(f"Video {number}")
        await desk.clock.advance(1)
    first = await desk.service.list(VIEWER, limit=3)
    second = await desk.service.list(VIEWER, cursor=first.next, limit=3)
    found = [item.notification.title[1:8] for item in (*first.items, *second.items)]
    assert found == [f"Video {number}" for number in (4, 3, 2, 1, 0)]


async def test_each_person_reads_alone(desk: Desk) -> None:
    await desk.ready("One")
    await desk.clock.advance(1)
    await desk.ready("Two")
    newest = (await desk.service.list(VIEWER)).items[0].notification
    await desk.service.mark_read(VIEWER, newest.id)
    await desk.service.mark_read(VIEWER, newest.id)
    assert (await desk.service.unread(VIEWER), await desk.service.unread(OTHER)) == (1, 2)
    assert [read for _, read in await titles(desk)] == [True, False]
    assert [read for _, read in await titles(desk, OTHER)] == [False, False]


async def test_all_read_is_all_until_now(desk: Desk) -> None:
    await desk.service.mark_all_read(VIEWER)
    await desk.ready("One")
    await desk.clock.advance(1)
    await desk.ready("Two")
    await desk.service.mark_read(VIEWER, (await desk.service.list(VIEWER)).items[0].notification.id)
    await desk.service.mark_all_read(VIEWER)
    assert await desk.service.unread(VIEWER) == 0
    await desk.clock.advance(1)
    await desk.ready("Three")
    assert await desk.service.unread(VIEWER) == 1
    assert [read for _, read in await titles(desk)] == [False, True, True]


async def test_an_unknown_notification_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound, match="nope"):
        await desk.service.mark_read(VIEWER, "nope")


async def test_events_that_nobody_need_hear_of_are_not_told(desk: Desk) -> None:
    await desk.hear(events.VideoDeleted(video_id="v1", deleted_by="ada"))
    assert await titles(desk) == []


async def test_old_ones_go_and_the_count_stays_right(desk: Desk) -> None:
    await desk.ready("Old")
    await desk.service.mark_read(VIEWER, (await desk.service.list(VIEWER)).items[0].notification.id)
    await desk.clock.advance(91 * 86400)
    await desk.ready("New")
    await desk.parts.loop.prune()
    assert await titles(desk) == [("“New” is ready for review", False)]
    assert await desk.service.unread(VIEWER) == 1


Use = Callable[[NotificationService, Actor], Awaitable[object]]
VIEWING: list[Use] = [
    lambda service, actor: service.list(actor),
    lambda service, actor: service.unread(actor),
    lambda service, actor: service.mark_all_read(actor),
]
ADMINISTERING: list[Use] = [
    lambda service, actor: service.targets.list(actor),
    lambda service, actor: service.webhooks.list(actor),
]


@pytest.mark.parametrize("use", VIEWING)
async def test_reading_needs_the_right_to_view(desk: Desk, use: Use) -> None:
    await use(desk.service, VIEWER)
    with pytest.raises(Forbidden):
        await use(desk.service, WORKER)


@pytest.mark.parametrize("use", ADMINISTERING)
async def test_recipients_need_an_administrator(desk: Desk, use: Use) -> None:
    await use(desk.service, ADMIN)
    with pytest.raises(Forbidden):
        await use(desk.service, OTHER)
