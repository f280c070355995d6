"""Uploads to Bluesky's video service in parts, by the lexicons of `app.bsky.video`.

Strict: the exact size of every part, parts that may be sent again with the same bytes alone, no end before all are
there, errors by the lexicons' names; what was begun is reserved of the day's allowance, and expires.
"""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from starlette.requests import Request

from video_manager.fakes.bluesky_rules import MOST_VIDEO_BYTES, Wrong, taken
from video_manager.fakes.bytes_in import Arrived

PART_BYTES, SMALL_PART_BYTES = 5 * 2**20, 128 * 2**10
"""How large a part is; the second for small files, so that they too have some."""
SECONDS = 3600.0
"""So long an upload may take."""
MOST_OPEN = 3
MOST_MILLISECONDS = 600_000
FINISHING_LOOKS = 1
"""Questions that are answered `finishing` after the end."""


@dataclass
class Upload:
    job: str
    account: str
    size_bytes: int
    part_bytes: int
    until: float
    state: str = "created"
    hashes: list[str] = field(default_factory=list)
    """Of the parts that are there."""
    arrived: Arrived = field(default_factory=Arrived)
    completed: str = ""
    looks: int = FINISHING_LOOKS
    reason: str = ""

    @property
    def count(self) -> int:
        return math.ceil(self.size_bytes / self.part_bytes)

    def size_of(self, number: int) -> int:
        return min(self.part_bytes, self.size_bytes - (number - 1) * self.part_bytes)

    @property
    def missing(self) -> list[int]:
        return list(range(len(self.hashes) + 1, self.count + 1))


class Processing(Protocol):
    """The service behind: it makes ready what has arrived."""

    daily_videos: int

    @property
    def now(self) -> float: ...

    def require_upload(self, request: Request) -> str: ...

    def processed(self, arrived: Arrived) -> str: ...

    def shown(self, id: str) -> dict[str, Any]: ...


