"""Bluesky's video service takes a video in parts: what is sent, what is gone on with, and what an older one gets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.platforms.bluesky_alone import Lone, alone_at_bluesky
from tests.platforms.posts import post_of

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.fakes.bluesky_parts import MOST_OPEN, PART_BYTES, SMALL_PART_BYTES
from video_manager.fakes.network import Fault
from video_manager.plugins.api import Handle, Post
from video_manager.plugins.publishers.bluesky_video import SERVICE

PARTS = 3
"""Of the ordinary video of these tests."""


@pytest.fixture
async def lone(tmp_path: Path) -> AsyncIterator[Lone]:
    async with alone_at_bluesky(tmp_path) as found:
        yield found


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """Whose parts differ."""
    video = tmp_path / "video.mp4"
    video.write_bytes(b"".join(b"%07d\n" % place for place in range(300_000 // 8)))
    return post_of(tmp_path, video=video)


def parts_sent(lone: Lone) -> list[str]:
    return [call.query.rpartition("partNumber=")[2] for call in lone.calls("uploadPart")]


def steps(lone: Lone) -> list[str]:
    """The methods of the service that were called, those of one kind in a row once."""
    names = [call.path.rpartition(".")[2] for call in lone.network.calls if call.host == SERVICE[8:]]
    return [name for place, name in enumerate(names) if place == 0 or names[place - 1] != name]


async def published(lone: Lone, post: Post, handle: Handle) -> None:
    """Once, with the bytes that were approved."""
    await lone.publish(handle, post)
    (made,) = lone.fake.posts.values()
    assert (made.sha256, made.size_bytes) == (post.video_sha256, post.video_bytes)


async def interrupted(lone: Lone, post: Post, *faults: Fault) -> Handle:
    """What an attempt leaves that breaks off there."""
    lone.network.faults += faults
    with pytest.raises(RetryableError):
        await lone.upload(post)
    lone.network.calls.clear()
    return lone.handles[-1]


# ---- in parts -----------------------------------------------------------------------------------------------


async def test_the_parts_make_up_the_video(lone: Lone, post: Post) -> None:
    handle = await lone.upload(post)
    assert post.video_bytes > 2 * SMALL_PART_BYTES
    assert parts_sent(lone) == ["1", "2", "3"]
    assert steps(lone) == ["getUploadLimits", "startUpload", "uploadPart", "finishUpload", "getJobStatus"]
    assert len(lone.calls("getServiceAuth")) == 2, "one for the limits, one for the upload"
    await published(lone, post, handle)


async def test_a_large_video_has_large_parts(lone: Lone, tmp_path: Path) -> None:
    video = tmp_path / "large.mp4"
    video.write_bytes(b"MP4 " * (PART_BYTES // 4) + b"END.")
    post = post_of(tmp_path, video=video)
    await published(lone, post, await lone.upload(post))
    assert parts_sent(lone) == ["1", "2"]


async def test_the_upload_is_known_before_its_first_byte(lone: Lone, post: Post) -> None:
    handle = await interrupted(lone, post, Fault("before", "uploadPart"))
    assert handle["upload"] in lone.fake.video.parts.uploads
    assert handle.get("job") is None


@pytest.mark.parametrize(("kind", "sent"), [("before", ["2", "3"]), ("after", ["3"])])
async def test_it_goes_on_with_the_parts_that_are_missing(lone: Lone, post: Post, kind: Any, sent: list[str]) -> None:
    handle = await interrupted(lone, post, Fault(kind, "uploadPart.*partNumber=2"))
    handle = await lone.upload(post, earlier=handle)
    assert (parts_sent(lone), lone.calls("startUpload"), lone.calls("getUploadLimits")) == (sent, [], [])
    await published(lone, post, handle)


async def test_parts_are_sent_by_what_the_service_has_and_one_may_come_twice(lone: Lone, post: Post) -> None:
    handle = await interrupted(lone, post, Fault("before", "uploadPart.*partNumber=3"))
    shown = {
        "jobId": handle["upload"], "partSizeBytes": SMALL_PART_BYTES, "partCount": PARTS, "receivedParts": [2],
        "expiresAt": "2026-12-01T00:00:00.000Z", "state": "created",
    }  # fmt: skip
    lone.network.faults.append(Fault("answer", "getUploadStatus", status=200, body=shown))
    handle = await lone.upload(post, earlier=handle)
    assert parts_sent(lone) == ["1", "3"]
    await published(lone, post, handle)


@pytest.mark.parametrize("kind", ["before", "after"])
async def test_an_end_whose_answer_was_lost_is_found(lone: Lone, post: Post, kind: Any) -> None:
    handle = await interrupted(lone, post, Fault(kind, "finishUpload"))
    handle = await lone.upload(post, earlier=handle)
    assert parts_sent(lone) == []
    assert len(lone.calls("finishUpload")) == (1 if kind == "before" else 0)
    await published(lone, post, handle)


async def test_an_end_that_takes_longer_is_waited_for(lone: Lone, post: Post) -> None:
    lone.fake.video.parts.lags = True
    handle = await interrupted(lone, post)
    handle = await lone.upload(post, earlier=handle)
    assert steps(lone) == ["getUploadStatus", "getJobStatus"]
    assert len(lone.calls("getUploadStatus")) == 2
    await published(lone, post, handle)


async def test_an_end_that_finds_parts_missing_sends_them(lone: Lone, post: Post) -> None:
    gone = {"error": "MissingParts", "message": "missing parts: [2]"}
    lone.network.faults.append(Fault("answer", "finishUpload", status=400, body=gone))
    await published(lone, post, await lone.upload(post))
    assert len(lone.calls("finishUpload")) == 2
    lone.network.faults.append(Fault("answer", "finishUpload", status=400, body=gone, times=99))
    with pytest.raises(RetryableError, match="again and again"):
        await lone.upload(post)


@pytest.mark.parametrize("state", ["failed", "aborted", "expired"])
async def test_an_upload_that_is_over_is_begun_anew(lone: Lone, post: Post, state: str) -> None:
    handle = await interrupted(lone, post, Fault("before", "uploadPart.*partNumber=3"))
    lone.fake.video.parts.fail(handle["upload"], state, "in the service's own words")
    anew = await lone.upload(post, earlier=handle)
    assert anew["upload"] != handle["upload"]
    assert parts_sent(lone) == ["1", "2", "3"]
    await published(lone, post, anew)


async def test_one_that_has_run_out_or_was_forgotten_is_begun_anew(lone: Lone, post: Post) -> None:
    handle = await interrupted(lone, post, Fault("before", "uploadPart.*partNumber=3"))
    lone.fake.video.parts.uploads[handle["upload"]].until = 0.0
    anew = await lone.upload(post, earlier=handle)
    assert anew["upload"] != handle["upload"]
    forgotten = await lone.upload(post, earlier={**handle, "upload": "forgotten"})
    await published(lone, post, forgotten)


async def test_after_a_failed_job_the_next_upload_is_gone_on_with(lone: Lone, post: Post) -> None:
    lone.fake.video.failure = "pds_upload_failure"
    failed = await interrupted(lone, post)
    lone.fake.video.failure = None
    lone.network.faults.append(Fault("before", "uploadPart.*partNumber=2"))
    with pytest.raises(RetryableError):
        await lone.upload(post, earlier=failed)
    lone.network.calls.clear()
    handle = await lone.upload(post, earlier=lone.handles[-1])
    assert handle["upload"] != failed["upload"]
    assert parts_sent(lone) == ["2", "3"]
    await published(lone, post, handle)


# ---- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "UnsupportedContentType", PermanentError), (413, "VideoTooLarge", PermanentError),
        (400, "VideoTooLong", PermanentError), (400, "BadAspectRatio", PermanentError),
        (400, "DailyLimitExceeded", LimitReached), (400, "TooManyOpenUploads", LimitReached),
        (403, "UploadForbidden", ActionRequiredError), (400, "ServiceOverloaded", RetryableError),
        (503, "ServiceOverloaded", RetryableError), (429, "RateLimitExceeded", LimitReached),
        (502, "UpstreamFailure", RetryableError),
    ],
)  # fmt: skip
async def test_what_a_refused_begin_asks_for(
    lone: Lone, post: Post, status: int, code: str, kind: type[WorkError]
) -> None:
    body = {"error": code, "message": "in the service's own words"}
    lone.network.faults.append(Fault("answer", "startUpload", status=status, body=body))
    with pytest.raises(kind, match="in the service's own words") as raised:
        await lone.upload(post)
    assert type(raised.value) is kind
    assert not lone.calls("uploadVideo")


async def test_too_many_open_uploads_are_a_later_time(lone: Lone, post: Post) -> None:
    for _ in range(MOST_OPEN):
        await interrupted(lone, post, Fault("before", "uploadPart"))
    with pytest.raises(LimitReached):
        await lone.upload(post)


@pytest.mark.parametrize("answer", [{"partSizeBytes": 0}, {"partCount": 2}, {"partSizeBytes": "8"}, {"jobId": ""}])
async def test_an_answer_that_makes_no_sense_is_not_believed(lone: Lone, post: Post, answer: dict[str, Any]) -> None:
    sensible = {"jobId": "j", "partSizeBytes": SMALL_PART_BYTES, "partCount": PARTS, "expiresAt": ""}
    lone.network.faults.append(Fault("answer", "startUpload", status=200, body=sensible | answer))
    with pytest.raises(RetryableError):
        await lone.upload(post)
    assert parts_sent(lone) == []


async def test_a_part_that_is_taken_for_another_is_noticed(lone: Lone, post: Post) -> None:
    taken = {"partNumber": 2, "sizeBytes": SMALL_PART_BYTES}
    lone.network.faults.append(Fault("answer", "uploadPart", status=200, body=taken))
    with pytest.raises(RetryableError, match="another part"):
        await lone.upload(post)


# ---- an older service ---------------------------------------------------------------------------------------


async def test_a_service_that_knows_no_parts_gets_the_video_in_one_piece(lone: Lone, post: Post) -> None:
    lone.fake.video.knows_parts = False
    handle = await lone.upload(post)
    assert steps(lone) == ["getUploadLimits", "startUpload", "uploadVideo", "getJobStatus"]
    assert "upload" not in handle
    await published(lone, post, handle)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (501, {"error": "MethodNotImplemented"}), (404, {"error": "XRPCNotSupported"}), (404, {}),
        (405, {"error": "InvalidRequest"}),
    ],
)  # fmt: skip
async def test_every_way_of_not_knowing_the_method(lone: Lone, post: Post, status: int, body: Any) -> None:
    lone.network.faults.append(Fault("answer", "startUpload", status=status, body=body))
    await published(lone, post, await lone.upload(post))
    assert len(lone.calls("uploadVideo")) == 1


async def test_in_one_piece_what_has_arrived_is_taken_from_the_service(lone: Lone, post: Post) -> None:
    lone.fake.video.knows_parts = False
    handle = await interrupted(lone, post, Fault("after", "uploadVideo"))
    handle = await lone.upload(post, earlier=handle)
    await published(lone, post, handle)
    assert lone.fake.video.daily_videos == 24


async def test_an_upload_in_parts_that_the_service_forgot_how_to_take(lone: Lone, post: Post) -> None:
    handle = await interrupted(lone, post, Fault("before", "uploadPart.*partNumber=2"))
    lone.fake.video.knows_parts = False
    await published(lone, post, await lone.upload(post, earlier=handle))
    assert len(lone.calls("uploadVideo")) == 1
