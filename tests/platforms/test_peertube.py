"""PeerTube: what goes wrong, what is gone on with, and what is refused before anything is sent."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.publishing.lone_context import context_of
from tests.platforms.alone import WHOLE, Alone, alone
from tests.platforms.posts import PUBLICATION, keep
from tests.platforms.world import HastyClock

from video_manager.domain.video import Severity
from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.fakes import peertube
from video_manager.fakes.network import Fault
from video_manager.fakes.peertube import PeerTubeFake
from video_manager.plugins.api import Answer, Asked, Token
from video_manager.plugins.publishers.peertube import PeerTubeOptions, PeerTubePublisher
from video_manager.plugins.publishers.peertube_api import CHUNK_BYTES

PUBLISHER = PeerTubePublisher()
OPTIONS = PeerTubeOptions(server=peertube.SERVER, username=peertube.USERNAME, password=peertube.PASSWORD)
UPLOAD = "upload-resumable"
TOMORROW = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(PeerTubeFake, tmp_path, PUBLISHER, OPTIONS, facts=WHOLE) as found:
        found.access.kept = fake(found).issue()["access_token"]
        found.account = {"channel_id": peertube.CHANNEL["id"], "quota_bytes": 10 * 2**30}
        yield found


def fake(at: Alone) -> PeerTubeFake:
    return at.fake_of(PeerTubeFake)


# ---- the way to being public --------------------------------------------------------------------------------


async def test_nothing_is_public_before_publishing_and_everything_arrives(at: Alone) -> None:
    post, context = at.post(extra={"comments": "disabled", "sensitive": True}), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    assert not fake(at).public_posts()
    assert (await PUBLISHER.ask(post, handle, OPTIONS, context)).answer is Answer.ABSENT
    published = await PUBLISHER.publish(post, handle, OPTIONS, context)
    (shown,) = fake(at).public_posts("Ein Tag am Meer")
    assert published.url == f"{peertube.SERVER}/w/{shown.id[:8]}"
    assert published.warning is None
    assert shown.sha256 == post.video_sha256
    assert shown.extra["thumbnail"]
    assert shown.extra["captions"] == {"de": "WEBVTT\n\n"}
    assert shown.extra["filename"] == f"{PUBLICATION}.mp4"
    assert (shown.extra["commentsPolicy"], shown.extra["nsfw"], shown.extra["language"]) == (2, True, "de")


async def test_the_session_is_saved_before_the_first_byte(at: Alone) -> None:
    at.network.faults.append(Fault("answer", f"PUT .*{UPLOAD}", status=422, body={"detail": "unreadable"}))
    with pytest.raises(PermanentError, match="unreadable"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert [set(handle) for handle in at.handles] == [{"session"}]


@pytest.mark.parametrize(("privacy", "number"), [("unlisted", 2), ("internal", 4)])
async def test_the_chosen_privacy_is_set(at: Alone, privacy: str, number: int) -> None:
    published = await at.published(extra={"privacy": privacy})
    assert fake(at).videos[published.external_id].metadata["privacy"] == number
    assert published.warning is None


async def test_a_video_that_moderators_hold_back_is_said_so(at: Alone) -> None:
    fake(at).holds_back = True
    assert "moderator" in (await at.published()).warning


async def test_a_changed_privacy_is_noticed(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    await PUBLISHER.publish(post, handle, OPTIONS, context)
    fake(at).videos[handle["video"]].metadata["privacy"] = 4
    asked = await PUBLISHER.ask(post, handle, OPTIONS, context)
    assert asked.published is not None
    assert "Internal instead of public" in (asked.published.warning or "")


async def test_deleting_takes_it_down_and_may_be_repeated(at: Alone) -> None:
    published = await at.published()
    for _ in range(2):
        await PUBLISHER.delete(published.external_id, OPTIONS, at.context())
    assert not fake(at).videos
    asked = await PUBLISHER.ask(at.post(), {"video": published.external_id}, OPTIONS, at.context())
    assert asked.answer is Answer.UNKNOWN, "what somebody took down is not uploaded again"


async def test_one_that_is_still_processed_is_pending(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    await PUBLISHER.publish(post, handle, OPTIONS, context)
    fake(at).videos[handle["video"]].polls = 1
    assert (await PUBLISHER.ask(post, handle, OPTIONS, context)).answer is Answer.PENDING


# ---- the server keeps the time ------------------------------------------------------------------------------


async def _handed_over(at: Alone, when: datetime, **changes: Any) -> Mapping[str, Any]:
    post, context = at.post(**changes), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    await PUBLISHER.hand_over(post, handle, when, OPTIONS, context)
    return handle


async def _ask(at: Alone, handle: Mapping[str, Any], **changes: Any) -> Asked:
    return await PUBLISHER.ask(at.post(**changes), handle, OPTIONS, at.context())


async def _recall(at: Alone, handle: Mapping[str, Any]) -> Asked:
    return await PUBLISHER.recall(at.post(), handle, OPTIONS, at.context())


@pytest.mark.parametrize(("privacy", "number"), [("public", 1), ("unlisted", 2), ("internal", 4)])
async def test_the_server_sets_the_chosen_privacy_at_the_time(at: Alone, privacy: str, number: int) -> None:
    handle = await _handed_over(at, TOMORROW, extra={"privacy": privacy})
    (video,) = fake(at).videos.values()
    assert (video.metadata["privacy"], video.planned) == (3, {"updateAt": _text(TOMORROW), "privacy": number})
    asked = await _ask(at, handle)
    assert (asked.answer, asked.published) == (Answer.PENDING, None)
    assert _text(TOMORROW) in asked.detail
    _a_day_later(at)
    asked = await _ask(at, handle, extra={"privacy": privacy})
    assert (asked.answer, video.metadata["privacy"]) == (Answer.PUBLISHED, number)
    assert asked.published is not None
    assert asked.published.warning is None


async def test_a_time_that_is_given_again_replaces_the_one_before(at: Alone) -> None:
    handle = await _handed_over(at, TOMORROW)
    later = TOMORROW + timedelta(days=1)
    await PUBLISHER.hand_over(at.post(), handle, later, OPTIONS, at.context())
    _a_day_later(at)
    assert (await _ask(at, handle)).answer is Answer.PENDING
    assert fake(at).public_posts() == []


async def test_a_time_that_somebody_changed_there_is_told_and_waited_for(at: Alone) -> None:
    handle = await _handed_over(at, TOMORROW)
    (video,) = fake(at).videos.values()
    video.planned = {"updateAt": "2040-01-01T00:00:00.000Z", "privacy": 1}
    asked = await _ask(at, handle)
    assert asked == Asked(Answer.PENDING, detail="PeerTube publishes it at 2040-01-01T00:00:00.000Z")


@pytest.mark.parametrize("plan", [None, {"updateAt": "2040-01-01T00:00:00.000Z"}], ids=["none", "of nothing"])
async def test_without_a_plan_that_publishes_it_the_server_does_not_have_the_time(at: Alone, plan: Any) -> None:
    handle = await _handed_over(at, TOMORROW)
    (video,) = fake(at).videos.values()
    video.planned = plan
    assert (await _ask(at, handle)).answer is Answer.ABSENT


async def test_a_time_that_was_taken_back_is_none_any_more_and_that_may_be_repeated(at: Alone) -> None:
    handle = await _handed_over(at, TOMORROW)
    for _ in range(2):
        assert (await _recall(at, handle)).answer is Answer.ABSENT
    assert len(at.calls(f"PUT {peertube.HOST}/api/v1/videos/{handle['video']}")) == 2 + 2  # thumbnail, captions
    _a_day_later(at)
    assert fake(at).public_posts() == []
    assert await PUBLISHER.upload(at.post(), OPTIONS, at.context(earlier=handle)) == handle


async def test_what_is_public_already_is_not_taken_down_by_taking_the_time_back(at: Alone) -> None:
    handle = await _handed_over(at, TOMORROW)
    _a_day_later(at)
    asked = await _recall(at, handle)
    assert asked.answer is Answer.PUBLISHED
    assert len(fake(at).public_posts()) == 1


@pytest.mark.parametrize("at_text", ["2020-01-01T00:00:00.000Z", "some day"])
async def test_a_plan_that_is_carried_out_while_it_is_removed_is_seen(at: Alone, at_text: str) -> None:
    """The server has read it already: the second look comes after a while."""
    handle = await _handed_over(at, TOMORROW)
    (video,) = fake(at).videos.values()
    waits: list[float] = []

    class Late(HastyClock):
        """Meanwhile the server gets to it."""

        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            video.metadata["privacy"] = 1

    context = context_of(
        at.folder, at.http, save_handle=keep([]), account=at.account, access=at.access, clock=Late()
    )  # fmt: skip
    planned = {"scheduledUpdate": {"updateAt": at_text, "privacy": 1}}
    at.network.faults.append(Fault("answer", f"GET .*/videos/{handle['video']}$", status=200, body=planned))
    assert (await PUBLISHER.recall(at.post(), handle, OPTIONS, context)).answer is Answer.PUBLISHED
    assert len(waits) == 1


async def test_a_video_that_somebody_deleted_has_no_time_to_take_back(at: Alone) -> None:
    handle = await _handed_over(at, TOMORROW)
    fake(at).videos.clear()
    assert (await _recall(at, handle)).answer is Answer.ABSENT
    assert (await _ask(at, handle)).answer is Answer.UNKNOWN


async def test_a_server_that_keeps_the_plan_has_not_given_the_time_back(at: Alone) -> None:
    handle = await _handed_over(at, TOMORROW)
    at.network.faults.append(Fault("answer", r"PUT .*/videos/[0-9a-f]{8}-[^/]*$", status=204, body=None))
    assert (await _recall(at, handle)).answer is Answer.PENDING


@pytest.mark.parametrize(
    ("status", "kind", "certain"),
    [(400, PermanentError, True), (403, PermanentError, True), (429, LimitReached, True), (500, RetryableError, False)],
)
async def test_what_a_refused_time_asks_for(at: Alone, status: int, kind: type[WorkError], certain: bool) -> None:
    handle = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    at.network.faults.append(Fault("answer", "PUT", status=status, body={"detail": "in the server's own words"}))
    with pytest.raises(WorkError, match="own words") as raised:
        await PUBLISHER.hand_over(at.post(), handle, TOMORROW, OPTIONS, at.context())
    error = raised.value
    assert isinstance(error, NotPublished) is certain
    assert type(error.cause if isinstance(error, NotPublished) else error) is kind


def test_times_that_are_too_near_are_kept_here() -> None:
    now = datetime.now(UTC)
    assert not PUBLISHER.takes(now + timedelta(minutes=9), now)
    assert PUBLISHER.takes(now + timedelta(days=20), now)


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({"privacy": 1}, "updateAt"), ({"updateAt": "soon"}, "ISO 8601"),
        ({"updateAt": "2040-01-01T00:00:00Z", "privacy": 3}, "scheduleUpdate.privacy"),
    ],
)  # fmt: skip
async def test_the_fake_refuses_a_plan_as_a_server_does(at: Alone, plan: Any, text: str) -> None:
    handle = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    address = f"{at.gateway}/{peertube.HOST}/api/v1/videos/{handle['video']}"
    signed = {"Authorization": f"Bearer {at.access.kept}"}
    async with httpx.AsyncClient() as client:
        answer = await client.put(address, json={"scheduleUpdate": plan}, headers=signed)
    assert answer.status_code == 400
    assert text in answer.json()["detail"]


def _a_day_later(at: Alone) -> None:
    """And signed in anew: a session lasts for a day."""
    at.network.skew_seconds = 86_400 + 60
    at.access.kept = fake(at).issue()["access_token"]


def _text(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


# ---- going on -----------------------------------------------------------------------------------------------


async def test_a_broken_connection_goes_on_where_the_server_stands(at: Alone) -> None:
    size = CHUNK_BYTES + 1000
    at.network.faults.append(Fault("after", f"PUT .*{UPLOAD}"))  # the first part has come, its answer is lost
    post = at.post(size)
    await PUBLISHER.upload(post, OPTIONS, at.context())
    (video,) = fake(at).videos.values()
    assert video.arrived.sha256 == post.video_sha256  # the fake refuses what it has already
    assert len(at.calls(f"PUT {peertube.HOST}/api/v1/videos/{UPLOAD}")) == 3


async def test_a_connection_that_never_holds_ends_the_attempt(at: Alone) -> None:
    at.network.faults += [Fault("before", f"PUT .*{UPLOAD}", times=1) for _ in range(2)]
    with pytest.raises(RetryableError, match="did not answer"):  # the second one was the question where it stands
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_the_next_attempt_sends_only_what_is_missing(at: Alone) -> None:
    post = at.post(CHUNK_BYTES + 1000)
    at.network.faults.append(Fault("answer", number=4, status=422))
    at.network.calls.clear()
    with pytest.raises(PermanentError):
        await PUBLISHER.upload(post, OPTIONS, at.context())
    assert at.network.calls[-1].number == 4
    at.network.calls.clear()
    await PUBLISHER.upload(post, OPTIONS, at.context(earlier=at.handles[-1]))
    puts = [call.status for call in at.network.calls if call.method == "PUT" and UPLOAD in call.path]
    assert puts == [308, 200]
    assert not at.calls("POST")
    (video,) = fake(at).videos.values()
    assert video.arrived.sha256 == post.video_sha256


async def test_a_finished_upload_whose_answer_was_lost_is_found_by_its_file_name(at: Alone) -> None:
    at.network.faults.append(Fault("after", f"PUT .*{UPLOAD}"))
    handle = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert list(fake(at).videos) == [handle["video"]]


async def test_another_video_of_the_same_title_is_not_taken_for_it(at: Alone) -> None:
    await at.published(publication_id="f" * 32)
    published = await at.published()
    assert len(fake(at).videos) == 2
    assert fake(at).videos[published.external_id].metadata["filename"] == f"{PUBLICATION}.mp4"


async def test_an_upload_without_a_trace_of_it_here_is_found_there(at: Alone) -> None:
    first = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    second = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert first == second
    assert len(fake(at).videos) == 1


async def test_it_is_found_on_a_later_page_too(at: Alone) -> None:
    first = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    original = fake(at).videos[first["video"]]
    for number in range(150):
        other = replace(original, id=f"{number:08}-other", metadata={**original.metadata, "name": "Another"})
        fake(at).videos[other.id] = replace(other, at=original.at + 1 + number)
    assert await PUBLISHER.upload(at.post(), OPTIONS, at.context()) == first


async def test_a_server_that_takes_the_video_in_is_waited_for(at: Alone) -> None:
    fake(at).busy = 3
    await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    puts = [call.status for call in at.network.calls if call.method == "PUT" and UPLOAD in call.path]
    assert puts == [503, 503, 503, 200]
    assert len(fake(at).videos) == 1


async def test_an_old_session_begins_anew(at: Alone) -> None:
    at.network.faults.append(Fault("answer", f"PUT .*{UPLOAD}", status=422))
    with pytest.raises(PermanentError):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    at.network.skew_seconds = peertube.SESSION_SECONDS + 10
    await PUBLISHER.upload(at.post(), OPTIONS, at.context(earlier=at.handles[-1]))
    assert len(fake(at).videos) == 1
    assert len({handle["session"] for handle in at.handles if "session" in handle}) == 2


# ---- errors -------------------------------------------------------------------------------------------------

PROBLEMS: list[tuple[str, int, dict[str, Any], type[WorkError], str]] = [
    (f"POST .*{UPLOAD}", 413, {"code": "max_file_size_reached", "detail": "too large"}, PermanentError, "too large"),
    (f"POST .*{UPLOAD}", 413, {"code": "quota_reached", "detail": "daily quota"}, LimitReached, "quota is used up"),
    (f"POST .*{UPLOAD}", 415, {"detail": "not supported"}, PermanentError, "not supported"),
    (f"POST .*{UPLOAD}", 400, {"detail": "Incorrect parameters"}, PermanentError, "Incorrect parameters"),
    (f"PUT .*{UPLOAD}", 403, {"detail": "upload filter"}, PermanentError, "upload filter"),
    (f"PUT .*{UPLOAD}", 422, {"detail": "unreadable"}, PermanentError, "unreadable"),
    (f"PUT .*{UPLOAD}", 429, {"detail": "too many"}, LimitReached, "too many"),
    ("POST", 500, {"detail": "oops"}, RetryableError, "oops"),
    ("POST", 418, {"detail": "a teapot"}, PermanentError, "a teapot"),
    ("POST", 301, {}, PermanentError, "the address that the server has at the end"),
    ("GET .*users/me/videos", 503, {"detail": "restarting"}, RetryableError, "restarting"),
    ("PUT .*captions", 400, {"detail": "language"}, PermanentError, "language"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "status", "body", "kind", "text"), PROBLEMS)
async def test_an_error_says_what_it_asks_for(
    at: Alone, pattern: str, status: int, body: dict[str, Any], kind: type[WorkError], text: str
) -> None:
    await at.upload_fails(Fault("answer", pattern, status=status, body=body), kind, text)


async def test_a_chunk_that_does_not_match_is_asked_about(at: Alone) -> None:
    at.network.faults.append(Fault("answer", f"PUT .*{UPLOAD}", status=409, body={"detail": "range"}))
    await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert len(fake(at).videos) == 1


async def test_an_upload_that_takes_nothing_ends_the_attempt(at: Alone) -> None:
    at.network.faults.append(Fault("answer", f"PUT .*{UPLOAD}", status=308, headers={"Range": "bytes=0--1"}, times=100))
    with pytest.raises(RetryableError, match="takes no more of the upload after 0 bytes"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_a_failed_transcoding_is_final(at: Alone) -> None:
    body = {"state": {"id": 7, "label": "Transcoding failed"}}
    at.network.faults.append(Fault("answer", "GET .*/videos/[0-9a-f]{8}-", status=200, body=body))
    with pytest.raises(PermanentError, match="Transcoding failed"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_a_refused_privacy_leaves_no_doubt(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "PUT", status=403, body={"detail": "not yours"}))
    with pytest.raises(NotPublished) as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert isinstance(raised.value.cause, PermanentError)


# ---- signing in ---------------------------------------------------------------------------------------------


async def test_a_session_is_renewed_by_its_refresh_token_then_by_the_password(at: Alone) -> None:
    first = await PUBLISHER.renew(None, OPTIONS, at.context())
    second = await PUBLISHER.renew(first, OPTIONS, at.context())
    assert second.access != first.access
    assert second.expires_at is not None
    third = await PUBLISHER.renew(first, OPTIONS, at.context())  # its refresh token is spent
    at.access.kept = third.access
    assert (await PUBLISHER.connect(OPTIONS, at.context())).name == "Demo channel"


@pytest.mark.parametrize(
    ("two_factor", "password", "text"),
    [(False, "wrong", "check the user name"), (True, peertube.PASSWORD, "two-factor")],
)
async def test_who_cannot_sign_in_is_asked(at: Alone, two_factor: bool, password: str, text: str) -> None:
    fake(at).two_factor = two_factor
    options = OPTIONS.model_copy(update={"password": password})
    for token in (None, Token("old", refresh="spent")):
        with pytest.raises(ActionRequiredError, match=text) as raised:
            await PUBLISHER.renew(token, options, at.context())
        assert password not in raised.value.detail


async def test_the_first_channel_is_taken_unless_one_is_named(at: Alone) -> None:
    for channel in ("", "demo_channel", "demo_channel@peertube.example", "7"):
        account = await PUBLISHER.connect(OPTIONS.model_copy(update={"channel": channel}), at.context())
        assert (account.id, account.facts["channel_id"]) == ("7", 7)
    with pytest.raises(ActionRequiredError, match="it has: demo_channel"):
        await PUBLISHER.connect(OPTIONS.model_copy(update={"channel": "other"}), at.context())


# ---- limits -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"title": "ab"}, "title_too_short", Severity.ERROR),
        ({"title": "a" * 121}, "title_too_long", Severity.ERROR),
        ({"description": "a" * 10_001}, "description_too_long", Severity.ERROR),
        ({"description": "a"}, "description_left_out", Severity.WARNING),
        ({"tags": ("a", "meer")}, "tags_left_out", Severity.WARNING),
        ({"tags": tuple(f"tag{number}" for number in range(6))}, "tags_left_out", Severity.WARNING),
        ({"video_bytes": 11 * 2**30}, "too_large", Severity.ERROR),
    ],
)
async def test_limits(at: Alone, changes: dict[str, Any], code: str, severity: Severity) -> None:
    assert await PUBLISHER.check(at.post(), OPTIONS, at.context()) == ()
    (finding,) = await PUBLISHER.check(at.post(**changes), OPTIONS, at.context())
    assert (finding.code, finding.severity) == (code, severity)
    assert not at.network.calls


async def test_what_is_left_out_is_not_sent(at: Alone) -> None:
    await at.published(tags=("a", *(f"tag{number}" for number in range(6))), description="x")
    (video,) = fake(at).videos.values()
    assert video.metadata["tags"] == [f"tag{number}" for number in range(5)]
    assert "description" not in video.metadata
