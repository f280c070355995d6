"""The YouTube publisher: what it sends, how it goes on after a break, what each error of YouTube asks for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.platforms import youtube_alone as yt
from tests.platforms.youtube_alone import OPTIONS, PUBLISHER, Alone, Attempt, alone, google_error

from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.fakes import youtube as fakes
from video_manager.fakes.network import Call, Fault
from video_manager.plugins.api import Answer
from video_manager.plugins.publishers.youtube_api import UNITS_QUOTA, UPLOADS_QUOTA, seconds_to_reset

READONLY = "https://www.googleapis.com/auth/youtube.readonly"
LONG = 20 * yt.MIB
"""Three chunks of 8 MiB, the last a shorter one."""


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(tmp_path) as here:
        yield here


# ---- what is sent -------------------------------------------------------------------------------------------


async def test_everything_that_was_chosen_arrives_and_nothing_is_public_before(at: Alone) -> None:
    extra = {
        "made_for_kids": True, "contains_synthetic_media": True, "category": "10", "license": "creativeCommon",
        "embeddable": False, "public_stats": False, "notify_subscribers": False, "playlist": fakes.PLAYLIST,
    }  # fmt: skip
    post, attempt = at.post(extra=extra), at.attempt()
    handle = await PUBLISHER.upload(post, OPTIONS, attempt.context)
    (video,) = at.fake.videos.values()
    assert video.status["privacyStatus"] == "private"
    assert not at.fake.public_posts()
    made = await PUBLISHER.publish(post, handle, OPTIONS, attempt.context)
    assert (made.external_id, made.url) == (video.id, f"https://www.youtube.com/watch?v={video.id}")
    assert video.status == {
        "privacyStatus": "public", "selfDeclaredMadeForKids": True, "containsSyntheticMedia": True,
        "license": "creativeCommon", "embeddable": False, "publicStatsViewable": False,
    }  # fmt: skip
    assert video.snippet == {
        "title": yt.TITLE, "description": "Am Meer.", "tags": ["meer", "sommer"], "categoryId": "10",
        "defaultLanguage": "de", "defaultAudioLanguage": "de",
    }  # fmt: skip
    assert video.sha256 == post.video_sha256
    assert post.publication_id in video.file_name
    assert not video.notifies
    assert video.thumbnail_sha256 is not None
    assert list(video.captions) == [("de", "Captions")]
    assert at.fake.playlists[fakes.PLAYLIST].video_ids == [video.id]
    assert made.warning is None


@pytest.mark.parametrize("privacy", ["private", "unlisted"])
async def test_who_chooses_less_than_public_gets_that(at: Alone, privacy: str) -> None:
    made = await at.published(at.post(extra={"privacy": privacy}))
    assert at.fake.videos[made.external_id].status["privacyStatus"] == privacy
    assert made.warning is None


async def test_people_are_told_when_youtube_keeps_it_private(at: Alone) -> None:
    at.fake.is_audited = False
    made = await at.published()
    assert made.warning is not None
    assert "keeps the video private although public was asked for" in made.warning


async def test_what_it_costs_is_taken_before_it_is_spent(at: Alone) -> None:
    attempt, post = at.attempt(), at.post()
    handle = await PUBLISHER.upload(post, OPTIONS, attempt.context)
    await PUBLISHER.publish(post, handle, OPTIONS, attempt.context)
    for quota, bucket in ((UPLOADS_QUOTA, "inserts"), (UNITS_QUOTA, "units")):
        taken = sum(cost for name, cost in attempt.access.spent if name == quota)
        assert taken == at.fake.allowance.used_today(bucket)


# ---- going on after a break ---------------------------------------------------------------------------------


async def test_an_interrupted_upload_goes_on_where_it_stopped(at: Alone) -> None:
    post = at.post(LONG)
    before = at.attempt()

    def break_the_rest(_call: Any) -> None:
        at.fail(Fault("before"), yt.SESSION, times=4)

    at.fail(Fault("after", happens=break_the_rest), yt.SESSION)
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(post, OPTIONS, before.context)
    assert before.handle["session"]
    calls = at.count(yt.SESSION)
    await at.uploaded(post, before.handle)
    assert at.count(yt.SESSION) - calls == 3, "it asks, and sends the two chunks that are missing"
    assert at.count(yt.BEGIN) == 1
    (video,) = at.fake.videos.values()
    assert video.sha256 == post.video_sha256


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_a_broken_chunk_is_asked_about_and_not_sent_blindly(at: Alone, kind: Any) -> None:
    post = at.post(LONG)
    at.fail(Fault(kind), yt.SESSION)
    await at.uploaded(post)
    (video,) = at.fake.videos.values()
    assert video.sha256 == post.video_sha256
    assert at.count(yt.SESSION) == (5 if kind == "before" else 4)


async def test_the_address_of_the_session_is_stored_before_the_first_byte_and_in_no_error(at: Alone) -> None:
    attempt = at.attempt()
    said: list[str] = []

    def repeat(call: Call) -> None:
        said.append(call.query)
        at.network.faults[0].body["error"]["message"] = f"wrong: {call.query}"

    fault = google_error(400, "invalidVideoMetadata")
    fault.happens = repeat
    at.fail(fault, yt.SESSION)
    with pytest.raises(PermanentError, match="wrong:") as raised:
        await PUBLISHER.upload(at.post(), OPTIONS, attempt.context)
    secret = attempt.handle["session"].split("upload_id=")[1]
    assert secret in said[0]
    assert secret not in raised.value.detail
    assert not at.fake.videos


async def test_a_chunk_that_another_process_has_sent_meanwhile_is_asked_about(at: Alone) -> None:
    post = at.post(LONG)
    at.fail(google_error(400, "badRequest", "not the already uploaded size"), yt.SESSION)
    await at.uploaded(post)
    (video,) = at.fake.videos.values()
    assert video.sha256 == post.video_sha256


async def test_two_processes_at_the_same_session_make_one_video(at: Alone) -> None:
    post, first = at.post(LONG), at.attempt()
    at.fail(Fault("before"), yt.SESSION, times=5)
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(post, OPTIONS, first.context)
    ends = await asyncio.gather(*(at.uploaded(post, first.handle) for _ in range(3)), return_exceptions=True)
    assert all(isinstance(end, Attempt | RetryableError) for end in ends), ends
    await at.uploaded(post, first.handle)
    (video,) = at.fake.videos.values()
    assert video.sha256 == post.video_sha256


@pytest.mark.parametrize("way", ["forgotten", "expired"])
async def test_a_session_that_is_gone_is_replaced(at: Alone, way: str) -> None:
    attempt, post = at.attempt(), at.post(LONG)
    at.fail(Fault("before"), yt.SESSION, times=5)
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    if way == "forgotten":
        at.fake.sessions.open.clear()
    else:
        at.network.skew_seconds = 8 * 86400.0
    await at.uploaded(post, attempt.handle)
    assert at.count(yt.BEGIN) == 2
    assert len(at.fake.videos) == 1


async def test_a_lost_session_whose_video_was_made_is_found_by_its_file_name(at: Alone) -> None:
    post = at.post()
    first = await at.uploaded(post)
    handle = {"file_name": first.handle["file_name"], "session": first.handle["session"]}
    at.fake.sessions.open.clear()
    for earlier in (handle, None):
        again = await at.uploaded(post, earlier)
        assert again.handle["video_id"] == first.handle["video_id"]
    assert len(at.fake.videos) == 1
    assert at.count(yt.BEGIN) == 1


async def test_a_new_video_of_the_same_title_is_waited_for_until_its_file_name_is_known(at: Alone) -> None:
    at.fake.processing_polls = 1
    post, attempt = at.post(), at.attempt()
    at.fail(Fault("after"), yt.SESSION)
    at.fail(Fault("before"), yt.LIST)
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    with pytest.raises(RetryableError, match="file name of a new video with this title"):
        await at.uploaded(post)
    await at.uploaded(post)
    assert len(at.fake.videos) == 1


async def test_other_videos_of_the_channel_are_left_alone(at: Alone) -> None:
    await at.published(at.post(publication_id="another", title="Something else"))
    await at.published()
    assert len(at.fake.videos) == 2


async def test_thumbnail_captions_and_playlist_are_set_once(at: Alone) -> None:
    post, attempt = at.post(extra={"playlist": fakes.PLAYLIST}), at.attempt()
    at.fail(google_error(503, "backendError"), yt.CAPTIONS)
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    again = await at.uploaded(post, attempt.handle)
    await at.uploaded(post, again.handle)
    assert at.count(yt.THUMBNAIL) == 1
    assert at.count(yt.CAPTIONS) == 2
    assert len(at.fake.playlists[fakes.PLAYLIST].video_ids) == 1


async def test_captions_whose_answer_was_lost_are_there_already(at: Alone) -> None:
    post, attempt = at.post(), at.attempt()
    at.fail(Fault("after"), yt.CAPTIONS)
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    again = await at.uploaded(post, attempt.handle)
    assert "warnings" not in again.handle
    (video,) = at.fake.videos.values()
    assert len(video.captions) == 1


async def test_a_video_that_vanishes_is_uploaded_again(at: Alone) -> None:
    post = at.post()
    first = await at.uploaded(post)
    at.fake.videos.clear()
    attempt = at.attempt(first.handle)
    with pytest.raises(RetryableError, match="uploaded again"):
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    assert set(attempt.handle) == {"file_name"}
    again = await at.uploaded(post, attempt.handle)
    assert again.handle["video_id"] in at.fake.videos


# ---- processing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kind", "text"),
    [
        ({"uploadStatus": "failed", "failureReason": "codec"}, PermanentError, "codec"),
        ({"uploadStatus": "failed", "failureReason": "conversion"}, PermanentError, "could not convert"),
        ({"uploadStatus": "failed", "failureReason": "invalidFile"}, PermanentError, "cannot read the file"),
        ({"uploadStatus": "failed", "failureReason": "emptyFile"}, PermanentError, "empty"),
        ({"uploadStatus": "failed", "failureReason": "tooSmall"}, PermanentError, "too small"),
        ({"uploadStatus": "failed", "failureReason": "uploadAborted"}, RetryableError, "uploaded again"),
        ({"uploadStatus": "rejected", "rejectionReason": "duplicate"}, PermanentError, "has this video already"),
        ({"uploadStatus": "rejected", "rejectionReason": "copyright"}, PermanentError, "copyright"),
        ({"uploadStatus": "rejected", "rejectionReason": "inappropriate"}, PermanentError, "guidelines"),
        ({"uploadStatus": "rejected", "rejectionReason": "termsOfUse"}, PermanentError, "terms of use"),
        ({"uploadStatus": "rejected", "rejectionReason": "length"}, PermanentError, "verify"),
        ({"uploadStatus": "rejected", "rejectionReason": "claim"}, PermanentError, "claims"),
        ({"uploadStatus": "rejected", "rejectionReason": "trademark"}, PermanentError, "trademark"),
        ({"uploadStatus": "rejected", "rejectionReason": "legal"}, PermanentError, "legal"),
        ({"uploadStatus": "rejected", "rejectionReason": "uploaderAccountSuspended"}, ActionRequiredError, "account"),
        ({"uploadStatus": "rejected", "rejectionReason": "uploaderAccountClosed"}, ActionRequiredError, "account"),
        ({"uploadStatus": "deleted"}, PermanentError, "no reason given"),
    ],
)
async def test_what_processing_may_end_with(
    at: Alone, outcome: dict[str, str], kind: type[WorkError], text: str
) -> None:
    at.fake.outcome = outcome
    attempt = at.attempt()
    with pytest.raises(WorkError, match=text) as raised:
        await PUBLISHER.upload(at.post(), OPTIONS, attempt.context)
    assert type(raised.value) is kind
    assert set(attempt.handle) == {"file_name"}, "another try is another upload"


async def test_long_processing_is_waited_for_in_a_later_attempt(at: Alone) -> None:
    at.fake.processing_polls = 45
    post, attempt = at.post(), at.attempt()
    with pytest.raises(RetryableError, match="still processing"):
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    await at.uploaded(post, attempt.handle)
    assert len(at.fake.videos) == 1


# ---- errors -------------------------------------------------------------------------------------------------

DAY = 86400.0
ERRORS: list[tuple[int, str, type[WorkError], str]] = [
    (400, "invalidTitle", PermanentError, "change the title"),
    (400, "invalidDescription", PermanentError, "change the description"),
    (400, "invalidTags", PermanentError, "change the tags"),
    (400, "invalidCategoryId", PermanentError, "another category"),
    (400, "invalidPublishAt", PermanentError, "another time"),
    (400, "invalidVideoMetadata", PermanentError, "check title"),
    (400, "invalidFilename", PermanentError, "file name"),
    (400, "mediaBodyRequired", PermanentError, "no bytes"),
    (400, "defaultLanguageNotSet", PermanentError, "language"),
    (400, "uploadLimitExceeded", LimitReached, "Google's own words"),
    (401, "authError", ActionRequiredError, "connect the channel again"),
    (401, "youtubeSignupRequired", ActionRequiredError, "no YouTube channel"),
    (403, "forbidden", ActionRequiredError, "check the rights"),
    (403, "accountDelegationForbidden", ActionRequiredError, "another account"),
    (403, "authenticatedUserAccountClosed", ActionRequiredError, "closed"),
    (403, "authenticatedUserAccountSuspended", ActionRequiredError, "suspended"),
    (403, "channelClosed", ActionRequiredError, "closed"),
    (403, "channelSuspended", ActionRequiredError, "suspended"),
    (403, "insufficientPermissions", ActionRequiredError, "every box"),
    (403, "accessNotConfigured", ActionRequiredError, "YouTube Data API v3"),
    (403, "forbiddenPrivacySetting", PermanentError, "another privacy"),
    (403, "forbiddenLicenseSetting", PermanentError, "another license"),
    (403, "forbiddenEmbedSetting", PermanentError, "embedded"),
    (403, "quotaExceeded", LimitReached, "midnight in California"),
    (403, "dailyLimitExceeded", LimitReached, "midnight in California"),
    (403, "rateLimitExceeded", LimitReached, "Google's own words"),
    (403, "userRateLimitExceeded", LimitReached, "Google's own words"),
    (404, "videoNotFound", PermanentError, "not there any more"),
    (429, "uploadRateLimitExceeded", LimitReached, "Google's own words"),
    (429, "tooManyRequests", LimitReached, "Google's own words"),
    (500, "backendError", RetryableError, "Google's own words"),
    (502, "badGateway", RetryableError, "Google's own words"),
    (503, "backendError", RetryableError, "Google's own words"),
    (504, "backendError", RetryableError, "Google's own words"),
    (418, "neverHeardOf", PermanentError, "neverHeardOf.*Google's own words|Google's own words.*neverHeardOf"),
]


@pytest.mark.parametrize(("status", "reason", "kind", "text"), ERRORS, ids=[f"{one[0]}-{one[1]}" for one in ERRORS])
async def test_each_error_asks_for_what_it_needs(
    at: Alone, status: int, reason: str, kind: type[WorkError], text: str
) -> None:
    attempt, post = at.attempt(), at.post()
    attempt.access.renewal = at.token()
    at.fail(google_error(status, reason), yt.BEGIN, times=2)
    with pytest.raises(WorkError, match=text) as raised:
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
    assert type(raised.value) is kind
    assert not at.fake.videos
    at.network.faults.clear()
    handle = (await at.uploaded(post)).handle
    publishing = at.attempt()
    publishing.access.renewal = at.token()
    at.fail(google_error(status, reason), yt.UPDATE, times=2)
    with pytest.raises(WorkError, match=text) as refused:
        await PUBLISHER.publish(post, handle, OPTIONS, publishing.context)
    error = refused.value
    if status >= 500:
        assert type(error) is kind, "whether it was made is open"
    else:
        assert isinstance(error, NotPublished)
        assert type(error.cause) is kind


@pytest.mark.parametrize(
    ("reason", "status", "least", "most"),
    [
        ("uploadLimitExceeded", 400, DAY, DAY), ("quotaExceeded", 403, 1.0, 25 * 3600.0),
        ("rateLimitExceeded", 403, 60.0, 60.0), ("uploadRateLimitExceeded", 429, 3600.0, 3600.0),
    ],
)  # fmt: skip
async def test_a_limit_says_when_it_goes_on(at: Alone, reason: str, status: int, least: float, most: float) -> None:
    at.fail(google_error(status, reason), yt.BEGIN)
    with pytest.raises(LimitReached) as raised:
        await at.uploaded(at.post())
    assert least <= (raised.value.retry_after_seconds or 0.0) <= most


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 11, 22, 12, 0, tzinfo=UTC), 20.0), (datetime(2026, 11, 22, 8, 0, tzinfo=UTC), 24.0),
        (datetime(2026, 7, 1, 6, 59, 59, tzinfo=UTC), 1 / 3600), (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), 23.0),
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), 25.0),
    ],
)  # fmt: skip
def test_the_quota_comes_back_at_midnight_in_california_also_when_clocks_change(now: datetime, hours: float) -> None:
    assert seconds_to_reset(now) == pytest.approx(hours * 3600.0)


async def test_the_channels_own_upload_limit_is_a_later_time(at: Alone) -> None:
    at.fake.uploads_left = 0
    with pytest.raises(LimitReached, match="uploadLimitExceeded"):
        await at.uploaded(at.post())


async def test_a_thumbnail_that_youtube_refuses_does_not_hold_up_the_video(at: Alone) -> None:
    at.fake.is_verified = False
    made = await at.published()
    assert made.warning is not None
    assert "the thumbnail is not as approved" in made.warning
    assert at.fake.posts[made.external_id].public


async def test_an_expired_token_is_renewed_and_a_revoked_one_asks_for_a_person(at: Alone) -> None:
    attempt = at.attempt()
    attempt.access.kept, attempt.access.renewal = "expired", at.token()
    await PUBLISHER.upload(at.post(), OPTIONS, attempt.context)
    revoked = at.attempt()
    revoked.access.renewal = "revoked, too"
    at.fake.desk.revoke(fakes.CHANNEL)
    with pytest.raises(ActionRequiredError, match="connect the channel again"):
        await PUBLISHER.upload(at.post(publication_id="another"), OPTIONS, revoked.context)


async def test_a_right_that_was_not_granted_asks_for_a_person(at: Alone) -> None:
    attempt = at.attempt(scopes=(READONLY,))
    with pytest.raises(ActionRequiredError, match="every box"):
        await PUBLISHER.upload(at.post(), OPTIONS, attempt.context)


async def test_a_playlist_that_is_not_the_channels_is_noticed_before_anything_is_sent(at: Alone) -> None:
    with pytest.raises(PermanentError, match="no playlist PLnone"):
        await at.uploaded(at.post(extra={"playlist": "PLnone"}))
    assert at.count(yt.BEGIN) == 0


async def test_a_session_elsewhere_is_not_believed(at: Alone) -> None:
    at.fail(Fault("answer", status=200, headers={"Location": "https://evil.example/upload"}), yt.BEGIN)
    attempt = at.attempt()
    with pytest.raises(RetryableError, match="usable address"):
        await PUBLISHER.upload(at.post(), OPTIONS, attempt.context)
    assert not attempt.handles


# ---- asking and deleting ------------------------------------------------------------------------------------


async def test_it_is_known_whether_a_video_is_public(at: Alone) -> None:
    post = at.post()
    attempt = await at.uploaded(post)
    asked = await PUBLISHER.ask(post, attempt.handle, OPTIONS, attempt.context)
    assert asked.answer is Answer.ABSENT
    at.fail(Fault("after"), yt.UPDATE)
    with pytest.raises(RetryableError):
        await PUBLISHER.publish(post, attempt.handle, OPTIONS, attempt.context)
    asked = await PUBLISHER.ask(post, attempt.handle, OPTIONS, attempt.context)
    assert asked.answer is Answer.PUBLISHED
    assert asked.published is not None
    assert asked.published.external_id == attempt.handle["video_id"]
    at.fake.videos[attempt.handle["video_id"]].status["privacyStatus"] = "unlisted"
    asked = await PUBLISHER.ask(post, attempt.handle, OPTIONS, attempt.context)
    assert asked.published is not None
    assert "unlisted although public" in (asked.published.warning or "")
    at.fake.videos.clear()
    assert (await PUBLISHER.ask(post, attempt.handle, OPTIONS, attempt.context)).answer is Answer.UNKNOWN
    at.fail(google_error(403, "quotaExceeded"), yt.LIST)
    assert (await PUBLISHER.ask(post, attempt.handle, OPTIONS, attempt.context)).answer is Answer.PENDING


async def test_a_video_that_cannot_be_read_back_is_published_all_the_same(at: Alone) -> None:
    post = at.post()
    attempt = await at.uploaded(post)
    at.fail(google_error(503, "backendError"), yt.LIST)
    made = await PUBLISHER.publish(post, attempt.handle, OPTIONS, attempt.context)
    assert made.warning is None


async def test_publishing_again_changes_nothing(at: Alone) -> None:
    post = at.post()
    attempt = await at.uploaded(post)
    first = await PUBLISHER.publish(post, attempt.handle, OPTIONS, attempt.context)
    assert await PUBLISHER.publish(post, attempt.handle, OPTIONS, attempt.context) == first
    assert len(at.fake.public_posts()) == 1


async def test_a_video_that_is_rejected_after_all_is_told(at: Alone) -> None:
    post = at.post()
    attempt = await at.uploaded(post)
    at.fake.videos[attempt.handle["video_id"]].outcome = {"uploadStatus": "rejected", "rejectionReason": "claim"}
    made = await PUBLISHER.publish(post, attempt.handle, OPTIONS, attempt.context)
    assert made.warning == "YouTube has rejected the video: claim"


async def test_deleting_takes_the_video_down_and_may_be_repeated(at: Alone) -> None:
    made = await at.published()
    for _ in range(2):
        await PUBLISHER.delete(made.external_id, OPTIONS, at.attempt().context)
    assert not at.fake.videos


# ---- the account and the limits -----------------------------------------------------------------------------


async def test_connecting_shows_the_channel(at: Alone) -> None:
    account = await PUBLISHER.connect(OPTIONS, at.attempt().context)
    assert (account.id, account.name, account.url) == (fakes.CHANNEL, "Demo channel", "https://www.youtube.com/@demo")
    assert account.facts == {"uploads": fakes.UPLOADS, "long_uploads": "allowed"}


def test_the_connection_outlives_the_hour_and_asks_for_no_more_than_is_used() -> None:
    oauth = PUBLISHER.oauth
    assert oauth is not None
    # Without these Google gives no refresh token.
    assert oauth.authorize_parameters == {"access_type": "offline", "prompt": "consent"}
    assert oauth.needed == (fakes.FORCE_SSL,)
    assert set(oauth.needed) < set(oauth.scopes)


@pytest.mark.parametrize("answer", [{"items": [{"id": "x"}]}, {"items": [{"id": "x", "snippet": "?"}]}, []])
async def test_an_answer_that_nobody_understands_is_asked_for_again(at: Alone, answer: Any) -> None:
    post = at.post()
    attempt = await at.uploaded(post)
    at.network.faults.append(Fault("answer", "^GET .*/(channels|videos)", times=2, status=200, body=answer))
    with pytest.raises(RetryableError, match="not understood"):
        await PUBLISHER.connect(OPTIONS, attempt.context)
    with pytest.raises(RetryableError, match="not understood"):
        await PUBLISHER.ask(post, attempt.handle, OPTIONS, attempt.context)


async def test_an_account_without_a_channel_or_without_the_right_cannot_be_connected(at: Alone) -> None:
    with pytest.raises(ActionRequiredError, match="every box"):
        await PUBLISHER.connect(OPTIONS, at.attempt(scopes=("openid",)).context)
    at.fake.has_channel = False
    with pytest.raises(ActionRequiredError, match="no YouTube channel"):
        await PUBLISHER.connect(OPTIONS, at.attempt().context)


@pytest.mark.parametrize(
    ("changes", "facts", "code"),
    [
        ({"title": "x" * 101}, {}, "title_too_long"),
        ({"title": " "}, {}, "no_title"),
        ({"title": "a < b"}, {}, "title_brackets"),
        ({"description": "a > b"}, {}, "description_brackets"),
        ({"description": "ä" * 2501}, {}, "description_too_long"),
        ({"tags": ("<b>",)}, {}, "tags_brackets"),
        ({"tags": ("a b",) * 84}, {}, "tags_too_long"),
        ({"video_bytes": 256 * 2**30 + 1}, {}, "too_large"),
        ({"duration_seconds": 12 * 3600 + 1.0}, {}, "too_long"),
        ({"duration_seconds": 901.0}, {"long_uploads": "eligible"}, "channel_not_verified"),
        ({"thumbnail_bytes": 50 * 2**20 + 1}, {}, "thumbnail_too_large"),
        ({"thumbnail": Path("t.webp")}, {}, "thumbnail_format"),
        ({"captions_bytes": 100 * 2**20 + 1}, {}, "captions_too_large"),
    ],
)
async def test_what_youtube_would_refuse_is_found_before(
    at: Alone, changes: dict[str, Any], facts: dict[str, Any], code: str
) -> None:
    post, context = at.post(), at.attempt(**facts).context
    assert await PUBLISHER.check(post, OPTIONS, context) == ()
    (found,) = await PUBLISHER.check(replace(post, **changes), OPTIONS, context)
    assert found.code == code
    assert not at.network.calls


async def test_the_most_that_is_allowed_is_taken_by_youtube_too(at: Alone) -> None:
    post = at.post(title="ä" * 100, description="ä" * 2500, tags=("a b",) * 83)
    assert await PUBLISHER.check(post, OPTIONS, at.attempt().context) == ()
    await at.published(post)
