"""A video on its way to Bluesky's video service in parts: an interrupted upload goes on with those that the service has
not got. Nothing of it is public, so that every step may be made again."""

import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

import httpx

from video_manager.errors import ActionRequiredError, LimitReached, RetryableError, WorkError
from video_manager.plugins.api import Post, PublisherContext
from video_manager.plugins.platform_http import file_bytes
from video_manager.plugins.publishers.bluesky_api import Xrpc, fault_of, words_of

LIMIT_SECONDS = 3600.0
"""When a used-up allowance is looked at again: the service does not say when it is filled up."""
POLL_SECONDS = 2.0
MOST_LOOKS = 600
_MOST_ROUNDS = 5
"""How often the end may find parts missing."""
PART_SECONDS, FINISH_SECONDS = 60.0, 900.0
"""A permit that has less left is replaced; the service goes on using the last one, to store the video."""
_PROGRESS_BEGIN, _PROGRESS_SHARE = 0.05, 0.65


class MethodUnknown(RetryableError):
    """The service has no such method: it is older, or newer."""


class UploadGone(RetryableError):
    """The service takes no more of this upload: another one has to begin."""


class UploadMoved(RetryableError):
    """The upload is further, or less far, than was thought: its status tells how it goes on."""


_UNKNOWN = frozenset({404, 405, 501})
_Named = Callable[[str], WorkError]


def _gone(text: str) -> WorkError:
    return UploadGone(f"{text}; the upload is begun anew")


def _limit(text: str) -> WorkError:
    return LimitReached(text, LIMIT_SECONDS)


def _forbidden(text: str) -> WorkError:
    return ActionRequiredError(f"{text}; Bluesky lets this account upload no videos")


_NAMED: Mapping[str, _Named] = {
    **dict.fromkeys(("UploadNotFound", "UploadExpired", "UploadFailed", "UploadAborted"), _gone),
    **dict.fromkeys(("UploadNotReady", "UploadAlreadyCompleted", "MissingParts"), UploadMoved),
    **dict.fromkeys(("DailyLimitExceeded", "TooManyOpenUploads"), _limit),
    "UploadForbidden": _forbidden,
    "ServiceOverloaded": RetryableError,
}
"""Errors of the lexicons, whatever their status; what else they name is a fault of the video."""


def fault_of_service(answer: httpx.Response, now: datetime) -> WorkError | None:
    """What an answer of the video service that is no success asks for; None: what its status says."""
    code, said = words_of(answer)
    text = f"Bluesky's video service answered {answer.status_code}: {said}"
    if code in _NAMED:
        return _NAMED[code](text)
    return MethodUnknown(text) if answer.status_code in _UNKNOWN else fault_of(answer, now)


Permit = Callable[[float], Awaitable[str]]
"""A token for the service that is good for so many more seconds."""


class PartedUpload:
    """`keep` stores the name of an upload before its first byte."""

    def __init__(
        self, service: Xrpc, context: PublisherContext, permit: Permit, keep: Callable[[str], Awaitable[None]]
    ) -> None:
        self._service = service
        self._context = context
        self._permit = permit
        self._keep = keep

    async def resume(self, post: Post, upload: str) -> str | None:
        """The job that makes the video ready, after what was missing was sent; None: the upload is no more."""
        try:
            return await self._complete(post, await self._status(upload))
        except (UploadGone, MethodUnknown) as error:
            self._context.log.info("the upload to Bluesky cannot be gone on with: %s", error.detail)
            return None

    async def run(self, post: Post) -> str | None:
        """The job that makes the video ready; None: the service knows no uploads in parts, and has got nothing."""
        wanted = {
            "sizeBytes": post.video_bytes, "mimeType": post.video_type, "name": f"{post.publication_id}.mp4",
            "durationMs": round(post.duration_seconds * 1000),
            **({"width": post.width, "height": post.height} if post.width and post.height else {}),
        }  # fmt: skip
        try:
            begun = await self._call("startUpload", PART_SECONDS, json=wanted)
        except MethodUnknown as error:
            self._context.log.info("the video goes to Bluesky in one piece: %s", error.detail)
            return None
        await self._keep(_name(begun, "jobId"))
        return await self._complete(post, {**begun, "state": "created", "receivedParts": []})

    async def _complete(self, post: Post, state: Mapping[str, Any]) -> str:
        upload, rounds = _name(state, "jobId"), 0
        for _ in range(MOST_LOOKS):
            match state.get("state"):
                case "completed":
                    return _name(state, "completedJobId")
                case "failed" | "aborted" | "expired" as over:
                    reason = str(state.get("failureReason") or "no reason given")[:300]
                    raise UploadGone(f"the upload to Bluesky's video service is {over}: {reason}")
                case "created" if rounds < _MOST_ROUNDS:
                    rounds += 1
                    try:
                        await self._send(post, upload, state)
                        finished = await self._call("finishUpload", FINISH_SECONDS, json={"jobId": upload})
                        return _name(finished, "completedJobId")
                    except UploadMoved as moved:
                        self._context.log.info("%s", moved.detail)
                case "created":
                    raise RetryableError("Bluesky's video service misses parts of the video again and again")
            await self._context.sleep(POLL_SECONDS)
            state = await self._status(upload)
        raise RetryableError("Bluesky's video service is still putting the video together")

    async def _send(self, post: Post, upload: str, state: Mapping[str, Any]) -> None:
        """The parts that the service has not got."""
        size, count = state.get("partSizeBytes"), state.get("partCount")
        if not isinstance(size, int) or size < 1 or count != math.ceil(post.video_bytes / size):
            raise RetryableError("Bluesky's video service wants parts that do not make up the video")
        received = {number for number in state.get("receivedParts") or () if isinstance(number, int)}
        for number in sorted(set(range(1, count + 1)) - received):
            await self._send_part(post, upload, number, size)

    async def _send_part(self, post: Post, upload: str, number: int, part_bytes: int) -> None:
        start = (number - 1) * part_bytes
        length = min(part_bytes, post.video_bytes - start)

        def sent(done: int) -> None:
            share = (start + done) / max(post.video_bytes, 1)
            self._context.progress(_PROGRESS_BEGIN + _PROGRESS_SHARE * share, "uploading")

        taken = await self._call(
            "uploadPart", PART_SECONDS, params={"jobId": upload, "partNumber": number},
            stream=file_bytes(post.video, start, length, sent),
            headers={"Content-Type": "application/octet-stream", "Content-Length": str(length)},
        )  # fmt: skip
        if (taken.get("partNumber"), taken.get("sizeBytes")) != (number, length):
            raise RetryableError("Bluesky's video service took another part of the video than was sent")

    async def _status(self, upload: str) -> Mapping[str, Any]:
        token = await self._permit(PART_SECONDS)
        return await self._service.get("app.bsky.video.getUploadStatus", token=token, jobId=upload)

    async def _call(self, method: str, seconds: float, **request: Any) -> Mapping[str, Any]:
        return await self._service.post(f"app.bsky.video.{method}", token=await self._permit(seconds), **request)


def _name(answer: Mapping[str, Any], field: str) -> str:
    name = answer.get(field)
    if not isinstance(name, str) or not 1 <= len(name) <= 256:
        raise RetryableError(f"Bluesky's video service answered without {field}")
    return name
