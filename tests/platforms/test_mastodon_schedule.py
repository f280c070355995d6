"""Mastodon keeps the time: given and taken back, whatever the server answers and whatever it knows of keys."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import Alone, alone

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)
from video_manager.fakes import mastodon as fake
from video_manager.fakes.mastodon_schedule import MOST, MOST_A_DAY
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Answer, Asked, Handle
from video_manager.plugins.publishers.mastodon import MastodonOptions, MastodonPublisher

POST, PLANS = "^POST .*/api/v1/statuses", "/api/v1/scheduled_statuses"
OPTIONS = {"server": f"https://{fake.HOST}", "access_token": fake.TOKEN}
TOMORROW = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


@dataclass(kw_only=True)
class Lone(Alone):
    """The publisher without the ledger; `handle` is that of a video that is uploaded."""

    publisher: MastodonPublisher
    handle: Handle = field(default_factory=dict)

    @property
    def fake(self) -> fake.MastodonFake:
        return self.fake_of(fake.MastodonFake)

    @property
    def plans(self) -> list[str]:
        return [one.at.isoformat() for one in self.fake.schedule.planned.values()]

    async def hand_over(self, at: datetime = TOMORROW) -> None:
        assert isinstance(self.options, MastodonOptions)
        await self.publisher.hand_over(self.post(), self.handle, at, self.options, self.context())

    async def recall(self) -> Asked:
        assert isinstance(self.options, MastodonOptions)
        return await self.publisher.recall(self.post(), self.handle, self.options, self.context())

    async def asked(self) -> Asked:
        return await self.ask(self.handle)


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[Lone]:
    account = {"id": fake.ACCOUNT}
    async with alone(fake.MastodonFake, tmp_path, MastodonPublisher(), OPTIONS, kind=Lone, account=account) as found:
        found.handle = await found.upload()
        yield found


async def test_the_server_posts_it_at_the_time(lone: Lone) -> None:
    lone.facts["extra"] = {"visibility": "unlisted", "spoiler_text": "Wasser"}
    await lone.hand_over()
    assert lone.plans == [TOMORROW.isoformat()]
    asked = await lone.asked()
    assert (asked.answer, asked.published) == (Answer.PENDING, None)
    assert TOMORROW.isoformat(timespec="milliseconds").replace("+00:00", "Z") in asked.detail
    assert lone.fake.public_posts() == []
    lone.network.skew_seconds = 86_400 + 60
    asked = await lone.asked()
    (made,) = lone.fake.public_posts()
    assert asked.published is not None
    assert (asked.answer, asked.published.external_id, asked.published.warning) == (Answer.PUBLISHED, made.id, None)
    status = made.extra["status"]
    assert (status["visibility"], status["spoiler_text"]) == ("unlisted", "Wasser")
    assert made.sha256 == lone.post().video_sha256


async def test_handing_it_over_again_leaves_one_plan(lone: Lone) -> None:
    for _ in range(2):
        await lone.hand_over()
    lone.network.skew_seconds = 2 * 3600  # when the server has forgotten the key
    await lone.hand_over()
    assert lone.plans == [TOMORROW.isoformat()]
    later = TOMORROW + timedelta(days=1)
    await lone.hand_over(later)
    assert lone.plans == [later.isoformat()]


async def test_what_a_late_answer_left_there_is_found_though_the_key_was_refused(lone: Lone) -> None:
    """The first look comes too early to see it; the server then answers the repeated key with 404."""
    await lone.hand_over()
    lone.network.faults += [
        Fault("answer", f"^GET .*{PLANS}", status=200, body=[]),
        Fault("answer", POST, status=404, body={"error": "Record not found"}),
    ]
    await lone.hand_over()
    assert len(lone.plans) == 1


async def test_each_attempt_has_its_own_key(lone: Lone) -> None:
    """Within an hour the server would take the key for what was taken back."""
    await lone.hand_over()
    assert (await lone.recall()).answer is Answer.ABSENT
    with pytest.raises(NotPublished, match="Record not found"):
        await lone.hand_over()
    before = lone.handle
    lone.handle = await lone.upload(earlier=before)
    assert lone.handle["media_id"] == before["media_id"]
    await lone.hand_over()
    assert lone.plans == [TOMORROW.isoformat()]


async def test_publishing_from_here_has_another_key_than_handing_over(lone: Lone) -> None:
    await lone.hand_over()
    assert (await lone.recall()).answer is Answer.ABSENT
    published = await lone.publish(lone.handle)
    assert list(lone.fake.posts) == [published.external_id]


async def test_a_time_that_somebody_changed_there_is_told_and_waited_for(lone: Lone) -> None:
    await lone.hand_over()
    (plan,) = lone.fake.schedule.planned.values()
    plan.at = datetime(2040, 1, 1, tzinfo=UTC)
    assert await lone.asked() == Asked(Answer.PENDING, detail="Mastodon posts it at 2040-01-01T00:00:00.000Z")


async def test_a_plan_that_somebody_deleted_there_leaves_the_video_for_a_day(lone: Lone) -> None:
    await lone.hand_over()
    lone.fake.schedule.planned.clear()
    assert (await lone.asked()).answer is Answer.ABSENT
    lone.network.skew_seconds = 86_400 + 60
    assert (await lone.asked()).answer is Answer.UNKNOWN


async def test_it_is_found_on_a_later_page_too(lone: Lone) -> None:
    await lone.hand_over()
    for number in range(MOST - 2):
        at = TOMORROW + timedelta(days=1 + number // MOST_A_DAY)
        lone.fake.schedule.add(at.isoformat(), {"status": "Another"}, [])
    asked = await lone.asked()
    assert asked.answer is Answer.PENDING
    assert len(lone.calls(f"GET {fake.HOST}{PLANS}")) == 1 + 8
    assert (await lone.recall()).answer is Answer.ABSENT
    assert len(lone.plans) == MOST - 2


# ---- times that are not kept ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "on_one_day", "text"),
    [
        (MOST, False, "the limit of 300 scheduled posts"),
        (MOST_A_DAY, True, "the limit of 25 scheduled posts for today"),
    ],
)
async def test_a_full_schedule_is_a_refusal(lone: Lone, others: int, on_one_day: bool, text: str) -> None:
    for number in range(others):
        at = TOMORROW + timedelta(days=0 if on_one_day else 1 + number // MOST_A_DAY)
        lone.fake.schedule.add(at.isoformat(), {"status": "Another"}, [])
    with pytest.raises(NotPublished, match=text) as raised:
        await lone.hand_over()
    assert isinstance(raised.value.cause, PermanentError)
    assert lone.fake.posts == {}


async def test_a_server_that_keeps_no_times_is_not_asked_to(lone: Lone) -> None:
    """It would post at once."""
    lone.fake.keeps_times = False
    with pytest.raises(NotPublished, match="keeps no times"):
        await lone.hand_over()
    assert not lone.calls(f"POST {fake.HOST}/api/v1/statuses")
    assert (await lone.asked()).answer is Answer.ABSENT
    assert (await lone.recall()).answer is Answer.ABSENT


async def test_a_server_that_posts_at_once_is_asked_what_became_of_it(lone: Lone) -> None:
    lone.network.faults.append(Fault("answer", f"^GET .*{PLANS}", status=200, body=[]))
    lone.fake.keeps_times = False
    with pytest.raises(RetryableError, match="may be public already"):
        await lone.hand_over()
    assert (await lone.asked()).answer is Answer.PUBLISHED


@pytest.mark.parametrize(
    ("status", "kind", "certain"),
    [
        (401, ActionRequiredError, True), (403, ActionRequiredError, True), (422, PermanentError, True),
        (429, LimitReached, True), (500, RetryableError, False), (503, RetryableError, False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("pattern", [POST, f"^GET .*{PLANS}"], ids=["giving", "looking"])
async def test_what_a_refused_time_asks_for(
    lone: Lone, pattern: str, status: int, kind: type[WorkError], certain: bool
) -> None:
    body = {"error": "in the server's own words"}
    lone.network.faults.append(Fault("answer", pattern, status=status, body=body))
    with pytest.raises(WorkError, match="own words") as raised:
        await lone.hand_over()
    error = raised.value
    assert isinstance(error, NotPublished) is certain
    assert type(error.cause if isinstance(error, NotPublished) else error) is kind


async def test_a_plan_that_could_not_be_moved_leaves_doubt(lone: Lone) -> None:
    await lone.hand_over()
    with pytest.raises(PermanentError, match="must be in the future"):
        await lone.hand_over(datetime.now(UTC) + timedelta(minutes=4))
    assert (await lone.asked()).answer is Answer.PENDING


def test_times_that_are_too_near_are_kept_here() -> None:
    now = datetime.now(UTC)
    assert not MastodonPublisher.takes(now + timedelta(minutes=14), now)
    assert MastodonPublisher.takes(now + timedelta(days=20), now)


# ---- taking it back -------------------------------------------------------------------------------------------


async def test_a_time_that_was_taken_back_is_none_any_more_and_that_may_be_repeated(lone: Lone) -> None:
    await lone.hand_over()
    for _ in range(2):
        assert (await lone.recall()).answer is Answer.ABSENT
    assert len(lone.calls("DELETE")) == 1
    lone.network.skew_seconds = 86_400 + 60
    assert lone.fake.public_posts() == []


async def test_it_is_too_late_when_it_is_posted(lone: Lone) -> None:
    await lone.hand_over()
    lone.network.skew_seconds = 86_400 + 60
    assert (await lone.recall()).answer is Answer.PUBLISHED
    assert len(lone.fake.public_posts()) == 1


async def test_a_post_that_is_being_made_while_the_time_is_taken_back_is_seen(lone: Lone) -> None:
    """The server has read the plan, and posts although it is deleted then."""
    await lone.hand_over()
    (plan,) = lone.fake.schedule.planned.values()
    plan.at = datetime.now(UTC) + timedelta(seconds=30)

    def makes_it(_call: Any) -> None:
        lone.fake._make(plan.given, plan.media, plan.at.timestamp())

    lone.network.faults.append(Fault("answer", "^DELETE", status=200, body={}, happens=makes_it))
    assert (await lone.recall()).answer is Answer.PUBLISHED


async def test_a_post_in_neither_list_is_waited_for(lone: Lone) -> None:
    """The server takes it out of its schedule, and makes it a moment later."""
    await lone.hand_over()
    (plan,) = lone.fake.schedule.planned.values()

    def makes_it(_call: Any) -> None:
        lone.fake._make(plan.given, plan.media, plan.at.timestamp())

    lone.fake.schedule.planned.clear()
    lone.network.faults.append(Fault("answer", f"^GET .*{PLANS}", status=200, body=[], happens=makes_it))
    assert (await lone.asked()).answer is Answer.PUBLISHED


async def test_a_video_that_the_server_threw_away_may_have_been_posted(lone: Lone) -> None:
    """After a day without a post and without a time: the same as one whose post somebody deleted."""
    await lone.hand_over()
    lone.network.faults.append(Fault("after", "^DELETE"))
    with pytest.raises(RetryableError):
        await lone.recall()
    assert (await lone.asked()).answer is Answer.ABSENT
    lone.network.skew_seconds = 86_400 + 60
    assert (await lone.asked()).answer is Answer.UNKNOWN


async def test_a_video_keeps_with_a_time_longer_than_without(lone: Lone) -> None:
    await lone.hand_over(TOMORROW + timedelta(days=5))
    lone.network.skew_seconds = 5 * 86_400
    lone.fake.catch_up()
    assert list(lone.fake.media) == [lone.handle["media_id"]]
