"""A channel that hands its times over: the platform publishes by itself, and nothing against anybody's will."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.integration.publishing.conftest import RITA, World, open_world
from tests.platforms.case import Case
from tests.platforms.cases import CASES
from tests.platforms.uploaders import UploaderProcess
from tests.platforms.world import ASK_SECONDS, CHANNEL, HastyClock, approve, connect, settle, short_waits, title_of

from video_manager.domain.publication import Outcome, Publication, PublicationState
from video_manager.domain.schedule import PostingPolicy
from video_manager.errors import Conflict
from video_manager.fakes.network import FakeNetwork, FakePost, Fault
from video_manager.fakes.serving import served
from video_manager.publishing.channels import ChannelEdit
from video_manager.publishing.service import NewTime

AHEAD = timedelta(days=2)
HAND_OVER = PostingPolicy(hand_over=True)
KEEPERS = {
    "youtube": r"^PUT www.googleapis.com/youtube/v3/videos",
    "peertube": r"^PUT peertube.example/api/v1/videos/[0-9a-f]{8}-[^/]*$",
    "mastodon": r"^POST mastodon.example/api/v1/statuses",
}
"""The platforms that keep times, and their call that hands one over."""
RECALLING = {**KEEPERS, "mastodon": r"^DELETE mastodon.example/api/v1/scheduled_statuses/"}
"""Their call that takes one back."""
FORGETS = {"mastodon": timedelta(days=1)}
"""How soon platforms throw away what was uploaded and has no time any more."""
HAND_OVER_CALLS = {"youtube": 13, "peertube": 11, "mastodon": 6}
"""How many calls there are until the platform has the time: the last of them gives it."""
KEEPING = [pytest.param(name, marks=[] if name == "youtube" else [pytest.mark.long]) for name in KEEPERS]

REFUSALS: dict[str, tuple[int, Any]] = {
    "youtube": (400, {"error": {"code": 400, "message": "no", "errors": [{"reason": "invalidPublishAt"}]}}),
    "peertube": (400, {"detail": "Incorrect request parameters: scheduleUpdate.updateAt"}),
    "mastodon": (422, {"error": "Validation failed: You have exceeded the limit of 25 scheduled posts for today"}),
}
"""How the platform says that it does not keep this time."""


class ShiftedClock(HastyClock):
    """Our clock and the platforms', moved together."""

    def __init__(self, network: FakeNetwork) -> None:
        self._network = network

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._network.skew_seconds)


@dataclass
class Stage:
    """A connected channel whose times are handed over, and one publication."""

    world: World
    network: FakeNetwork
    case: Case
    id: str
    at: datetime

    def posts(self) -> list[FakePost]:
        return self.network.fakes[self.case.fake.name].public_posts(title_of(1))

    async def publication(self) -> Publication:
        return await self.world.publication(self.id)

    async def handed_over(self) -> Publication:
        """Run until the platform has the time."""
        publication = await self.until(PublicationState.PENDING, PublicationState.SCHEDULED)
        while publication.state is PublicationState.SCHEDULED and not publication.staged:
            publication = await self._look()
        return publication

    async def until(self, *states: PublicationState) -> Publication:
        publication = await self._look()
        for _ in range(500):
            if publication.state in states:
                return publication
            publication = await self._look()
        raise AssertionError(f"still {publication.state}: {publication.error}")

    async def _look(self) -> Publication:
        await HastyClock().sleep(0.06)
        await self.world.run()
        return await self.publication()

    def come(self, to: datetime) -> None:
        """It becomes that time, for us and for the platform."""
        self.network.skew_seconds += (to - self.now).total_seconds()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.network.skew_seconds)

    def calls(self) -> list[str]:
        return [call.text for call in self.network.calls]


