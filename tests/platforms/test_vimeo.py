"""Vimeo: what goes wrong, what is gone on with, and what is refused before anything is sent."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.alone import WHOLE, Alone, alone

from video_manager.domain.video import Severity
from video_manager.errors import (
    ActionRequiredError,
    LimitReached,
    NotPublished,
    PermanentError,
    RetryableError,
    WorkError,
)  # fmt: skip
from video_manager.fakes import vimeo
from video_manager.fakes.network import Fault
from video_manager.fakes.vimeo import VimeoFake
from video_manager.plugins.api import Answer
from video_manager.plugins.publishers.vimeo import VimeoOptions, VimeoPublisher, marker_of
from video_manager.plugins.publishers.vimeo_tus import CHUNK_BYTES

PUBLISHER = VimeoPublisher()
OPTIONS = VimeoOptions()
BYTES = f"PATCH {vimeo.FILES}"
EDIT = f"PATCH {vimeo.API}/videos/[0-9]+$"


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[Alone]:
    async with alone(VimeoFake, tmp_path, PUBLISHER, OPTIONS, facts=WHOLE) as found:
        found.access.kept = _token(found)
        yield found


def _token(at: Alone, *scopes: str) -> str:
    return str(fake(at).desk.issue(vimeo.USER["uri"], scopes or vimeo.SCOPES)["access_token"])


def fake(at: Alone) -> VimeoFake:
    return at.fake_of(VimeoFake)


def only(at: Alone) -> vimeo.Video:
    (video,) = fake(at).videos.values()
    return video


# ---- the way to being public --------------------------------------------------------------------------------


async def test_nothing_is_public_before_publishing_and_everything_arrives(at: Alone) -> None:
    post, context = at.post(extra={"privacy": "unlisted"}), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    assert only(at).view == "nobody"
    assert only(at).description == marker_of(post)
    assert (await PUBLISHER.ask(post, handle, OPTIONS, context)).answer is Answer.ABSENT
    published = await PUBLISHER.publish(post, handle, OPTIONS, context)
    (shown,) = fake(at).public_posts("Ein Tag am Meer\nAm Strand.")
    assert published.url == f"https://vimeo.com/{published.external_id}"
    assert (shown.sha256, shown.extra["view"], published.warning) == (post.video_sha256, "unlisted", None)
    assert list(shown.extra["pictures"].values()) == [True]
    (track,) = shown.extra["tracks"]
    assert (track["language"], fake(at).taken_in[track["token"]]) == ("de-AT", b"WEBVTT\n\n")
    asked = await PUBLISHER.ask(post, handle, OPTIONS, context)
    assert asked.published == published


async def test_the_video_is_saved_before_its_first_byte(at: Alone) -> None:
    at.network.faults.append(Fault("answer", BYTES, status=413))
    with pytest.raises(PermanentError):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert at.handles == [{"uri": only(at).uri, "link": f"https://{vimeo.FILES}/files/{only(at).token}"}]


async def test_a_locked_privacy_is_noticed(at: Alone) -> None:
    fake(at).locks_as = "nobody"
    post, context = at.post(), at.context()
    published = await PUBLISHER.publish(post, await PUBLISHER.upload(post, OPTIONS, context), OPTIONS, context)
    assert published.warning == "Vimeo shows it to nobody instead of anybody"


async def test_deleting_takes_it_down_and_may_be_repeated(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    published = await PUBLISHER.publish(post, handle, OPTIONS, context)
    for _ in range(2):
        await PUBLISHER.delete(published.external_id, OPTIONS, context)
    assert not fake(at).posts
    assert (await PUBLISHER.ask(post, handle, OPTIONS, context)).answer is Answer.ABSENT


# ---- going on -----------------------------------------------------------------------------------------------


async def test_a_broken_connection_goes_on_where_the_server_stands(at: Alone) -> None:
    at.network.faults.append(Fault("after", BYTES))
    post = at.post(CHUNK_BYTES + 1000)
    await PUBLISHER.upload(post, OPTIONS, at.context())
    assert only(at).arrived.sha256 == post.video_sha256  # the fake refuses what it has already
    assert len(at.calls("PATCH files.")) == 2
    assert len(at.calls("HEAD files.")) == 1


@pytest.mark.parametrize("status", [409, 423])
async def test_an_upload_that_stands_elsewhere_is_asked(at: Alone, status: int) -> None:
    at.network.faults.append(Fault("answer", BYTES, status=status))
    post = at.post()
    await PUBLISHER.upload(post, OPTIONS, at.context())
    assert only(at).arrived.sha256 == post.video_sha256


async def test_an_upload_that_takes_nothing_ends_the_attempt(at: Alone) -> None:
    at.network.faults.append(Fault("answer", BYTES, status=409, times=100))
    with pytest.raises(RetryableError, match="takes no more of the upload after 0 bytes"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_an_answer_without_an_offset_is_not_believed(at: Alone) -> None:
    at.network.faults += [Fault("answer", BYTES, status=204), Fault("answer", f"HEAD {vimeo.FILES}", status=200)]
    with pytest.raises(RetryableError, match="does not say how much"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_the_next_attempt_sends_only_what_is_missing(at: Alone) -> None:
    post = at.post(CHUNK_BYTES + 1000)
    at.network.faults.append(Fault("answer", number=4, status=413))  # the second part
    with pytest.raises(PermanentError):
        await PUBLISHER.upload(post, OPTIONS, at.context())
    at.network.calls.clear()
    await PUBLISHER.upload(post, OPTIONS, at.context(earlier=at.handles[-1]))
    assert [call.text for call in at.network.calls[:2]] == [
        f"{method} {vimeo.FILES}/files/{only(at).token}" for method in ("HEAD", "PATCH")
    ]
    assert len(at.calls("PATCH files.")) == 1
    assert not at.calls("/me/videos")
    assert only(at).arrived.sha256 == post.video_sha256


async def test_a_video_that_was_made_without_our_hearing_of_it_is_used(at: Alone) -> None:
    at.network.faults.append(Fault("after", "POST .*/me/videos"))
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    post = at.post()
    await PUBLISHER.upload(post, OPTIONS, at.context())
    assert only(at).arrived.sha256 == post.video_sha256


async def test_a_complete_video_without_a_trace_of_it_here_is_found_there(at: Alone) -> None:
    first = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    for number in range(120):
        fake(at).videos[f"/videos/{number}"] = replace(
            only(at) if number == 0 else fake(at).videos["/videos/0"], uri=f"/videos/{number}", description="another",
            token=f"token-{number}", at=only(at).at + 1 if number == 0 else fake(at).videos["/videos/0"].at,
        )  # fmt: skip
    second = await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert second["uri"] == first["uri"]
    assert len(at.calls("PATCH files.")) == 1


async def test_an_expired_address_begins_anew_and_leaves_nothing_behind(at: Alone) -> None:
    at.network.faults.append(Fault("answer", BYTES, status=413))
    with pytest.raises(PermanentError):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    old = only(at).uri
    at.network.skew_seconds = vimeo.LINK_SECONDS + 10
    post = at.post()
    await PUBLISHER.upload(post, OPTIONS, at.context(earlier=at.handles[-1]))
    assert only(at).uri != old
    assert only(at).arrived.sha256 == post.video_sha256


async def test_thumbnail_and_captions_are_set_once(at: Alone) -> None:
    at.network.faults.append(Fault("answer", "POST .*/texttracks", status=500))
    with pytest.raises(RetryableError):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    await PUBLISHER.upload(at.post(), OPTIONS, at.context(earlier=at.handles[-1]))
    assert (len(only(at).pictures), len(only(at).tracks)) == (1, 1)


# ---- errors -------------------------------------------------------------------------------------------------


def _body(text: str, code: int) -> dict[str, Any]:
    return {"error": text, "developer_message": text, "error_code": code}


CREATE = "POST .*/me/videos"
PROBLEMS: list[tuple[str, int, dict[str, Any], type[WorkError], str]] = [
    (CREATE, 400, _body("A parameter is invalid.", 2204), PermanentError, "A parameter is invalid"),
    (CREATE, 403, _body("The user is over their upload quota.", 4101), LimitReached, "over their upload quota"),
    (CREATE, 403, _body("This app is not allowed to upload.", 3428), ActionRequiredError, "upload access"),
    (CREATE, 429, _body("Too many API requests.", 9000), LimitReached, "Too many"),
    (CREATE, 500, _body("Oops", 4003), RetryableError, "Oops"),
    (CREATE, 418, _body("a teapot", 1), PermanentError, "a teapot"),
    (BYTES, 415, {}, PermanentError, "415"),
    (BYTES, 429, {}, LimitReached, "429"),
]


@pytest.mark.parametrize(("pattern", "status", "body", "kind", "text"), PROBLEMS)
async def test_an_error_says_what_it_asks_for(
    at: Alone, pattern: str, status: int, body: dict[str, Any], kind: type[WorkError], text: str
) -> None:
    error = await at.upload_fails(Fault("answer", pattern, status=status, body=body), kind, text)
    assert "/files/" not in error.detail


async def test_a_rate_limit_is_waited_out_as_long_as_vimeo_says(at: Alone) -> None:
    reset = str(int(at.network.now()) + 600)
    at.network.faults.append(Fault("answer", CREATE, status=429, headers={"X-RateLimit-Reset": reset}))
    with pytest.raises(LimitReached) as raised:
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert raised.value.retry_after_seconds == pytest.approx(600, abs=30)


@pytest.mark.parametrize("part", ["upload", "transcode"])
async def test_what_vimeo_cannot_process_is_final(at: Alone, part: str) -> None:
    body = {"upload": {"status": "complete"}, "transcode": {"status": "complete"}} | {part: {"status": "error"}}
    at.network.faults.append(Fault("answer", "GET .*/videos/[0-9]+", status=200, body=body))
    with pytest.raises(PermanentError, match="could not process"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())


async def test_a_refused_privacy_leaves_no_doubt(at: Alone) -> None:
    post, context = at.post(), at.context()
    handle = await PUBLISHER.upload(post, OPTIONS, context)
    at.network.faults.append(Fault("answer", EDIT, status=400, body=_body("A parameter is invalid.", 2204)))
    with pytest.raises(NotPublished) as raised:
        await PUBLISHER.publish(post, handle, OPTIONS, context)
    assert isinstance(raised.value.cause, PermanentError)


# ---- connecting and limits ----------------------------------------------------------------------------------


async def test_the_account_is_shown(at: Alone) -> None:
    account = await PUBLISHER.connect(OPTIONS, at.context())
    assert (account.name, account.id, account.url) == ("Demo", "4711", "https://vimeo.com/demo")


@pytest.mark.parametrize("scopes", [("public",), ("public", "private"), ("public", "private", "upload")])
async def test_a_missing_scope_asks_the_person(at: Alone, scopes: tuple[str, ...]) -> None:
    at.access.kept = _token(at, *scopes)
    with pytest.raises(ActionRequiredError, match="needs one of the scopes"):
        await PUBLISHER.upload(at.post(), OPTIONS, at.context())
    assert VimeoPublisher.oauth is not None
    assert not set(VimeoPublisher.oauth.needed) <= set(scopes)


async def test_a_revoked_access_asks_the_person(at: Alone) -> None:
    with pytest.raises(ActionRequiredError, match="connect it again"):
        await PUBLISHER.renew(None, OPTIONS, at.context())


@pytest.mark.parametrize(
    ("changes", "code", "severity"),
    [
        ({"title": "a" * 129}, "title_too_long", Severity.ERROR),
        ({"description": "a" * 5001}, "description_too_long", Severity.ERROR),
        ({"tags": ("meer",)}, "tags_left_out", Severity.WARNING),
    ],
)
async def test_limits(at: Alone, changes: dict[str, Any], code: str, severity: Severity) -> None:
    assert await PUBLISHER.check(at.post(tags=()), OPTIONS, at.context()) == ()
    (finding,) = await PUBLISHER.check(at.post(**{"tags": (), **changes}), OPTIONS, at.context())
    assert (finding.code, finding.severity) == (code, severity)
    assert not at.network.calls
