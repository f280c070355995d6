"""Platforms that fail, hang, forget, and answer late."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.integration.publishing.conftest import RITA, World, open_world

from video_manager.domain.publication import Publication, PublicationState
from video_manager.domain.video import Finding, Metadata, Severity
from video_manager.errors import (
    ActionRequiredError,
    InvalidInput,
    InvalidTransition,
    LimitReached,
    PermanentError,
    RetryableError,
    Unavailable,
)  # fmt: skip
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
)  # fmt: skip
from video_manager.ports import Stored
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.publishing.service import Resolution

S = PublicationState
P = "p" * 32


class StageOptions(Options):
    """None."""


class Stage(Publisher[StageOptions]):
    """A platform whose moods a test sets. `public` is what people see there."""

    name = "stage"
    title = "Stage"
    description = "For tests."
    Options = StageOptions
    publish_timeout_seconds: ClassVar[float] = 0.3
    public: ClassVar[list[str]] = []
    connecting: ClassVar[Exception | None] = None
    uploading: ClassVar[Exception | None] = None
    publishing: ClassVar[Exception | None] = None
    lands: ClassVar[bool] = True
    hangs_seconds: ClassVar[float] = 0
    upload_seconds: ClassVar[float] = 0
    asking: ClassVar[Exception | Asked | None] = None
    fault: ClassVar[str | None] = None

    @staticmethod
    def made() -> None:
        """A test may see that the post is public."""

    async def connect(self, options: StageOptions, context: PublisherContext) -> Account:
        if self.connecting:
            raise self.connecting
        return Account("stage account", "https://stage.invalid/account")

    async def check(self, post: Post, options: StageOptions, context: PublisherContext) -> tuple[Finding, ...]:
        if self.fault is None:
            return ()
        return (Finding(check="stage", code="fault", severity=Severity.ERROR, message=self.fault),)

    async def upload(self, post: Post, options: StageOptions, context: PublisherContext) -> Handle:
        context.progress(0.5, "sending")
        await asyncio.sleep(self.upload_seconds)
        if self.uploading:
            raise self.uploading
        return {"id": "h"}

    async def publish(self, post: Post, handle: Handle, options: StageOptions, context: PublisherContext) -> Published:
        if self.lands:
            self.public.append(post.publication_id)
        self.made()
        await asyncio.sleep(self.hangs_seconds)
        if self.publishing:
            raise self.publishing
        return Published("s-1", "https://stage.invalid/s-1")

    async def ask(self, post: Post, handle: Handle, options: StageOptions, context: PublisherContext) -> Asked:
        if isinstance(self.asking, Exception):
            raise self.asking
        if self.asking is not None:
            return self.asking
        if post.publication_id in self.public:
            return Asked(Answer.PUBLISHED, Published("s-1", "https://stage.invalid/s-1"))
        return Asked(Answer.ABSENT)

    async def delete(self, external_id: str, options: StageOptions, context: PublisherContext) -> None:
        self.public.clear()


Mood = Callable[..., None]


@pytest.fixture
def mood(monkeypatch: pytest.MonkeyPatch) -> Mood:
    monkeypatch.setattr(Stage, "public", [])

    def change(**moods: object) -> None:
        for name, value in moods.items():
            monkeypatch.setattr(Stage, name, value)

    return change


@pytest.fixture
async def stage(tmp_path: Path, mood: Mood) -> AsyncIterator[World]:
    async with open_world(tmp_path, plugins=[Stage], max_tries=3, max_asks=2) as world:
        await world.publishing.service.channels.create(RITA, "stage", NewChannel(platform="stage", name="Stage"))
        await world.create(await world.command(channel="stage"))
        yield world


async def until(world: World, *states: PublicationState, seconds: float = 10) -> Publication:
    async with asyncio.timeout(seconds):
        while (publication := await world.publication()).state not in states:
            await world.run()
            await asyncio.sleep(0.02)
    return publication


async def test_a_retryable_failure_is_tried_again_with_a_limit(stage: World, mood: Mood) -> None:
    mood(uploading=RetryableError("busy"))
    await stage.run()
    publication = await stage.publication()
    assert (publication.state, publication.tries, publication.error) == (S.SCHEDULED, 1, "busy")
    publication = await until(stage, S.FAILED)
    assert len(publication.attempts) == 3
    assert publication.error == "gave up after 3 tries: busy"
    mood(uploading=None)
    await stage.publishing.service.retry(RITA, P)
    assert (await until(stage, S.PUBLISHED)).external_id == "s-1"


class Away:
    """The documents take so many writes no more; reading goes on."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refusals_left, self.refused = 0, 0
        self.has_refused = asyncio.Event()
        self._replace = world.documents.replace
        monkeypatch.setattr(world.documents, "replace", self._refuse_or_replace)

    async def _refuse_or_replace(self, *args: Any, **named: Any) -> Stored:
        if self.refusals_left > 0:
            self.refusals_left -= 1
            self.refused += 1
            self.has_refused.set()
            raise Unavailable("the store does not answer")
        return await self._replace(*args, **named)


