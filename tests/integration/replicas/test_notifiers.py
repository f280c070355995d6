"""Two notification processes on the same documents: every message goes out once, a storm as one summary."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from pydantic import SecretStr
from tests.fakes.clock import VirtualClock
from tests.integration.notifications.conftest import Inbox, inbox, until
from tests.integration.replicas.conftest import Pair

from video_manager.contracts import events
from video_manager.contracts.envelope import Envelope, envelope
from video_manager.notifications.assembly import Notifications, build_notifications

__all__ = ["inbox"]


async def ignore(_: Envelope) -> None:
    """Nobody looks."""


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def notifiers(pair: Pair, clock: VirtualClock, inbox: Inbox) -> AsyncIterator[Sequence[Notifications]]:
    found = [
        build_notifications(
            store, clock, ignore, base_url="http://studio.test", notify_timeout_seconds=5,
            notify_urls=[SecretStr(inbox.url)],
        )
        for store in pair
    ]  # fmt: skip
    for one in found:
        await one.open()
    yield found
    for one in found:
        await one.stop()


async def hear(notifiers: Sequence[Notifications], clock: VirtualClock, title: str) -> None:
    """The event reaches both: the first one's acknowledgement was lost."""
    body = events.VersionReady(video_id="v", version=1, title=title, created_by="u", findings=0)
    event = envelope(body, source="manager", subject="v", now=clock.now(), id_from=(title,))
    await asyncio.gather(*(one.subscription().handler(event) for one in notifiers))


async def test_every_mail_goes_out_once(
    notifiers: Sequence[Notifications], clock: VirtualClock, inbox: Inbox
) -> None:  # fmt: skip
    for number in range(3):
        await hear(notifiers, clock, f"Tides {number}")
    await clock.advance(1)
    await asyncio.gather(*(one.loop.run_once() for one in notifiers))
    await until(lambda: len(inbox.mails) >= 3)
    assert len(inbox.subjects()) == 3


async def test_a_storm_is_told_once_and_whole(
    notifiers: Sequence[Notifications], clock: VirtualClock, inbox: Inbox
) -> None:  # fmt: skip
    for number in range(20):
        await hear(notifiers, clock, f"Tides {number:02}")
    await clock.advance(61)
    await asyncio.gather(*(one.loop.run_once() for one in notifiers))
    await until(lambda: bool(inbox.mails))
    deliveries = await notifiers[0].stores.deliveries.count_by("state")
    assert deliveries == {"sent": 20}
    assert len(inbox.mails) == 1
    assert "20" in inbox.subjects()[0]
