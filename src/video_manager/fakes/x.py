"""X's API v2, as far as a publisher uses it: media upload in segments, subtitles, posting, own posts; and signing in.

Strict: segments in order and at most 8 MB, nothing is posted before the video has been processed, the same text is
refused, and 429 names nothing but x-rate-limit-reset.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.desk import Desk, Refused
from video_manager.fakes.network import Fake, FakePost

ACCOUNT, USERNAME, NAME = "2244994945", "demo_x", "Demo on X"
SCOPES = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
MOST_BYTES, MOST_SEGMENT_BYTES = 17_179_869_184, 8 * 2**20
MEDIA_TYPES = {
    "tweet_video": ("video/mp4", "video/quicktime", "video/webm", "video/mp2t"), "subtitles": ("text/srt", "text/vtt"),
}  # fmt: skip
MEDIA_SECONDS = 86_400.0
POSTS_IN_WINDOW, WINDOW_SECONDS = 100, 900.0
TEXT_WEIGHT = 280
_KNOWN = {"text", "media", "reply_settings", "made_with_ai", "paid_partnership"}
_REPLY_SETTINGS = (None, "following", "mentionedUsers", "subscribers", "verified")
_LINK = re.compile(r"https?://\S+")


@dataclass
class Medium:
    id: str
    account: str
    category: str
    size: int
    until: float
    state: str = "uploading"
    """uploading, pending, in_progress, succeeded, failed"""
    segments: int = 0
    arrived: Arrived = field(default_factory=Arrived)
    before: Arrived = field(default_factory=Arrived)
    """As it was before the newest segment, which may be sent again."""
    subtitles: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> str:
        return f"7_{self.id}"


class XFake(Fake):
    """`fails_with` is why the next video cannot be processed. With `lists_late`, the account's posts are listed only
    after one has been refused as a duplicate."""

    name: ClassVar[str] = "x"
    hosts: ClassVar[tuple[str, ...]] = ("api.x.com", "x.com")

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.desk = Desk(now, {ACCOUNT: NAME}, access_seconds=7200.0, rotates=True, needs_pkce=True)
        self.protected = False
        self.fails_with = ""
        self.lists_late = False
        self.media: dict[str, Medium] = {}
        self._posted: dict[str, list[float]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        upload = "/2/media/upload"
        return [
            *self.desk.routes("/i/oauth2/authorize", "/2/oauth2/token"),
            Route("/2/users/me", self._me, methods=["GET"]),
            Route(f"{upload}/initialize", self._initialize, methods=["POST"]),
            Route(upload + "/{id}/append", self._append, methods=["POST"]),
            Route(upload + "/{id}/finalize", self._finalize, methods=["POST"]),
            Route(upload, self._status, methods=["GET"]),
            Route("/2/media/subtitles", self._subtitles, methods=["POST"]),
            Route("/2/tweets", self._post, methods=["POST"]),
            Route("/2/tweets/{id}", self._delete, methods=["DELETE"]),
            Route("/2/users/{id}/tweets", self._list, methods=["GET"]),
        ]

    async def _me(self, request: Request) -> Response:
        try:
            grant = self.desk.require(request, "users.read")
        except Refused as refused:
            return _refused(refused)
        me = {"id": grant.account, "name": NAME, "username": USERNAME, "protected": self.protected}
        wanted = {"id", "name", "username", *request.query_params.get("user.fields", "").split(",")}
        return JSONResponse({"data": {name: value for name, value in me.items() if name in wanted}})

    # ---- media ------------------------------------------------------------------------------------------

    async def _initialize(self, request: Request) -> Response:
        try:
            grant = self.desk.require(request, "media.write")
        except Refused as refused:
            return _refused(refused)
        body = await request.json()
        category, size = body.get("media_category"), body.get("total_bytes")
        if body.get("media_type") not in MEDIA_TYPES.get(str(category), ()):
            return _problem(400, "Invalid Request", "media_type is not one of the category's")
        if not isinstance(size, int) or not 0 < size <= MOST_BYTES:
            return _problem(400, "Invalid Request", "total_bytes is out of range")
        id = str(1_900_000_000_000_000_000 + secrets.randbelow(10**17))
        medium = self.media[id] = Medium(id, grant.account, str(category), size, self.now() + MEDIA_SECONDS)
        return JSONResponse({"data": self._shown(medium)})

    def _known(self, request: Request, id: str) -> Medium:
        """Raises Refused, also (404) for media that are not this account's or whose time is over."""
        grant = self.desk.require(request, "media.write")
        medium = self.media.get(id)
        if medium is None or medium.account != grant.account or self.now() >= medium.until:
            raise Refused(404, f"Could not find media with id: [{id}].")
        return medium

    async def _append(self, request: Request) -> Response:
        try:
            medium = self._known(request, request.path_params["id"])
        except Refused as refused:
            return _refused(refused)
        async with request.form() as form:
            index, media = str(form.get("segment_index", "")), form.get("media")
            if medium.state != "uploading" or not isinstance(media, UploadFile) or not index.isdigit():
                return _problem(400, "Invalid Request", "a segment needs an index and bytes, before finalize")
            if int(index) == medium.segments:
                medium.before = medium.arrived
            elif int(index) != medium.segments - 1:
                return _problem(400, "Invalid Request", f"segment {medium.segments} was expected")
            if (media.size or 0) > MOST_SEGMENT_BYTES:
                return _problem(413, "Payload Too Large", "a segment has at most 8 MB")
            medium.arrived, medium.segments = medium.before.copy(), int(index) + 1
            while piece := await media.read(2**20):
                medium.arrived.add(piece)
        return JSONResponse({"data": {"expires_at": int(medium.until)}})

    async def _finalize(self, request: Request) -> Response:
        try:
            medium = self._known(request, request.path_params["id"])
        except Refused as refused:
            return _refused(refused)
        if medium.state != "uploading":
            return _problem(400, "Invalid Request", "the media was finalized before")
        if medium.arrived.size_bytes != medium.size:
            return _problem(400, "Invalid Request", "Segments do not add up to provided total file size.")
        medium.state = "pending" if medium.category == "tweet_video" else "succeeded"
        medium.until = self.now() + MEDIA_SECONDS
        return JSONResponse({"data": self._shown(medium)})

    async def _status(self, request: Request) -> Response:
        try:
            medium = self._known(request, request.query_params.get("media_id", ""))
        except Refused as refused:
            return _refused(refused)
        if request.query_params.get("command") != "STATUS" or medium.state == "uploading":
            return _problem(400, "Invalid Request", "there is no status before finalize")
        if medium.state == "pending":
            medium.state = "in_progress"
        elif medium.state == "in_progress":
            medium.state = "failed" if self.fails_with else "succeeded"
        return JSONResponse({"data": self._shown(medium)})

    def _shown(self, medium: Medium) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": medium.id, "media_key": medium.key, "expires_after_secs": int(medium.until - self.now()),
        }  # fmt: skip
        if medium.category == "tweet_video" and medium.state != "uploading":
            info: dict[str, Any] = {"state": medium.state}
            if medium.state in ("pending", "in_progress"):
                info["check_after_secs"] = 1
            if medium.state == "failed":
                info["error"] = {"code": 1, "name": "InvalidMedia", "message": self.fails_with}
            shown["processing_info"] = info
        return shown

    async def _subtitles(self, request: Request) -> Response:
        body = await request.json()
        try:
            video = self._known(request, str(body.get("id")))
            file = self._known(request, str(body.get("subtitles", {}).get("id")))
        except Refused as refused:
            return _refused(refused)
        if body.get("media_category") != "TweetVideo" or file.category != "subtitles" or file.state != "succeeded":
            return _problem(400, "Invalid Request", "no subtitles of a video")
        video.subtitles.append(body["subtitles"])
        associated = {"id": video.id, "media_category": "TweetVideo", "associated_subtitles": video.subtitles}
        return JSONResponse({"data": associated})

    # ---- posts ------------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        try:
            account = self.desk.require(request, "tweet.write").account
        except Refused as refused:
            return _refused(refused)
        recent = [at for at in self._posted.get(account, []) if self.now() - at < WINDOW_SECONDS]
        if len(recent) >= POSTS_IN_WINDOW:
            reset = str(int(recent[0] + WINDOW_SECONDS) + 1)
            return _problem(429, "Too Many Requests", "Too Many Requests", {"x-rate-limit-reset": reset})
        body = await request.json()
        media = [self.media.get(str(id)) for id in body.get("media", {}).get("media_ids", [])]
        problem = self._problem_of(body, media)
        if problem is not None:
            return problem
        text = str(body.get("text", ""))
        if any(post.account == account and post.extra["given"] == text for post in self.posts.values()):
            self.lists_late = False
            return _problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")
        id = str(1_990_000_000_000_000_000 + len(self.posts) * 1000 + secrets.randbelow(1000))
        (video,) = media
        arrived = video.arrived if video else Arrived()
        self._posted[account] = [*recent, self.now()]
        self.posts[id] = FakePost(
            id, account, text, arrived.sha256, arrived.size_bytes, self.now(), public=not self.protected,
            extra={**body, "given": text, "media_keys": [video.key] if video else []},
        )  # fmt: skip
        return JSONResponse({"data": {"id": id, "text": _as_shown(text)}}, 201)

    def _problem_of(self, body: Mapping[str, Any], media: Sequence[Medium | None]) -> Response | None:
        if not set(body) <= _KNOWN or body.get("reply_settings") not in _REPLY_SETTINGS:
            return _problem(400, "Invalid Request", "One or more parameters to your request was invalid.")
        if _weight(str(body.get("text", ""))) > TEXT_WEIGHT:
            return _problem(403, "Forbidden", "Your Tweet text is too long.")
        ready = len(media) == 1 and media[0] is not None and media[0].state == "succeeded"
        if not ready or (media[0] is not None and self.now() >= media[0].until):
            return _problem(400, "Invalid Request", "Your media IDs are invalid.")
        return None

    async def _delete(self, request: Request) -> Response:
        try:
            account = self.desk.require(request, "tweet.write").account
        except Refused as refused:
            return _refused(refused)
        post = self.posts.get(request.path_params["id"])
        if post is None or post.account != account:
            return _problem(404, "Not Found Error", "Could not find tweet")
        del self.posts[post.id]
        return JSONResponse({"data": {"deleted": True}})

    async def _list(self, request: Request) -> Response:
        try:
            self.desk.require(request, "tweet.read")
        except Refused as refused:
            return _refused(refused)
        query = request.query_params
        most, since = int(query.get("max_results", "10")), query.get("start_time")
        if not 5 <= most <= 100:
            return _problem(400, "Invalid Request", "max_results is not between 5 and 100")
        start = datetime.fromisoformat(since).timestamp() if since else 0.0
        found = [
            post for post in reversed(self.posts.values())
            if post.account == request.path_params["id"] and start <= post.at and not self.lists_late
        ]  # fmt: skip
        first = int(query.get("pagination_token", "0"))
        shown = [_listed(post, query.get("tweet.fields", "").split(",")) for post in found[first : first + most]]
        meta: dict[str, Any] = {"result_count": len(shown)}
        if first + most < len(found):
            meta["next_token"] = str(first + most)
        return JSONResponse({"data": shown, "meta": meta} if shown else {"meta": meta})


