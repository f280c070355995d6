"""Bluesky's video service: it takes a file whole or in parts (`bluesky_parts.py`), makes it ready, and puts it into the
account's server as a blob."""

import secrets
from collections.abc import Callable
from typing import Any, Protocol

from starlette.requests import Request

from video_manager.fakes.bluesky_parts import PartedUploads
from video_manager.fakes.bluesky_rules import MOST_VIDEO_BYTES, Wrong, taken
from video_manager.fakes.bytes_in import Arrived

VIDEO_HOST = "video.bsky.app"
POLLS = 3
"""Questions until a video is ready."""


class Home(Protocol):
    """The server that holds the account `did`, at `host`."""

    did: str
    host: str
    email_confirmed: bool

    @property
    def now(self) -> Callable[[], float]: ...

    def permitted(self, request: Request, audience: str, method: str) -> None: ...

    def keep(self, arrived: Arrived, mime_type: str) -> dict[str, Any]: ...


class VideoService:
    """`knows_parts` False: an older one, which takes whole files only."""

    def __init__(self, home: Home) -> None:
        self.daily_videos = 25
        self.failure: str | None = None
        """The code with which the next jobs fail."""
        self.knows_parts = True
        self.parts = PartedUploads(self)
        self._home = home
        self._jobs: dict[str, dict[str, Any]] = {}

    @property
    def now(self) -> float:
        return self._home.now()

    def methods(self) -> dict[str, Any]:
        return {
            "app.bsky.video.getUploadLimits": ("GET", self._limits),
            "app.bsky.video.uploadVideo": ("POST", self._upload),
            "app.bsky.video.getJobStatus": ("GET", self._status),
            **(self.parts.methods() if self.knows_parts else {}),
        }

    def require_upload(self, request: Request) -> str:
        """The account; raises Wrong without its permit to put a blob into its server."""
        self._home.permitted(request, f"did:web:{self._home.host}", "com.atproto.repo.uploadBlob")
        return self._home.did

    def processed(self, arrived: Arrived) -> str:
        """The job that makes a file ready; one that did so before, where it is the same file."""
        job = self._done(arrived)
        if job is None:
            job = secrets.token_hex(8)
            self._jobs[job] = {"arrived": arrived, "polls": 0, "failure": self.failure}
        return job

    def shown(self, id: str) -> dict[str, Any]:
        job = self._jobs[id]
        states = ("JOB_STATE_CREATED", "JOB_STATE_ENCODING", "JOB_STATE_SCANNING", "JOB_STATE_COMPLETED")
        shown: dict[str, Any] = {"jobId": id, "did": self._home.did, "state": states[min(job["polls"], POLLS)]}
        if job["polls"] < POLLS:
            return shown | {"progress": 100 * job["polls"] // POLLS}
        if job["failure"]:
            said = "the video could not be processed"
            return shown | {"state": "JOB_STATE_FAILED", "failureCode": job["failure"], "message": said}
        return shown | {"blob": self._home.keep(job["arrived"], "video/mp4")}

    def _done(self, arrived: Arrived) -> str | None:
        same = (id for id, job in self._jobs.items() if job["arrived"].sha256 == arrived.sha256 and not job["failure"])
        return next(same, None)

    async def _limits(self, request: Request) -> dict[str, Any]:
        self._home.permitted(request, f"did:web:{VIDEO_HOST}", "app.bsky.video.getUploadLimits")
        if not self._home.email_confirmed:
            said = "Please verify your email address to upload videos"
            return {"canUpload": False, "error": "unconfirmed_email", "message": said}
        return {
            "canUpload": self.daily_videos > 0, "remainingDailyVideos": self.daily_videos,
            "remainingDailyBytes": self.daily_videos * MOST_VIDEO_BYTES,
        }  # fmt: skip

    async def _upload(self, request: Request) -> dict[str, Any]:
        account, query = self.require_upload(request), request.query_params
        if query.get("did") != account or not query.get("name"):
            raise Wrong(400, "InvalidRequest", "did and name are needed")
        if request.headers.get("content-type") != "video/mp4":
            raise Wrong(400, "InvalidRequest", "Content-Type must be video/mp4")
        if self.daily_videos < 1:
            raise Wrong(400, "InvalidRequest", "daily upload limit exceeded")
        arrived = await taken(request, MOST_VIDEO_BYTES)
        done = self._done(arrived)
        if done is not None:
            raise Wrong(409, "already_exists", "Video already processed", more=self.shown(done))
        self.daily_videos -= 1
        return self.shown(self.processed(arrived))

    async def _status(self, request: Request) -> dict[str, Any]:
        id = request.query_params.get("jobId", "")
        if id not in self._jobs:
            raise Wrong(400, "InvalidRequest", "job not found")
        self._jobs[id]["polls"] += 1
        return {"jobStatus": self.shown(id)}
