"""Vimeo's API 3.4, as far as a publisher uses it, and the server that takes bytes by tus."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived, take
from video_manager.fakes.desk import Desk, Refused
from video_manager.fakes.network import Fake, FakePost

API, FILES, CLOUD = "api.vimeo.com", "files.tus.vimeo.com", "i.cloud.vimeo.com"
USER = {"uri": "/users/4711", "name": "Demo", "link": "https://vimeo.com/demo"}
SCOPES = ("public", "private", "edit", "upload", "delete")
VIEWS = ("anybody", "nobody", "unlisted", "disable", "contacts", "password")
COMMENTS = ("anybody", "contacts", "nobody")
PER_MINUTE = 500
LINK_SECONDS = 24 * 3600.0


@dataclass
class Video:
    uri: str
    token: str
    """Of its upload address."""
    size: int
    at: float
    name: str
    description: str
    view: str
    polls: int
    """How many more times it is seen being transcoded."""
    arrived: Arrived = field(default_factory=Arrived)
    pictures: dict[str, bool] = field(default_factory=dict)
    """By the picture's uri, whether it is the active one; only one whose bytes came can be."""
    tracks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        return self.arrived.size_bytes == self.size


class VimeoFake(Fake):
    name: ClassVar[str] = "vimeo"
    hosts: ClassVar[tuple[str, ...]] = (API, FILES, CLOUD)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.desk = Desk(now, {USER["uri"]: USER["name"]}, access_seconds=None, refreshes=False)
        self.polls = 2
        self.quota_bytes = 20 * 2**30
        self.upload_access = True
        """Vimeo must have allowed the app to upload."""
        self.locks_as: str | None = None
        """A view that every video gets, whatever was asked for."""
        self.videos: dict[str, Video] = {}
        self.taken_in: dict[str, bytes] = {}
        """Small files (pictures, captions) by their address."""
        self._recent: list[float] = []

    def routes(self) -> Sequence[BaseRoute]:
        video = "/videos/{id}"
        return [
            *self.desk.routes("/oauth/authorize", "/oauth/access_token"),
            Route("/me", self._signed(self._me), methods=["GET"]),
            Route("/me/videos", self._signed(self._make, "upload"), methods=["POST"]),
            Route("/me/videos", self._signed(self._mine, "private"), methods=["GET"]),
            Route(video, self._signed(self._get, "private"), methods=["GET"]),
            Route(video, self._signed(self._edit, "edit"), methods=["PATCH"]),
            Route(video, self._signed(self._delete, "delete"), methods=["DELETE"]),
            Route(f"{video}/pictures", self._signed(self._picture, "edit"), methods=["POST"]),
            Route(f"{video}/pictures/{{picture}}", self._signed(self._activate, "edit"), methods=["PATCH"]),
            Route(f"{video}/texttracks", self._signed(self._track, "edit"), methods=["POST"]),
            Route("/files/{token}", self._tus, methods=["HEAD", "PATCH"]),
            Route("/small/{token}", self._small, methods=["PUT"]),
        ]

    def _signed(self, endpoint: Any, scope: str = "public") -> Any:
        async def check(request: Request) -> Response:
            if "version=3.4" not in request.headers.get("Accept", ""):
                return error(400, "The Accept header must name version 3.4", 2204)
            try:
                self.desk.require(request, scope)
            except Refused as refused:
                return error(refused.status, refused.reason, 8003 if refused.status == 401 else 3200)
            if self._is_too_fast():
                return error(429, "Too many API requests.", 9000, {"X-RateLimit-Reset": str(int(self.now()) + 60)})
            answer: Response = await endpoint(request)
            return answer

        return check

    def _is_too_fast(self) -> bool:
        self._recent = [at for at in self._recent if self.now() - at < 60] + [self.now()]
        return len(self._recent) > PER_MINUTE

    async def _me(self, _request: Request) -> Response:
        return JSONResponse(USER)

    # ---- making and sending ---------------------------------------------------------------------------------

    async def _make(self, request: Request) -> Response:
        body = await request.json()
        upload, view = body.get("upload", {}), body.get("privacy", {}).get("view", "anybody")
        if not self.upload_access:
            return error(403, "This app is not allowed to upload.", 3428)
        if upload.get("approach") != "tus" or not str(upload.get("size", "")).isdigit() or view not in VIEWS:
            return error(400, "Something strange occurred. Please get in touch: invalid parameter", 2204)
        size = int(upload["size"])
        if size + sum(one.arrived.size_bytes for one in self.videos.values()) > self.quota_bytes:
            return error(403, "The user is over their upload quota.", 4101)
        video = Video(
            f"/videos/{1000 + len(self.videos) + secrets.randbelow(10**6) * 1000}", secrets.token_urlsafe(24), size,
            self.now(), body.get("name", "Untitled"), body.get("description") or "", view, self.polls,
        )  # fmt: skip
        self.videos[video.uri] = video
        return JSONResponse(self._shown(video), 201)

    async def _tus(self, request: Request) -> Response:
        video = next((one for one in self.videos.values() if one.token == request.path_params["token"]), None)
        if request.headers.get("Tus-Resumable") != "1.0.0":
            return Response(status_code=412, headers={"Tus-Version": "1.0.0"})
        if video is None or self.now() - video.at > LINK_SECONDS:
            return Response(status_code=404)
        if request.method == "PATCH":
            if request.headers.get("Content-Type") != "application/offset+octet-stream":
                return Response(status_code=415)
            if request.headers.get("Upload-Offset") != str(video.arrived.size_bytes):
                return Response(status_code=409)
            try:
                await take(request, video.arrived, video.size - video.arrived.size_bytes)
            except ValueError:
                return Response(status_code=413)
            self._show(video)
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(video.arrived.size_bytes)}
        if request.method == "HEAD":
            return Response(headers={**headers, "Upload-Length": str(video.size), "Cache-Control": "no-store"})
        return Response(status_code=204, headers=headers)

    async def _small(self, request: Request) -> Response:
        token = request.path_params["token"]
        if token not in self.taken_in:
            return Response(status_code=404)
        self.taken_in[token] = await request.body()
        return Response(status_code=200)

    # ---- videos -----------------------------------------------------------------------------------------------

    async def _mine(self, request: Request) -> Response:
        page, per_page = (int(request.query_params.get(name, usual)) for name, usual in (("page", 1), ("per_page", 25)))
        if per_page > 100 or request.query_params.get("sort", "date") != "date":
            return error(400, "A parameter is invalid.", 2204)
        newest = sorted(self.videos.values(), key=lambda one: one.at, reverse=True)
        shown = [self._shown(one) for one in newest[(page - 1) * per_page : page * per_page]]
        return JSONResponse({"total": len(newest), "page": page, "per_page": per_page, "data": shown})

    def _of(self, request: Request) -> Video | None:
        return self.videos.get(f"/videos/{request.path_params['id']}")

    async def _get(self, request: Request) -> Response:
        video = self._of(request)
        if video is None:
            return missing()
        answer = JSONResponse(self._shown(video))
        if video.is_complete:
            video.polls -= 1
        self._show(video)
        return answer

    async def _edit(self, request: Request) -> Response:
        video, body = self._of(request), await request.json()
        if video is None:
            return missing()
        privacy = body.get("privacy", {})
        if privacy.get("view", "nobody") not in VIEWS or privacy.get("comments", "nobody") not in COMMENTS:
            return error(400, "A parameter is invalid.", 2204)
        video.name = body.get("name", video.name)
        video.description = body.get("description", video.description) or ""
        video.view = (self.locks_as or privacy["view"]) if "view" in privacy else video.view
        self._show(video)
        return JSONResponse(self._shown(video))

    async def _delete(self, request: Request) -> Response:
        video = self._of(request)
        if video is None:
            return missing()
        del self.videos[video.uri]
        self.posts.pop(video.uri, None)
        return Response(status_code=204)

    async def _picture(self, request: Request) -> Response:
        video = self._of(request)
        if video is None:
            return missing()
        token = secrets.token_urlsafe(12)
        self.taken_in[token] = b""
        uri = f"{video.uri}/pictures/{token}"
        video.pictures[uri] = False
        return JSONResponse({"uri": uri, "link": f"https://{CLOUD}/small/{token}", "active": False}, 201)

    async def _activate(self, request: Request) -> Response:
        video, token = self._of(request), request.path_params["picture"]
        if video is None or f"{video.uri}/pictures/{token}" not in video.pictures:
            return missing()
        if not self.taken_in[token]:
            return error(400, "The picture has not been uploaded.", 2204)
        video.pictures = {uri: uri.endswith(token) for uri in video.pictures}
        return JSONResponse({"active": True})

    async def _track(self, request: Request) -> Response:
        video, body = self._of(request), await request.json()
        if video is None:
            return missing()
        if body.get("type") not in ("captions", "subtitles") or not body.get("language"):
            return error(400, "A parameter is invalid.", 2204)
        token = secrets.token_urlsafe(12)
        self.taken_in[token] = b""
        video.tracks.append({**body, "token": token})
        return JSONResponse({"uri": f"{video.uri}/texttracks/1", "link": f"https://{CLOUD}/small/{token}"}, 201)

    def _shown(self, video: Video) -> dict[str, Any]:
        upload = {"status": "complete" if video.is_complete else "in_progress", "approach": "tus", "size": video.size}
        if not video.is_complete:
            upload["upload_link"] = f"https://{FILES}/files/{video.token}"
        done = video.is_complete and video.polls <= 0
        return {
            "uri": video.uri, "link": f"https://vimeo.com/{video.uri.rpartition('/')[2]}", "name": video.name,
            "description": video.description or None, "privacy": {"view": video.view}, "upload": upload,
            "transcode": {"status": "complete" if done else "in_progress"},
        }  # fmt: skip

    def _show(self, video: Video) -> None:
        self.posts[video.uri] = FakePost(
            video.uri, USER["uri"], f"{video.name}\n{video.description}", video.arrived.sha256,
            video.arrived.size_bytes, video.at, public=video.view != "nobody" and video.is_complete,
            extra={"pictures": video.pictures, "tracks": video.tracks, "view": video.view},
        )  # fmt: skip


def missing() -> Response:
    return error(404, "The requested video couldn't be found.", 5000)


def error(status: int, text: str, code: int, headers: dict[str, str] | None = None) -> Response:
    body = {"error": text, "link": None, "developer_message": text, "error_code": code}
    return JSONResponse(body, status, headers=headers)