def _listed(post: FakePost, fields: Sequence[str]) -> dict[str, Any]:
    whole = {
        "created_at": datetime.fromtimestamp(post.at, UTC).isoformat().replace("+00:00", "Z"),
        "attachments": {"media_keys": post.extra["media_keys"]},
    }  # fmt: skip
    more = {name: value for name, value in whole.items() if name in fields}
    return {"id": post.id, "text": _as_shown(post.text), "edit_history_tweet_ids": [post.id], **more}


def _as_shown(text: str) -> str:
    """Links are replaced, one to the video is added, and what HTML knows is escaped."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{_LINK.sub('https://t.co/AbCdEfGhIj', escaped)} https://t.co/VideoVideo"


def _weight(text: str) -> int:
    rest = _LINK.sub("", text)
    light = sum(ord(one) < 4352 or 8192 <= ord(one) <= 8205 or 8208 <= ord(one) <= 8223 for one in rest)
    return 23 * len(_LINK.findall(text)) + light + 2 * (len(rest) - light)


def _problem(status: int, title: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = {"title": title, "detail": detail, "type": "about:blank", "status": status}
    return JSONResponse(body, status, headers=headers)


def _refused(refused: Refused) -> Response:
    titles = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found Error"}
    return _problem(refused.status, titles.get(refused.status, "Invalid Request"), refused.reason)