class PartedUploads:
    """`lags`: an end is not answered at once, and the upload is `finishing` for a while."""

    def __init__(self, service: Processing) -> None:
        self._service = service
        self.lags = False
        self.uploads: dict[str, Upload] = {}

    def methods(self) -> dict[str, Any]:
        return {
            "app.bsky.video.startUpload": ("POST", self._start),
            "app.bsky.video.uploadPart": ("POST", self._part),
            "app.bsky.video.finishUpload": ("POST", self._finish),
            "app.bsky.video.getUploadStatus": ("GET", self._status),
        }

    def fail(self, job: str, state: str, reason: str = "") -> None:
        """The service gives an upload up: `failed`, `aborted` or `expired`."""
        self.uploads[job].state, self.uploads[job].reason = state, reason

    # ---- the lexicons ---------------------------------------------------------------------------------------

    async def _start(self, request: Request) -> dict[str, Any]:
        account, given = self._service.require_upload(request), await request.json()
        size = _checked(given)
        for upload in self._open(account):
            if self._service.now >= upload.until:
                upload.state = "expired"
        if self._service.daily_videos <= len(self._open(account)):
            raise Wrong(400, "DailyLimitExceeded", "the daily allowance is used up")
        if len(self._open(account)) >= MOST_OPEN:
            raise Wrong(400, "TooManyOpenUploads", f"{MOST_OPEN} uploads are open")
        part_bytes = PART_BYTES if size > PART_BYTES else SMALL_PART_BYTES
        upload = Upload(secrets.token_hex(8), account, size, part_bytes, self._service.now + SECONDS)
        self.uploads[upload.job] = upload
        return {
            "jobId": upload.job, "partSizeBytes": part_bytes, "partCount": upload.count,
            "expiresAt": _instant(upload.until),
        }  # fmt: skip

    async def _part(self, request: Request) -> dict[str, Any]:
        upload, number = self._known(request), request.query_params.get("partNumber", "")
        _require_created(upload)
        if not number.isdigit() or not 1 <= int(number) <= upload.count:
            raise Wrong(400, "InvalidPartNumber", f"1 to {upload.count} are the parts of this upload")
        if request.headers.get("content-type") != "application/octet-stream":
            raise Wrong(400, "InvalidRequest", "Content-Type must be application/octet-stream")
        place, size = int(number), upload.size_of(int(number))
        if request.headers.get("content-length") != str(size):
            raise Wrong(400, "PartSizeMismatch", f"part {place} has {size} bytes")
        if place > len(upload.hashes) + 1:
            raise Wrong(400, "InvalidRequest", "this fake takes new parts in order only")
        if place <= len(upload.hashes):
            again = await taken(request, size)
            if again.sha256 != upload.hashes[place - 1]:
                raise Wrong(400, "InvalidRequest", f"part {place} came with other bytes before")
        else:
            await self._add(request, upload, size)
        return {"partNumber": place, "sizeBytes": size}

    async def _add(self, request: Request, upload: Upload, size: int) -> None:
        # A part counts when it is whole: what came of a broken one is forgotten.
        whole, part = upload.arrived.copy(), Arrived()
        async for piece in request.stream():
            whole.add(piece)
            part.add(piece)
        if part.size_bytes != size:
            raise Wrong(400, "PartSizeMismatch", "the part is not whole")
        upload.arrived = whole
        upload.hashes.append(part.sha256)

    async def _finish(self, request: Request) -> dict[str, Any]:
        given = await request.json()
        upload = self._known(request, str(given.get("jobId", "")))
        if upload.state == "finishing":
            raise Wrong(400, "UploadNotReady", "a finish is in progress")
        if upload.state != "completed":
            _require_created(upload)
            if upload.missing:
                raise Wrong(400, "MissingParts", f"missing parts: {upload.missing}")
            self._service.daily_videos -= 1
            upload.completed = self._service.processed(upload.arrived)
            upload.state = "finishing" if self.lags else "completed"
        if upload.state == "finishing":
            raise Wrong(504, "UpstreamTimeout", "the end takes longer than its call")
        return {"completedJobId": upload.completed, "jobStatus": self._service.shown(upload.completed)}

    async def _status(self, request: Request) -> dict[str, Any]:
        upload = self._known(request)
        if upload.state == "finishing":
            upload.looks -= 1
            upload.state = "finishing" if upload.looks >= 0 else "completed"
        shown = {
            "jobId": upload.job, "partSizeBytes": upload.part_bytes, "partCount": upload.count,
            "receivedParts": list(range(1, len(upload.hashes) + 1)), "expiresAt": _instant(upload.until),
            "state": upload.state,
        }  # fmt: skip
        if upload.state == "completed":
            shown |= {"completedJobId": upload.completed, "jobStatus": self._service.shown(upload.completed)}
        return shown | ({"failureReason": upload.reason} if upload.state == "failed" else {})

    # ---- what is known --------------------------------------------------------------------------------------

    def _open(self, account: str) -> list[Upload]:
        return [one for one in self.uploads.values() if one.account == account and one.state == "created"]

    def _known(self, request: Request, job: str | None = None) -> Upload:
        account = self._service.require_upload(request)
        upload = self.uploads.get(request.query_params.get("jobId", "") if job is None else job)
        if upload is None or upload.account != account:
            raise Wrong(400, "UploadNotFound", "unknown upload")
        if upload.state == "created" and self._service.now >= upload.until:
            upload.state = "expired"
        return upload


def _checked(given: Mapping[str, Any]) -> int:
    """The size that was announced. Raises Wrong."""
    size, wanted = given.get("sizeBytes"), ("durationMs", "width", "height")
    if not isinstance(size, int) or size < 1 or not isinstance(given.get("mimeType"), str):
        raise Wrong(400, "InvalidRequest", "Input must have sizeBytes and mimeType")
    if len(str(given.get("name", ""))) > 256 or not all(isinstance(given.get(name, 0), int) for name in wanted):
        raise Wrong(400, "InvalidRequest", "Input has a property of the wrong type")
    if given["mimeType"] != "video/mp4":
        raise Wrong(400, "UnsupportedContentType", f"{given['mimeType']} is not supported")
    if size > MOST_VIDEO_BYTES:
        raise Wrong(400, "VideoTooLarge", f"at most {MOST_VIDEO_BYTES} bytes")
    if given.get("durationMs", 0) > MOST_MILLISECONDS:
        raise Wrong(400, "VideoTooLong", f"at most {MOST_MILLISECONDS} ms")
    return size


def _require_created(upload: Upload) -> None:
    names = {
        "finishing": "UploadNotReady", "completed": "UploadAlreadyCompleted", "failed": "UploadFailed",
        "aborted": "UploadAborted", "expired": "UploadExpired",
    }  # fmt: skip
    if upload.state != "created":
        raise Wrong(400, names[upload.state], upload.reason or f"the upload is {upload.state}")


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