@asynccontextmanager
async def staged(
    root: Path, name: str, policy: PostingPolicy = HAND_OVER, ahead: timedelta = AHEAD, **rules: Any
) -> AsyncIterator[Stage]:
    case = CASES[name]
    network = FakeNetwork([case.fake])
    with served(network) as gateway, short_waits():
        async with opened(root, gateway, network, **rules) as world:
            await connect(world, case, network)
            await world.publishing.service.edit_channel(RITA, CHANNEL, ChannelEdit(schedule=policy))
            at = (datetime.now(UTC) + ahead).replace(microsecond=0)
            id = await approve(world, case)
            await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=at))
            yield Stage(world, network, case, id, at)


@asynccontextmanager
async def opened(root: Path, gateway: str, network: FakeNetwork, **rules: Any) -> AsyncIterator[World]:
    more = {"platform_gateway": gateway, "allow_private": True, "ask_timeout_seconds": ASK_SECONDS, **rules}
    async with open_world(root, clock=ShiftedClock(network), **more) as world:
        yield world


@pytest.mark.parametrize("name", KEEPING)
async def test_the_platform_publishes_at_the_time_while_nothing_of_ours_runs(name: str, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        handed = await stage.handed_over()
        assert (handed.state, handed.due_at, handed.entrusted) == (PublicationState.PENDING, stage.at, True), (
            handed.error
        )
        assert handed.waits_for is not None
        assert stage.posts() == []
        before = len(stage.network.calls)
        stage.come(stage.at - timedelta(seconds=30))
        assert stage.posts() == []
        await stage.world.run(3)
        stage.come(stage.at + timedelta(hours=5))
        assert len(stage.posts()) == 1
        assert len(stage.network.calls) == before, "it went out without us"
        published = await settle(stage.world, stage.id)
        assert (published.state, published.published_at) == (PublicationState.PUBLISHED, stage.at), published.error
        assert published.url is not None
        assert len(stage.posts()) == 1
        assert stage.posts()[0].sha256 == published.content.master.sha256


@pytest.mark.parametrize("name", KEEPING)
async def test_cancelling_takes_the_time_back(name: str, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        cancelled = await stage.world.publishing.service.cancel(RITA, stage.id)
        assert cancelled.value.state is PublicationState.CANCELLED
        assert cancelled.value.attempts[-1].outcome is Outcome.RECALLED
        stage.come(stage.at + timedelta(hours=1))
        await stage.world.run(5)
        assert stage.posts() == []


@pytest.mark.long
@pytest.mark.parametrize("name", KEEPING)
async def test_a_moved_one_goes_out_at_its_new_time_only(name: str, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        later = stage.at + timedelta(days=1)
        moved = await stage.world.publishing.service.reschedule(RITA, stage.id, NewTime(publish_at=later))
        assert (moved.value.publish_at, moved.value.entrusted) == (later, False)
        again = await stage.until(PublicationState.PENDING)
        assert again.due_at == later
        stage.come(stage.at + timedelta(hours=1))
        await stage.world.run(3)
        assert stage.posts() == []
        stage.come(later + timedelta(minutes=1))
        assert len(stage.posts()) == 1
        published = await settle(stage.world, stage.id)
        assert published.published_at == later
        assert len(stage.posts()) == 1


@pytest.mark.parametrize("name", KEEPING)
async def test_a_voided_approval_is_taken_back_without_anybody_asking(name: str, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        await stage.world.withdraw(stage.id)
        withdrawn = await stage.until(PublicationState.WITHDRAWN)
        assert withdrawn.withdrawal is not None
        assert not withdrawn.withdrawal.refused
        stage.come(stage.at + timedelta(hours=1))
        await stage.world.run(3)
        assert stage.posts() == []


@pytest.mark.parametrize("name", KEEPING)
async def test_a_paused_channel_publishes_nothing_and_hands_over_again_when_it_goes_on(
    name: str, tmp_path: Path
) -> None:
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        await stage.world.publishing.service.edit_channel(RITA, CHANNEL, ChannelEdit(paused=True))
        back = await stage.until(PublicationState.SCHEDULED)
        assert (back.due_at, back.attempts[-1].outcome) == (stage.at, Outcome.RECALLED)
        await stage.world.publishing.service.edit_channel(RITA, CHANNEL, ChannelEdit(paused=False))
        assert (await stage.until(PublicationState.PENDING)).due_at == stage.at
        stage.come(stage.at + timedelta(minutes=1))
        assert (await settle(stage.world, stage.id)).published_at == stage.at
        assert len(stage.posts()) == 1


@pytest.mark.long
@pytest.mark.parametrize("name", KEEPING)
async def test_cancelling_too_late_says_so_and_is_published(name: str, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        stage.come(stage.at + timedelta(seconds=5))
        with pytest.raises(Conflict, match="published it already"):
            await stage.world.publishing.service.cancel(RITA, stage.id)
        assert (await stage.publication()).state is PublicationState.PUBLISHED
        assert len(stage.posts()) == 1


@pytest.mark.long
async def test_a_distance_that_forbids_the_time_keeps_it_here(tmp_path: Path) -> None:
    policy = PostingPolicy(hand_over=True, min_distance_minutes=60)
    async with staged(tmp_path, "youtube", policy) as stage:
        await stage.handed_over()
        other = await approve(stage.world, stage.case, 2)
        near = stage.at + timedelta(minutes=10)
        await stage.world.publishing.service.reschedule(RITA, other, NewTime(publish_at=near))
        calls = len(stage.network.calls)
        for _ in range(5):
            await HastyClock().sleep(0.06)
            await stage.world.run()
        assert len(stage.network.calls) == calls
        assert (await stage.world.publication(other)).state is PublicationState.SCHEDULED
        stage.come(near)
        await settle(stage.world, stage.id)
        waiting = await stage.world.publication(other)
        await stage.world.run(2)
        waiting = await stage.world.publication(other)
        assert (waiting.state, waiting.due_at) == (PublicationState.SCHEDULED, stage.at + timedelta(minutes=60))


@pytest.mark.parametrize("name", KEEPING)
async def test_what_the_platform_does_not_keep_is_published_from_here(name: str, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        status, body = REFUSALS[name]
        refused = Fault("answer", KEEPERS[name], number=HAND_OVER_CALLS[name], status=status, body=body)
        stage.network.faults.append(refused)
        kept = await stage.handed_over()
        assert (kept.state, kept.attempts[-1].outcome, kept.due_at) == (
            PublicationState.SCHEDULED, Outcome.STAGED, stage.at
        ), kept.error  # fmt: skip
        assert kept.history[-1].action == "hand-over refused"
        assert refused.times == 0
        await stage.world.run(5)
        assert stage.posts() == []
        stage.come(stage.at)
        assert (await settle(stage.world, stage.id)).state is PublicationState.PUBLISHED
        assert len(stage.posts()) == 1


@pytest.mark.parametrize("acted", [True, False], ids=["acted", "never came"])
@pytest.mark.parametrize("name", KEEPING)
async def test_a_lost_answer_to_the_hand_over_is_asked_about(name: str, acted: bool, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        lost = Fault("after" if acted else "before", KEEPERS[name], number=HAND_OVER_CALLS[name])
        stage.network.faults.append(lost)
        doubted = await stage.until(PublicationState.PENDING)
        while doubted.due_at != stage.at:
            doubted = await stage.until(PublicationState.PENDING, PublicationState.SCHEDULED)
        assert lost.times == 0
        assert stage.posts() == []
        handed = await stage.handed_over()
        assert handed.entrusted, handed.error
        stage.come(stage.at + timedelta(minutes=1))
        assert len(stage.posts()) == 1
        assert (await settle(stage.world, stage.id)).published_at == stage.at
        assert len(stage.posts()) == 1


@pytest.mark.parametrize("acted", [True, False], ids=["acted", "never came"])
@pytest.mark.parametrize("name", KEEPING)
async def test_a_lost_answer_to_taking_it_back_can_be_repeated(name: str, acted: bool, tmp_path: Path) -> None:
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        stage.network.faults.append(Fault("after" if acted else "before", RECALLING[name]))
        with pytest.raises(Conflict):
            await stage.world.publishing.service.cancel(RITA, stage.id)
        assert (await stage.world.publishing.service.cancel(RITA, stage.id)).value.state is PublicationState.CANCELLED
        stage.come(stage.at + timedelta(hours=1))
        await stage.world.run(3)
        assert stage.posts() == []


@pytest.mark.long
@pytest.mark.parametrize("acted", [True, False], ids=["acted", "never came"])
@pytest.mark.parametrize("name", KEEPING)
async def test_who_died_while_taking_it_back_leaves_one_post_at_its_time(
    name: str, acted: bool, tmp_path: Path
) -> None:
    """The person got no answer to the cancelling, and did not repeat it: it goes out, once and not before its time. The
    platform remembers the video until then."""
    async with staged(tmp_path, name, ahead=FORGETS.get(name, AHEAD) * 0.9) as stage:
        await stage.handed_over()
        stage.network.faults.append(Fault("after" if acted else "before", RECALLING[name]))
        with pytest.raises(Conflict):
            await stage.world.publishing.service.cancel(RITA, stage.id)
        stage.come(stage.at - timedelta(minutes=1))
        await stage.world.run(3)
        assert stage.posts() == []
        stage.come(stage.at + timedelta(minutes=1))
        published = await settle(stage.world, stage.id)
        assert published.state is PublicationState.PUBLISHED, published.error
        assert len(stage.posts()) == 1


@pytest.mark.long
@pytest.mark.parametrize("name", FORGETS)
async def test_who_died_while_taking_it_back_is_for_people_once_the_platform_forgot_the_video(
    name: str, tmp_path: Path
) -> None:
    """The time is gone, and at last the video, too: the platform cannot tell that from a post that somebody deleted."""
    async with staged(tmp_path, name) as stage:
        await stage.handed_over()
        stage.network.faults.append(Fault("after", RECALLING[name]))
        with pytest.raises(Conflict):
            await stage.world.publishing.service.cancel(RITA, stage.id)
        stage.come(stage.at)
        for _ in range(30):
            stage.come(stage.now + timedelta(hours=1))
            await stage.world.run()
        publication = await stage.publication()
        assert publication.state is PublicationState.UNKNOWN, publication.error
        assert stage.posts() == []


def _kills() -> list[Any]:
    """Around every call until the platform has the time; the short run has those of the hand-over itself."""
    return [
        pytest.param(
            name, number, when, id=f"{name}-{number}-{when}",
            marks=[] if (name, number) == ("youtube", HAND_OVER_CALLS["youtube"]) else [pytest.mark.long],
        )
        for name in KEEPERS for number in range(1, HAND_OVER_CALLS[name] + 1) for when in ("before", "after")
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "number", "when"), _kills())
async def test_killed_around_any_call_there_is_one_post_at_its_time(
    name: str, number: int, when: str, tmp_path: Path
) -> None:
    case = CASES[name]
    network = FakeNetwork([case.fake])
    with served(network) as gateway, short_waits():
        async with opened(tmp_path, gateway, network) as world:
            await connect(world, case, network)
            await world.publishing.service.edit_channel(RITA, CHANNEL, ChannelEdit(schedule=HAND_OVER))
            at = (datetime.now(UTC) + AHEAD).replace(microsecond=0)
            id = await approve(world, case)
            await world.publishing.service.reschedule(RITA, id, NewTime(publish_at=at))
        network.faults.append(
            Fault("before" if when == "before" else "after", number=number, happens=lambda _call: first.kill())
        )
        first = UploaderProcess(tmp_path, gateway, id)
        assert first.wait(60) == -signal.SIGKILL
        async with opened(tmp_path, gateway, network) as world:
            await world.publishing.void_leases()
            stage = Stage(world, network, case, id, at)
            handed = await stage.handed_over()
            while handed.due_at != at:
                handed = await stage.handed_over()
            assert handed.entrusted, handed.error
            assert stage.posts() == []
            stage.come(at + timedelta(minutes=1))
            published = await settle(world, id)
            assert (published.state, published.published_at) == (PublicationState.PUBLISHED, at), published.error
            assert [post.sha256 for post in stage.posts()] == [published.content.master.sha256]
