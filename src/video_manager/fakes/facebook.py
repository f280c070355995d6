"""Facebook's part of Meta's fake: reels of a Page, which are begun, take bytes, are finished, and are processed after
that."""

import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from video_manager.fakes.meta_graph import PROCESSING_POLLS, GraphError, Upload, chosen, given, known
from video_manager.fakes.network import FakePost

PUBLISH = "pages_manage_posts"
MOST_BYTES = 10 * 10**9
POSTS_A_DAY = 30
DAY_SECONDS = 24 * 3600.0
STATES = ("PUBLISHED", "SCHEDULED", "DRAFT")
EARLIEST_SECONDS, LATEST_SECONDS = 600.0, 30 * DAY_SECONDS
FINISH_FIELDS = frozenset({
    "upload_phase", "video_id", "video_state", "title", "description", "scheduled_publish_time",
})  # fmt: skip


class FacebookSide:
    """`posts` are those of the whole fake. Processing begins with `finish`, and the reel is public at its end."""

    def __init__(self, now: Callable[[], float], posts: dict[str, FakePost]) -> None:
        self.now = now
        self.posts = posts
        self.videos: dict[str, Upload] = {}
        self.finished: dict[str, list[dict[str, str]]] = {}
        """The `finish` calls of each video that wait for the end of its processing, or have seen it."""
        self.api_posts: list[tuple[float, str]] = []
        """When which Page was posted to."""
        self.fails_with: str | None = None
        """What the processing of the next videos ends with."""

    async def reels(self, page: str, version: str, request: Request) -> Response:
        fields = await given(request)
        match fields.get("upload_phase"):
            case "start":
                known(fields, {"upload_phase"})
                id = f"9{secrets.randbelow(10**14):014}"
                self.videos[id] = Upload(id, page, self.now())
                url = f"https://rupload.facebook.com/video-upload/{version}/{id}"
                return JSONResponse({"video_id": id, "upload_url": url})
            case "finish":
                known(fields, FINISH_FIELDS)
                return self._finish(page, fields)
        raise GraphError(400, 100, "(#100) Param upload_phase must be one of {START, FINISH}")

    def _finish(self, page: str, fields: dict[str, str]) -> Response:
        video = self.videos.get(fields.get("video_id", ""))
        if video is None or video.owner != page:
            raise GraphError(400, 100, "(#100) Invalid video_id")
        if not video.is_whole:
            raise GraphError(400, 6000, "The video was not uploaded completely", 1363030)
        if fields.get("video_state") not in STATES:
            raise GraphError(400, 100, "(#100) Param video_state must be one of {PUBLISHED, SCHEDULED, DRAFT}")
        if fields["video_state"] == "SCHEDULED" and not self._is_in_time(fields.get("scheduled_publish_time", "")):
            raise GraphError(400, 100, "(#100) scheduled_publish_time must be 10 minutes to 30 days ahead")
        if sum(page == one and self.now() - at < DAY_SECONDS for at, one in self.api_posts) >= POSTS_A_DAY:
            raise GraphError(400, 613, "(#613) Calls to this api have exceeded the rate limit.")
        self.api_posts.append((self.now(), page))
        # A second call is a second post: what really happens then is not documented.
        self.finished.setdefault(video.id, []).append(fields)
        video.polls = 0
        return JSONResponse({"success": True})

    def _is_in_time(self, given: str) -> bool:
        return given.isdigit() and EARLIEST_SECONDS <= int(given) - self.now() <= LATEST_SECONDS

    def show(self, video: Upload, request: Request) -> Response:
        whole = {"id": video.id, "status": lambda: self._status(video), "permalink_url": f"/reel/{video.id}/",
                 "published": f"{video.id}-1" in self.posts}  # fmt: skip
        return chosen(request, whole)

    def _status(self, video: Upload) -> dict[str, Any]:
        uploading = {**video.phase, "bytes_transfered": video.arrived.size_bytes}
        finishes = self.finished.get(video.id, [])
        if not finishes:
            state = "upload_complete" if video.is_whole else "processing"
            waiting = {"status": "not_started"}
            return _phases(state, uploading, waiting, waiting)
        video.polls += 1
        if self.fails_with is not None:
            failed = {"status": "error", "errors": [{"code": 1363128, "message": self.fails_with}]}
            return _phases("error", uploading, failed, {"status": "not_started"})
        if video.polls <= PROCESSING_POLLS:
            return _phases("processing", uploading, {"status": "in_progress"}, {"status": "not_started"})
        publish_status = finishes[-1]["video_state"].lower()
        if publish_status == "published":
            self._make_public(video, finishes)
        done = {"status": "complete", "publish_status": publish_status, "publish_time": int(self.now())}
        return _phases("ready", uploading, {"status": "complete"}, done)

    def _make_public(self, video: Upload, finishes: list[dict[str, str]]) -> None:
        for number, fields in enumerate(finishes, 1):
            text = "\n\n".join(fields[name] for name in ("title", "description") if fields.get(name))
            id = f"{video.id}-{number}"
            self.posts.setdefault(id, FakePost(
                id, video.owner, text, video.arrived.sha256, video.arrived.size_bytes, self.now(), extra=fields
            ))  # fmt: skip

    def delete(self, video: Upload) -> Response:
        del self.videos[video.id]
        for id in [id for id in self.posts if id.startswith(f"{video.id}-")]:
            del self.posts[id]
        return JSONResponse({"success": True})


def _phases(state: str, uploading: Any, processing: Any, publishing: Any) -> dict[str, Any]:
    return {
        "video_status": state, "uploading_phase": uploading, "processing_phase": processing,
        "publishing_phase": publishing,
    }  # fmt: skip
