"""X: what goes wrong, what is gone on with, and what is refused before anything is sent."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import WHOLE, Alone, SameToken, alone
from tests.platforms.cases.x import CASES
from tests.platforms.world import approve, connect, open_platform, settle

from video_manager.domain.publication import PublicationState
from video_manager.domain.video import Severity
from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.fakes import x
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.fakes.x import XFake
from video_manager.plugins.api import Answer, Published
from video_manager.plugins.publishers.x import ALL_POSTS, POSTS, XOptions, XPublisher
from video_manager.plugins.publishers.x_text import core_of, weight_of

PUBLISHER = XPublisher()
OPTIONS = XOptions()
THREE_SEGMENTS = 9_000_000


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    account = {"id": x.ACCOUNT, "username": x.USERNAME}
    async with alone(XFake, tmp_path, PUBLISHER, OPTIONS, account=account, access=SameToken(), facts=WHOLE) as found:
        found.access.kept = fake(found).desk.issue(x.ACCOUNT, x.SCOPES)["access_token"]
        yield found


def fake(at: Alone) -> XFake:
    return at.fake_of(XFake)


# ---- the way to being public ------------------------------------------------------------------------------


async def test_nothing_is_public_before_the_call_and_everything_arrives(at: Alone) -> None:
    extra = {"made_with_ai": True, "paid_partnership": True, "reply_settings": "following", "hashtags": True}
    post, context = at.post(THREE_SEGMENTS, extra=extra), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    assert at.handles[0]["media_id"] == handle["media_id"]
    assert (at.handles[0]["sent"], len(at.calls("append"))) == (0, 4)
    assert not fake(at).posts
    published = await PUBLISHER.publish(post, handle, OPTIONS, context)
    (shown,) = fake(at).public_posts()
    assert (shown.sha256, shown.size_bytes) == (post.video_sha256, THREE_SEGMENTS)
    assert shown.text == "Ein Tag am Meer\n\nAm Strand.\n\n#meer #sommer"
    assert published == Published(shown.id, f"https://x.com/{x.USERNAME}/status/{shown.id}")
    assert {
        "made_with_ai": True,
        "paid_partnership": True,
        "reply_settings": "following",
    }.items() <= shown.extra.items()
    (subtitles,) = fake(at).media[handle["media_id"]].subtitles
    assert (subtitles["display_name"], subtitles["language_code"]) == ("de-AT", "DE")


async def test_defaults_are_not_sent(at: Alone) -> None:
    await at.published()
    (shown,) = fake(at).public_posts()
    assert not {"made_with_ai", "paid_partnership", "reply_settings"} & set(shown.extra)


async def test_captions_that_x_does_not_take_are_a_warning(at: Alone) -> None:
    problem = {"detail": "no subtitles at all", "title": "Invalid Request"}
    at.network.faults.append(Fault("answer", "media/subtitles", status=400, body=problem))
    published = await at.published()
    assert published.warning == "without captions: X answered 400: no subtitles at all"
    assert len(fake(at).public_posts()) == 1


async def test_captions_of_another_type_are_a_warning(at: Alone, tmp_path: Path) -> None:
    published = await at.published(captions=tmp_path / "captions.ass")
    assert published.warning == "X takes no captions of the type .ass"


async def test_a_protected_account_is_told(at: Alone) -> None:
    at.account = {**at.account, "protected": True}
    (warning,) = await PUBLISHER.check(at.post(), OPTIONS, at.context())
    assert (warning.code, warning.severity) == ("protected", Severity.WARNING)
    assert (await at.published()).warning == "the account is protected: only its followers see the post"


async def test_a_video_that_cannot_be_processed_fails_with_the_reason(at: Alone) -> None:
    fake(at).fails_with = "unsupported video format"
    with pytest.raises(PermanentError, match="could not process the video: unsupported video format"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


# ---- going on after an interruption -------------------------------------------------------------------------


# Calls: 1 initialize, 2-4 append, 5 finalize, 6-7 status, 8-11 captions.
@pytest.mark.parametrize("kind", ["before", "after"])
@pytest.mark.parametrize(("number", "segments"), [(3, 2), (4, 1), (5, 0), (6, 0), (9, 0)])
async def test_an_interrupted_upload_goes_on(at: Alone, kind: Any, number: int, segments: int) -> None:
    handle = await at.interrupted(Fault(kind, number=number), at.post(THREE_SEGMENTS))
    post, context = at.post(THREE_SEGMENTS, captions=None), at.context(handle)
    resumed = await PUBLISHER.upload(post, OPTIONS, context)
    assert resumed["media_id"] == handle["media_id"]
    assert (at.calls("initialize"), len(at.calls("append"))) == ([], segments)
    await PUBLISHER.publish(post, resumed, OPTIONS, context)
    (shown,) = fake(at).public_posts()
    assert shown.sha256 == post.video_sha256


async def test_what_was_uploaded_ahead_is_only_looked_at(at: Alone) -> None:
    staged = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    at.network.calls.clear()
    handle = await PUBLISHER.upload(at.post(), OPTIONS, at.context(staged))
    assert ([call.text for call in at.network.calls], handle) == (
        ["GET api.x.com/2/media/upload"],
        {**staged, "expires_at": handle["expires_at"]},
    )


async def test_a_medium_whose_time_is_over_is_uploaded_anew_without_asking(at: Alone) -> None:
    handle = await at.interrupted(Fault("before", number=4), at.post(THREE_SEGMENTS))
    handle = {**handle, "expires_at": "2020-01-01T00:00:00+00:00"}
    anew = await PUBLISHER.upload(at.post(THREE_SEGMENTS, captions=None), OPTIONS, at.context(handle))
    assert anew["media_id"] != handle["media_id"]
    assert len(at.calls("append")) == 3


@pytest.mark.parametrize("number", [4, 5, 6])
async def test_a_medium_that_x_does_not_know_any_more_is_uploaded_anew(at: Alone, number: int) -> None:
    handle = await at.interrupted(Fault("before", number=number), at.post(THREE_SEGMENTS))
    fake(at).media.clear()
    anew = await PUBLISHER.upload(at.post(THREE_SEGMENTS, captions=None), OPTIONS, at.context(handle))
    assert anew["media_id"] != handle["media_id"]
    assert at.handles[-1]["media_id"] == anew["media_id"]


# ---- asking -------------------------------------------------------------------------------------------------


async def lost(at: Alone, *, acted: bool, **changes: Any) -> tuple[Any, Any]:
    post, context = at.post(**changes), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("after" if acted else "before", "POST .*/2/tweets"))
    with pytest.raises(RetryableError):
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    return post, handle


async def test_a_lost_answer_is_found_by_the_key_of_the_video(at: Alone) -> None:
    post, handle = await lost(at, acted=True)
    asked = await PUBLISHER.ask(post, handle, OPTIONS, at.context())
    (shown,) = fake(at).public_posts()
    assert asked.published == Published(shown.id, f"https://x.com/{x.USERNAME}/status/{shown.id}")


async def test_a_call_that_never_arrived_is_absent(at: Alone) -> None:
    post, handle = await lost(at, acted=False)
    assert (await PUBLISHER.ask(post, handle, OPTIONS, at.context())).answer is Answer.ABSENT


async def test_a_post_that_is_listed_late_is_not_made_again(at: Alone) -> None:
    """X lists it only after "not there" was believed: the second call is refused as a duplicate, and a person looks."""
    post, handle = await lost(at, acted=True, description="Mehr: https://example.org/strand & so")
    fake(at).lists_late = True
    assert (await PUBLISHER.ask(post, handle, OPTIONS, at.context())).answer is Answer.ABSENT
    second = await PUBLISHER.upload(post, OPTIONS, at.context())
    with pytest.raises(RetryableError, match="duplicate content"):
        await PUBLISHER.publish(post, second, OPTIONS, at.context())
    asked = await PUBLISHER.ask(post, second, OPTIONS, at.context())
    (shown,) = fake(at).public_posts()
    assert asked.answer is Answer.UNKNOWN
    assert f"/status/{shown.id}" in asked.detail


async def test_a_post_that_is_listed_late_becomes_unknown_in_the_ledger(tmp_path: Path) -> None:
    network = FakeNetwork([XFake])
    network.faults.append(Fault("after", "POST .*/2/tweets"))
    found = network.fakes["x"]
    assert isinstance(found, XFake)
    found.lists_late = True
    with served(network) as gateway:
        async with open_platform(tmp_path, gateway, max_asks=2) as world:
            await connect(world, CASES["x"], network)
            publication = await settle(world, await approve(world, CASES["x"]))
    (shown,) = found.public_posts()
    assert publication.state is PublicationState.UNKNOWN
    assert f"/status/{shown.id}" in (publication.error or "")


async def test_the_same_text_as_an_old_post_ends_with_the_reason(at: Alone) -> None:
    await at.published()
    (old,) = fake(at).posts.values()
    old.at -= 7 * 86_400
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    with pytest.raises(NotPublished, match="X takes the same text only once: change it") as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert isinstance(raised.value.cause, PermanentError)


async def test_a_duplicate_that_cannot_be_looked_up_is_in_doubt(at: Alone) -> None:
    await at.published()
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "GET .*/tweets", status=402, body=problem("CreditsDepleted")))
    with pytest.raises(RetryableError, match=r"duplicate content.*CreditsDepleted"):
        await PUBLISHER.publish(post, handle, OPTIONS, context)


async def test_many_other_posts_do_not_hide_it(at: Alone) -> None:
    post, handle = await lost(at, acted=True)
    (mine,) = fake(at).posts.values()
    for number in range(250):
        fake(at).posts[f"n{number}"] = replace(
            mine, id=f"n{number}", text=f"Nr. {number}", extra={"given": "", "media_keys": ["7_1"]}
        )
    asked = await PUBLISHER.ask(post, handle, OPTIONS, at.context())
    assert asked.answer is Answer.PUBLISHED
    assert len(at.calls(f"GET api.x.com/2/users/{x.ACCOUNT}/tweets")) == 3


async def test_more_than_x_shows_is_unknown(at: Alone) -> None:
    post, handle = await lost(at, acted=True)
    (mine,) = fake(at).posts.values()
    for number in range(501):
        fake(at).posts[f"n{number}"] = replace(
            mine, id=f"n{number}", text=f"Nr. {number}", extra={"given": "", "media_keys": []}
        )
    assert (await PUBLISHER.ask(post, handle, OPTIONS, at.context())).answer is Answer.UNKNOWN


async def test_a_list_that_x_refuses_is_no_answer(at: Alone) -> None:
    post, handle = await lost(at, acted=True)
    body = {"errors": [{"title": "Authorization Error", "detail": "not allowed to see it"}]}
    at.network.faults.append(Fault("answer", "GET .*/tweets", status=200, body=body))
    with pytest.raises(ActionRequiredError, match="not allowed to see it"):
        await PUBLISHER.ask(post, handle, OPTIONS, at.context())


# ---- documented errors ----------------------------------------------------------------------------------------


def problem(detail: str, kind: str = "about:blank") -> dict[str, Any]:
    return {"title": "Problem", "detail": detail, "type": kind}


USAGE = "https://api.twitter.com/2/problems/usage-capped"
CERTAIN = [
    (403, problem("This user is not allowed to post a video longer than 2 minutes."), PermanentError, "2 minutes"),
    (403, problem("Usage cap exceeded: Monthly product cap", USAGE), ActionRequiredError, "console.x.com"),
    (402, problem("CreditsDepleted"), ActionRequiredError, "credits"),
    (401, problem("Unauthorized"), ActionRequiredError, "connect the channel again"),
    (400, problem("Your media IDs are invalid."), RetryableError, "uploaded again"),
    (400, {"errors": [{"message": "in X's words"}], "title": "Invalid Request"}, PermanentError, "in X's words"),
    (403, problem("Your account is suspended in X's words"), PermanentError, "suspended in X's words"),
    (404, problem("in X's words"), PermanentError, "in X's words"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "text"), CERTAIN)
async def test_a_refused_post_is_no_doubt(at: Alone, status: int, body: Any, kind: type[WorkError], text: str) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "POST .*/2/tweets", status=status, body=body, times=2))
    with pytest.raises(NotPublished) as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert isinstance(raised.value.cause, kind)
    assert text in raised.value.detail
    assert not isinstance(raised.value.cause, LimitReached)


@pytest.mark.parametrize("status", [500, 502, 503, 408])
async def test_a_failing_server_leaves_the_post_in_doubt(at: Alone, status: int) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", "POST .*/2/tweets", status=status))
    with pytest.raises(RetryableError):
        await PUBLISHER.publish(post, handle, OPTIONS, context)


async def test_a_success_without_an_id_is_in_doubt(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    bodies: list[dict[str, Any]] = [{"data": {}}, {}]
    for body in bodies:
        at.network.faults.append(Fault("answer", "POST .*/2/tweets", status=201, body=body))
        with pytest.raises(RetryableError, match="without"):
            await PUBLISHER.publish(post, handle, OPTIONS, context)


async def test_too_many_calls_wait_until_the_window_ends(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    reset = {"x-rate-limit-reset": str(int(at.network.now()) + 500)}
    at.network.faults.append(Fault("answer", "POST .*/2/tweets", status=429, headers=reset))
    with pytest.raises(NotPublished) as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert isinstance(raised.value.cause, LimitReached)
    assert 480 < (raised.value.cause.retry_after_seconds or 0) <= 500


async def test_too_many_segments_wait_and_go_on(at: Alone) -> None:
    """Without the header: the longest that a window takes."""
    at.network.faults.append(Fault("answer", "append", status=429))
    with pytest.raises(LimitReached) as raised:
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert raised.value.retry_after_seconds == 900
    assert (await PUBLISHER.upload(at.post(), OPTIONS, at.context(at.handles[-1])))["sent"] == 1
    assert len(at.calls("initialize")) == 2  # the video's, and the captions'


async def test_posts_are_counted_before_the_attempt_is_armed(at: Alone) -> None:
    await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert [name for name, _ in at.access.spent] == [POSTS, ALL_POSTS]
    assert not fake(at).posts


# ---- limits and texts -------------------------------------------------------------------------------------------


async def test_an_ordinary_post_has_no_faults(at: Alone) -> None:
    assert await PUBLISHER.check(at.post(frame_rate="60000/1001"), OPTIONS, at.context()) == ()
    assert not at.network.calls


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"duration_seconds": 1201.0}, "too_long"),
        ({"duration_seconds": 0.4}, "too_short"),
        ({"video_bytes": 8 * 10**9 + 1}, "too_large"),
        ({"width": 4000, "height": 1000}, "too_wide"),
        ({"width": 300, "height": 1000}, "too_narrow"),
        ({"video_type": "video/x-matroska"}, "wrong_type"),
        ({"frame_rate": "120/1"}, "wrong_frame_rate"),
        ({"description": "x" * 280}, "text_too_long"),
        ({"description": "海" * 140}, "text_too_long"),
    ],
)
async def test_what_x_would_refuse_is_found_before(at: Alone, changes: dict[str, Any], code: str) -> None:
    found = await PUBLISHER.check(replace(at.post(), **changes), OPTIONS, at.context())
    assert [(one.code, one.severity) for one in found] == [(code, Severity.ERROR)]


async def test_premium_takes_more(at: Alone) -> None:
    changes: dict[str, Any] = {"duration_seconds": 7400.0, "video_bytes": 15 * 10**9, "description": "x" * 3000}
    assert await PUBLISHER.check(replace(at.post(), **changes), XOptions(premium=True), at.context()) == ()


async def test_the_price_of_a_link_is_told(at: Alone) -> None:
    (found,) = await PUBLISHER.check(at.post(description="https://example.org"), OPTIONS, at.context())
    assert (found.code, found.severity) == ("link_costs", Severity.INFO)
    assert "$0.200" in found.message


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0), ("abc", 3), ("Straße \u2013 schön", 14), ("海", 2), ("👩‍👩‍👧‍👦", 2), ("🇦🇹", 2), ("👍🏽", 2), ("1️⃣", 2),
        ("#1", 2), ("e\u0301", 1), ("https://example.org/a/very/long/path/that/counts/no/more", 23),
        ("see example.com now", 31), ("z.B. ja", 7), ("a@example.com", 13),
    ],
)  # fmt: skip
def test_the_length_as_x_counts_it(text: str, weight: int) -> None:
    assert weight_of(text) == weight


def test_a_text_is_known_again_after_x_changed_its_links() -> None:
    given = "Ein Tag & mehr <hier>\n\nhttps://example.org/x und example.com"
    shown = "Ein Tag &amp; mehr &lt;hier&gt;\n\nhttps://t.co/a und https://t.co/b https://t.co/video"
    assert core_of(given) == core_of(shown)
    assert core_of(given) != core_of(shown + " und mehr")


# ---- connecting and deleting -------------------------------------------------------------------------------------


async def test_connecting_says_which_account_it_is(at: Alone) -> None:
    fake(at).protected = True
    account = await PUBLISHER.connect(OPTIONS, at.context())
    assert (account.id, account.name, account.url) == (x.ACCOUNT, "Demo on X (@demo_x)", "https://x.com/demo_x")
    assert account.facts == {"username": x.USERNAME, "protected": True}


async def test_a_missing_right_is_said(at: Alone) -> None:
    at.access.kept = fake(at).desk.issue(x.ACCOUNT, ["users.read"])["access_token"]
    with pytest.raises(ActionRequiredError, match=r"media\.write; connect the channel again"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_deleting_takes_it_away(at: Alone) -> None:
    published = await at.published()
    await PUBLISHER.delete(published.external_id, OPTIONS, at.context())
    assert not fake(at).posts
    with pytest.raises(PermanentError, match="Could not find tweet"):
        await PUBLISHER.delete(published.external_id, OPTIONS, at.context())


# ---- the fake is strict ---------------------------------------------------------------------------------------


async def test_the_fake_refuses_the_same_text_and_videos_that_are_not_ready(at: Alone) -> None:
    await at.published()
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    fake(at).media[handle["media_id"]].state = "in_progress"
    with pytest.raises(NotPublished, match="media IDs are invalid"):
        await PUBLISHER.publish(replace(post, title="Anders"), handle, OPTIONS, context)
