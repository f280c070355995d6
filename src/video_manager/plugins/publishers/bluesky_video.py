"""Bluesky's video service: it takes the file, makes it ready, and puts it into the account's server as a blob."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError
from video_manager.plugins.api import Post, PublisherContext
from video_manager.plugins.platform_http import file_bytes
from video_manager.plugins.publishers.bluesky_api import Xrpc, blob_in
from video_manager.plugins.publishers.bluesky_parts import (
    LIMIT_SECONDS,
    MOST_LOOKS,
    PART_SECONDS,
    POLL_SECONDS,
    MethodUnknown,
    PartedUpload,
    fault_of_service,
)

SERVICE = "https://video.bsky.app"
_SERVICE_ID = "did:web:video.bsky.app"
_PERMIT_SECONDS = 1800
_CONTENT_FAULTS = frozenset({"validation_failure", "encoding_failure", "pds_upload_unsupported_blob_size"})
"""Codes of failed jobs that would fail again with the same file."""


Keep = Callable[[Mapping[str, Any]], Awaitable[None]]


class VideoService:
    """`pds` is the server that holds the account; `did` the account's own id. `keep` stores what it takes to go on:
    the name of the `upload`, or of the `job` that makes ready what has arrived."""

    def __init__(self, home: Xrpc, context: PublisherContext, did: str, pds: str, keep: Keep) -> None:
        self._home = home
        self._service = Xrpc(SERVICE, context, fault=fault_of_service)
        self._context = context
        self._did = did
        self._pds_id = "did:web:" + pds.split("://", 1)[-1].rstrip("/").replace(":", "%3A")
        self._keep = keep
        self._granted: tuple[str, datetime] | None = None
        self._parts = PartedUpload(self._service, context, self._storing_permit, self._keep_upload)

    async def blob_of(self, post: Post, earlier: Mapping[str, Any]) -> Mapping[str, Any]:
        """The blob of the post's video. `earlier` is what an attempt before has kept."""
        job, upload = earlier.get("job"), earlier.get("upload")
        blob = await self._ready(job) if job else None
        if blob is None:
            # Where a job came of the upload, it is the job that failed.
            job = await self._parts.resume(post, upload) if upload and not job else None
            job = job or await self._begun(post)
            await self._keep({"job": job})
            blob = await self._ready(job)
        if blob is None:
            raise RetryableError("Bluesky's video service does not know the upload that it has just taken")
        return blob

    async def _keep_upload(self, upload: str) -> None:
        await self._keep({"upload": upload, "job": None})

    async def _begun(self, post: Post) -> str:
        await self._refuse_beyond_limits(post)
        return await self._parts.run(post) or await self._upload(post)

    async def _upload(self, post: Post) -> str:
        """In one piece, as older services take it."""

        def sent(done: int) -> None:
            self._context.progress(0.05 + 0.65 * done / max(post.video_bytes, 1), "uploading")

        answer = await self._service.post(
            "app.bsky.video.uploadVideo", token=await self._storing_permit(PART_SECONDS), ok={200, 409},
            params={"did": self._did, "name": f"{post.publication_id}.mp4"}, stream=file_bytes(post.video, sent=sent),
            headers={"Content-Type": post.video_type, "Content-Length": str(post.video_bytes)},
        )  # fmt: skip  # 409: it has this very file already
        job = _status(answer).get("jobId")
        if not isinstance(job, str) or not job:
            raise RetryableError(f"Bluesky's video service named no job: {str(answer)[:200]}")
        return job

    async def _ready(self, job: str) -> Mapping[str, Any] | None:
        """The job's blob, waited for; None when the service knows no such job, or it failed in a way that another
        upload may help."""
        for _ in range(MOST_LOOKS):
            try:
                answer = await self._service.get("app.bsky.video.getJobStatus", signed=False, jobId=job)
            except (PermanentError, MethodUnknown):
                return None
            status = _status(answer)
            if status.get("blob"):
                return blob_in(status)
            if status.get("state") == "JOB_STATE_FAILED":
                _refuse_failed(status)
                return None
            self._context.progress(0.7 + 0.2 * _share(status.get("progress")), "processing")
            await self._context.sleep(POLL_SECONDS)
        raise RetryableError("Bluesky's video service is still processing the video")

    async def _refuse_beyond_limits(self, post: Post) -> None:
        permit = await self._permit(_SERVICE_ID, "app.bsky.video.getUploadLimits")
        limits = await self._service.get("app.bsky.video.getUploadLimits", token=permit)
        videos, size = limits.get("remainingDailyVideos"), limits.get("remainingDailyBytes")
        said = str(limits.get("message") or limits.get("error") or "")[:200]
        used_up = (isinstance(videos, int) and videos < 1) or (isinstance(size, int) and size < post.video_bytes)
        if used_up:
            text = f"Bluesky's daily allowance for videos is used up: {said or f'{videos} videos, {size} bytes left'}"
            raise LimitReached(text, LIMIT_SECONDS)
        if limits.get("canUpload") is False:
            raise ActionRequiredError(f"Bluesky lets this account upload no videos: {said or 'it gave no reason'}")

    async def _storing_permit(self, seconds: float) -> str:
        """With which the service puts the video into the account's server."""
        now = self._context.now()
        if self._granted is None or self._granted[1] < now + timedelta(seconds=seconds):
            token = await self._permit(self._pds_id, "com.atproto.repo.uploadBlob")
            self._granted = (token, now + timedelta(seconds=_PERMIT_SECONDS))
        return self._granted[0]

    async def _permit(self, audience: str, method: str) -> str:
        """A token with which the service acts for the account, for this one method."""
        exp = int(self._context.now().timestamp()) + _PERMIT_SECONDS
        answer = await self._home.get("com.atproto.server.getServiceAuth", aud=audience, lxm=method, exp=exp)
        return str(answer.get("token", ""))


def _status(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The lexicon has it in `jobStatus`; uploads have been seen to answer it bare."""
    inner = answer.get("jobStatus")
    return inner if isinstance(inner, dict) else answer


def _share(percent: Any) -> float:
    return min(max(percent, 0), 100) / 100 if isinstance(percent, int) else 0.0


def _refuse_failed(status: Mapping[str, Any]) -> None:
    code = str(status.get("failureCode") or "")[:100]
    said = str(status.get("message") or status.get("error") or "no reason given")[:300]
    text = f"Bluesky's video service could not use the video ({code or 'unknown'}): {said}"
    if code in _CONTENT_FAULTS:
        raise PermanentError(text)
