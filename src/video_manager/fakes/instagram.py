"""Instagram's part of Meta's fake: containers that take bytes, are processed, and are published by one call."""

import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from video_manager.fakes.meta_graph import CONTAINER_SECONDS, PROCESSING_POLLS, GraphError, Upload, chosen, given, known
from video_manager.fakes.network import FakePost

PUBLISH = "instagram_content_publish"
MOST_BYTES = 300 * 10**6
CAPTION_CHARACTERS, HASHTAGS, MENTIONS, COLLABORATORS = 2200, 30, 20, 3
CONTAINER_FIELDS = frozenset({
    "media_type", "upload_type", "caption", "share_to_feed", "thumb_offset", "collaborators", "trial_params",
})  # fmt: skip
STRATEGIES = ("MANUAL", "SS_PERFORMANCE")


class InstagramSide:
    """`posts` are those of the whole fake. `posts_a_day` is what the account may publish in 24 hours."""

    def __init__(self, now: Callable[[], float], posts: dict[str, FakePost]) -> None:
        self.now = now
        self.posts = posts
        self.containers: dict[str, Upload] = {}
        self.published: dict[str, int] = {}
        """How often a container was published."""
        self.failures: dict[str, str] = {}
        """Containers whose processing failed, with the text of their status."""
        self.posts_a_day = 100
        self.fails_with: str | None = None
        """What the processing of the next containers ends with."""

    # ---- containers -------------------------------------------------------------------------------------------

    async def begin(self, account: str, version: str, request: Request) -> Response:
        fields = await given(request)
        known(fields, CONTAINER_FIELDS)
        if fields.get("media_type") != "REELS":
            raise GraphError(400, 100, "The media type is unknown", 2207023)
        if fields.get("upload_type") != "resumable":
            raise GraphError(400, 100, "(#100) The parameter video_url is required")
        self._check_caption(fields.get("caption", ""))
        if fields.get("share_to_feed", "true") not in ("true", "false"):
            raise GraphError(400, 100, "(#100) Param share_to_feed must be a boolean")
        if not fields.get("thumb_offset", "0").isdigit():
            raise GraphError(400, 1, "Thumbnail offset must be greater than or equal to 0", 2207057)
        if len(json.loads(fields.get("collaborators", "[]"))) > COLLABORATORS:
            raise GraphError(400, 100, f"(#100) At most {COLLABORATORS} collaborators")
        if json.loads(fields.get("trial_params", "{}")).get("graduation_strategy", STRATEGIES[0]) not in STRATEGIES:
            raise GraphError(400, 100, "(#100) Param trial_params[graduation_strategy] must be one of the known ones")
        id = f"1789{secrets.randbelow(10**13):013}"
        self.containers[id] = Upload(id, account, self.now(), fields)
        return JSONResponse({"id": id, "uri": f"https://rupload.facebook.com/ig-api-upload/{version}/{id}"})

    def _check_caption(self, caption: str) -> None:
        if len(caption) > CAPTION_CHARACTERS:
            raise GraphError(400, 36004, f"The caption was too long: at most {CAPTION_CHARACTERS}", 2207010)
        if caption.count("#") > HASHTAGS:
            raise GraphError(400, 100, f"(#100) At most {HASHTAGS} hashtags")
        if caption.count("@") > MENTIONS:
            raise GraphError(400, 100, f"(#100) At most {MENTIONS} mentions")

    def state(self, container: Upload) -> str:
        if container.id in self.published:
            return "PUBLISHED"
        if self.now() - container.at > CONTAINER_SECONDS:
            return "EXPIRED"
        if container.is_whole and self.fails_with is not None:
            self.failures[container.id] = self.fails_with
        if container.id in self.failures:
            return "ERROR"
        return "FINISHED" if container.is_whole and container.polls >= PROCESSING_POLLS else "IN_PROGRESS"

    def show(self, container: Upload, request: Request) -> Response:
        state = self.state(container)
        if container.is_whole:
            container.polls += 1
        text = {"IN_PROGRESS": "In Progress: Media is still being processed.",
                "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
                "ERROR": f"Error: {self.failures.get(container.id)}"}.get(state, state.capitalize())  # fmt: skip
        phase = {**container.phase, "bytes_transferred": container.arrived.size_bytes}
        return chosen(request, {
            "id": container.id, "status_code": state, "status": text, "video_status": {"uploading_phase": phase},
        })  # fmt: skip

    # ---- posts --------------------------------------------------------------------------------------------------

    async def publish(self, account: str, request: Request) -> Response:
        fields = await given(request)
        known(fields, {"creation_id"})
        container = self.containers.get(fields.get("creation_id", ""))
        if container is None or container.owner != account:
            raise GraphError(400, 24, "The requested resource does not exist", 2207006)
        state = self.state(container)
        if state == "EXPIRED":
            raise GraphError(400, -2, "The media you are trying to access has expired.", 2207020)
        if state not in ("FINISHED", "PUBLISHED"):
            raise GraphError(400, 9007, "The media is not ready for publishing, please wait for a moment", 2207027)
        if self.used(account) >= self.posts_a_day:
            raise GraphError(400, 9, "You reached maximum number of posts that is allowed to be published", 2207042)
        # A second call is a second post: nothing documents that it would not be.
        self.published[container.id] = self.published.get(container.id, 0) + 1
        id = f"1800{secrets.randbelow(10**13):013}"
        code = secrets.token_urlsafe(8)
        self.posts[id] = FakePost(
            id, account, container.fields.get("caption", ""), container.arrived.sha256, container.arrived.size_bytes,
            self.now(), extra={**container.fields, "permalink": f"https://www.instagram.com/reel/{code}/"},
        )  # fmt: skip
        return JSONResponse({"id": id})

    def used(self, account: str) -> int:
        recent = (post for post in self.posts.values() if self.now() - post.at < CONTAINER_SECONDS)
        return sum(post.account == account for post in recent)

    def show_limit(self, account: str, request: Request) -> Response:
        fields = request.query_params.get("fields", "quota_usage").split(",")
        config = {"quota_total": self.posts_a_day, "quota_duration": int(CONTAINER_SECONDS)}
        whole = {"quota_usage": self.used(account), "config": config}
        return JSONResponse({"data": [{name: whole[name] for name in fields if name in whole}]})

    def show_post(self, post: FakePost, request: Request) -> Response:
        return chosen(request, _media(post))

    def list_posts(self, account: str, request: Request) -> Response:
        """The newest first."""
        fields = ["id", *request.query_params.get("fields", "").split(",")]
        limit = int(request.query_params.get("limit", "25"))
        mine = sorted((post for post in self.posts.values() if post.account == account), key=lambda post: -post.at)
        shown = [{name: value for name, value in _media(post).items() if name in fields} for post in mine[:limit]]
        return JSONResponse({"data": shown, "paging": {"cursors": {"before": "b", "after": "a"}}})


def _media(post: FakePost) -> dict[str, str]:
    at = datetime.fromtimestamp(post.at, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    return {
        "id": post.id, "caption": post.text, "permalink": post.extra["permalink"], "timestamp": at,
        "media_product_type": "REELS", "media_type": "VIDEO",
    }  # fmt: skip