async def test_a_store_that_is_away_when_the_post_is_made_does_not_lose_where_it_is(
    stage: World, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Away(stage, monkeypatch)
    monkeypatch.setattr(Stage, "made", staticmethod(lambda: setattr(away, "refusals_left", 5)))
    mood(asking=PermanentError("this platform cannot be asked"))
    await stage.run()
    publication = await stage.publication()
    assert away.refused == 5
    assert (publication.state, publication.external_id, publication.asked) == (S.PUBLISHED, "s-1", 0)


async def test_a_question_that_cannot_be_written_down_waits_for_the_next_look(
    tmp_path: Path, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    mood(publishing=RetryableError("who knows"), asking=Asked(Answer.PENDING))
    async with open_world(tmp_path, plugins=[Stage], tick_seconds=3600) as world:
        await world.publishing.service.channels.create(RITA, "stage", NewChannel(platform="stage", name="Stage"))
        await world.create(await world.command(channel="stage"))
        await world.run()
        assert (await world.publication()).state is S.PENDING
        away = Away(world, monkeypatch)
        away.refusals_left = 10**9
        due_at = (await world.publication()).due_at or datetime.now(UTC)
        await asyncio.sleep(max(0.0, (due_at - datetime.now(UTC)).total_seconds()))
        await world.publishing.scheduler.start()
        async with asyncio.timeout(10):
            await away.has_refused.wait()
        await asyncio.sleep(0.3)
        assert away.refused <= 2  # the second by what was begun before the start


async def test_the_platform_may_name_the_time_of_the_next_try(stage: World, mood: Mood) -> None:
    mood(uploading=RetryableError("quota is used up", retry_after_seconds=3600))
    await stage.run(3)
    publication = await stage.publication()
    assert len(publication.attempts) == 1
    assert publication.due_at is not None
    assert (publication.due_at - publication.updated_at).total_seconds() == pytest.approx(3600, abs=5)


async def test_a_permanent_failure_ends_it(stage: World, mood: Mood) -> None:
    mood(uploading=PermanentError("the video is too long for this account"))
    await stage.run(3)
    publication = await stage.publication()
    assert (publication.state, len(publication.attempts)) == (S.FAILED, 1)
    assert publication.error == "the video is too long for this account"


async def test_what_the_platform_would_refuse_is_not_sent(stage: World, mood: Mood) -> None:
    mood(fault="the title has 120 characters, 100 are allowed")
    await stage.run(2)
    assert "100 are allowed" in ((await stage.publication()).error or "")
    assert (await stage.publication()).state is S.FAILED


async def test_what_needs_a_person_pauses_the_channel_until_they_resume_it(stage: World, mood: Mood) -> None:
    mood(uploading=ActionRequiredError("sign in again"))
    await stage.run()
    assert (await stage.publication()).state is S.ACTION_REQUIRED
    channel = (await stage.publishing.service.channels.get(RITA, "stage")).value
    assert (channel.paused, channel.paused_reason) == (True, "sign in again")
    await stage.create(await stage.command(id="q" * 32, channel="stage"))
    await stage.run(2)
    assert (await stage.publication("q" * 32)).state is S.SCHEDULED
    mood(uploading=None)
    await stage.publishing.service.edit_channel(RITA, "stage", ChannelEdit(paused=False))
    await until(stage, S.PUBLISHED)
    await stage.run(2)
    assert (await stage.publication("q" * 32)).state is S.PUBLISHED


async def test_resuming_again_takes_up_what_a_crash_left(stage: World, mood: Mood) -> None:
    mood(uploading=ActionRequiredError("sign in again"))
    await stage.run()
    await stage.publishing.service.channels.update(RITA, "stage", ChannelEdit(paused=False))  # and no further
    mood(uploading=None)
    await stage.publishing.service.edit_channel(RITA, "stage", ChannelEdit(paused=False))
    await until(stage, S.PUBLISHED)


@pytest.mark.logs_errors("failed unexpectedly")
async def test_a_bug_in_a_publisher_is_logged_and_tried_again(stage: World, mood: Mood) -> None:
    mood(uploading=ZeroDivisionError("division by zero"))
    await stage.run()
    assert (await stage.publication()).state is S.SCHEDULED


@pytest.mark.parametrize(
    "error",
    [
        RetryableError("reset"),
        PermanentError("odd answer"),
        pytest.param(OSError("broken pipe"), marks=pytest.mark.logs_errors("failed unexpectedly")),
    ],
)
async def test_a_lost_answer_after_the_post_was_made_is_asked_for(stage: World, mood: Mood, error: Exception) -> None:
    mood(publishing=error)
    publication = await until(stage, S.PUBLISHED)
    assert (len(publication.attempts), Stage.public) == (1, [P])


async def test_a_call_that_hangs_is_cut_off_and_asked_about(stage: World, mood: Mood) -> None:
    mood(hangs_seconds=30)
    publication = await until(stage, S.PUBLISHED)
    assert (len(publication.attempts), Stage.public) == (1, [P])


async def test_a_post_that_was_not_made_is_sent_again_only_after_the_calls_timeout(stage: World, mood: Mood) -> None:
    mood(publishing=RetryableError("reset"), lands=False)
    await stage.run(2)
    early = await stage.publication()
    assert (early.state, early.in_doubt) == (S.PENDING, True)
    mood(publishing=None, lands=True)
    publication = await until(stage, S.PUBLISHED)
    first, second = publication.attempts
    assert first.armed_at is not None
    assert second.started_at - first.armed_at >= timedelta(seconds=0.3)
    assert Stage.public == [P]


async def test_a_definite_refusal_in_the_call_fails_once_it_is_sure(stage: World, mood: Mood) -> None:
    mood(publishing=PermanentError("duplicate text"), lands=False)
    publication = await until(stage, S.FAILED)
    assert (publication.error, Stage.public) == ("duplicate text", [])


async def test_a_platform_that_processes_is_asked_again(stage: World, mood: Mood) -> None:
    mood(publishing=RetryableError("reset"), asking=Asked(Answer.PENDING, detail="transcoding"))
    await stage.run(2)
    publication = await stage.publication()
    assert (publication.state, publication.error) == (S.PENDING, "transcoding")
    with pytest.raises(InvalidTransition):
        await stage.publishing.service.cancel(RITA, P)
    assert await stage.publishing.service.open_for_video("v1") == [P]
    mood(asking=None)
    await until(stage, S.PUBLISHED)
    assert Stage.public == [P]


async def test_a_platform_that_cannot_be_asked_leaves_it_to_a_person(stage: World, mood: Mood) -> None:
    mood(publishing=RetryableError("reset"), remembers=False)
    publication = await until(stage, S.UNKNOWN)
    assert publication.due_at is None
    assert "cannot be asked" in (publication.error or "")
    await stage.run(3)
    found = await stage.publishing.service.resolve(RITA, P, Resolution(published=True, url="https://stage.invalid/s-1"))
    assert (found.value.state, found.value.url) == (S.PUBLISHED, "https://stage.invalid/s-1")
    assert Stage.public == [P]


async def test_a_platform_that_takes_no_more_questions_is_asked_later_however_often(stage: World, mood: Mood) -> None:
    mood(publishing=RetryableError("reset"), asking=LimitReached("60 questions an hour", 0.01))
    for _ in range(30):
        await stage.run()
    waiting = await stage.publication()
    assert (waiting.state, waiting.error) == (S.PENDING, "60 questions an hour")
    assert waiting.asked <= 1
    mood(asking=None)
    await until(stage, S.PUBLISHED)
    assert Stage.public == [P]


async def test_questions_without_an_answer_become_unknown_and_go_on(stage: World, mood: Mood) -> None:
    mood(publishing=RetryableError("reset"), asking=RetryableError("down for maintenance"))
    publication = await until(stage, S.UNKNOWN, seconds=15)
    assert publication.due_at is not None
    assert "maintenance" in (publication.error or "")
    mood(asking=None)
    await stage.publishing.service.retry(RITA, P)
    await until(stage, S.PUBLISHED)
    assert Stage.public == [P]


async def test_cancelling_stops_an_upload_that_is_running(stage: World, mood: Mood) -> None:
    mood(upload_seconds=30)
    await stage.publishing.scheduler.tick()
    await asyncio.sleep(0.1)
    await stage.publishing.service.cancel(RITA, P)
    async with asyncio.timeout(3):
        await stage.publishing.scheduler.settle()
    assert (await stage.publication()).state is S.CANCELLED
    assert Stage.public == []


async def test_progress_is_seen_while_the_lease_is_renewed(stage: World, mood: Mood) -> None:
    mood(upload_seconds=0.5)
    await stage.publishing.scheduler.tick()
    await asyncio.sleep(0.3)
    attempt = (await stage.publication()).attempts[-1]
    assert attempt.renewals > 0
    assert (attempt.progress, attempt.stage) == (0.5, "sending")
    await stage.publishing.scheduler.settle()


async def test_a_shutdown_hands_back_what_is_not_armed(stage: World, mood: Mood) -> None:
    mood(upload_seconds=30)
    await stage.publishing.start()
    await asyncio.sleep(0.3)
    await stage.publishing.stop()
    publication = await stage.publication()
    assert (publication.state, publication.tries) == (S.SCHEDULED, 0)


async def test_a_shutdown_lets_a_publishing_call_end(stage: World, mood: Mood) -> None:
    mood(hangs_seconds=0.2)
    await stage.publishing.start()
    async with asyncio.timeout(5):
        while not Stage.public:  # noqa: ASYNC110 - it is filled by the code under test
            await asyncio.sleep(0.01)
    await stage.publishing.stop()
    assert (await stage.publication()).state is S.PUBLISHED


async def test_another_process_takes_over_when_the_worker_falls_silent(tmp_path: Path, mood: Mood) -> None:
    """Its lease is not renewed any more (as if it were frozen); it comes back when somebody else has published."""
    mood(upload_seconds=1.5)
    async with (
        open_world(tmp_path, plugins=[Stage], renew_seconds=60) as frozen,
        open_world(tmp_path, plugins=[Stage]) as other,
    ):
        await frozen.publishing.service.channels.create(RITA, "stage", NewChannel(platform="stage", name="Stage"))
        await frozen.create(await frozen.command(channel="stage"))
        await frozen.publishing.scheduler.tick()
        await asyncio.sleep(0.2)
        mood(upload_seconds=0)
        publication = await until(other, S.PUBLISHED)
        assert len(publication.attempts) == 2
        await frozen.publishing.scheduler.settle()
        assert (await other.publication()).attempts[-1].number == 2
        assert Stage.public == [P]


async def test_a_channel_that_does_not_work_is_not_saved(stage: World, mood: Mood) -> None:
    mood(connecting=PermanentError("wrong token"))
    with pytest.raises(InvalidInput, match="wrong token"):
        await stage.publishing.service.channels.create(RITA, "c2", NewChannel(platform="stage", name="Two"))
    assert {one.value.name for one in (await stage.publishing.service.channels.list(RITA)).items} == {
        "Stage", "Watch page", "Published folder",
    }  # fmt: skip


async def test_a_platform_that_gave_up_on_a_post_is_believed_at_once(stage: World, mood: Mood) -> None:
    """Long before "not there" would be: the call's time-out is an hour."""
    gave_up = Asked(Answer.ABSENT, failure=PermanentError("the picture is too small"))
    mood(publishing=RetryableError("processing"), lands=False, asking=gave_up, publish_timeout_seconds=3600.0)
    publication = await until(stage, S.FAILED)
    assert (publication.error, Stage.public) == ("the picture is too small", [])


async def test_a_post_that_the_platform_gave_up_for_now_is_made_again(stage: World, mood: Mood) -> None:
    gave_up = Asked(Answer.ABSENT, failure=RetryableError("internal"))
    mood(publishing=RetryableError("processing"), lands=False, asking=gave_up, publish_timeout_seconds=3600.0)
    await stage.run(2)
    publication = await stage.publication()
    assert (publication.state, publication.tries, publication.error) == (S.SCHEDULED, 1, "internal")
    mood(publishing=None, lands=True)
    await until(stage, S.PUBLISHED)
    assert Stage.public == [P]


async def test_a_post_that_the_platform_gave_up_until_tomorrow_is_no_failed_try(stage: World, mood: Mood) -> None:
    gave_up = Asked(Answer.ABSENT, failure=LimitReached("15 posts a day", 86_400.0))
    mood(publishing=RetryableError("processing"), lands=False, asking=gave_up, publish_timeout_seconds=3600.0)
    await stage.run(2)
    publication = await stage.publication()
    assert (publication.state, publication.tries, publication.error) == (S.SCHEDULED, 0, "15 posts a day")
    assert publication.due_at is not None
    assert publication.due_at > datetime.now(UTC) + timedelta(hours=23)


async def test_a_post_that_the_platform_gave_up_because_of_the_account_pauses_the_channel(
    stage: World, mood: Mood
) -> None:
    gave_up = Asked(Answer.ABSENT, failure=ActionRequiredError("the account may not post"))
    mood(publishing=RetryableError("processing"), lands=False, asking=gave_up, publish_timeout_seconds=3600.0)
    publication = await until(stage, S.ACTION_REQUIRED)
    assert (publication.error, publication.in_doubt) == ("the account may not post", False)
    channel = (await stage.publishing.service.channels.get(RITA, "stage")).value
    assert (channel.paused, channel.paused_reason) == (True, "the account may not post")


async def test_texts_or_choices_that_were_not_approved_are_never_published(world: World) -> None:
    """Whoever changes the stored snapshot, by hand or by a fault of ours, publishes nothing."""
    for number, change in enumerate(({"options": {"privacy": "public"}}, {"metadata": Metadata(title="Other")})):
        id = str(number) * 32
        await world.create(await world.command(id=id, video_id=f"v{number}"))
        publications = world.publishing.repositories[0]
        await publications.change(id, lambda it, change=change: it.with_(approved=it.content.with_(**change)))
        await world.run()
        publication = await world.publication(id)
        assert publication.state is PublicationState.FAILED
        assert "not those that were approved" in (publication.error or "")
    assert world.sidecars() == []
