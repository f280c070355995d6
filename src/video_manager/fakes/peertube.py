"""A PeerTube server: password sign-in with refresh tokens that work once, the resumable upload, and videos that are
processed for a while before anybody can see them, at once or at the time that was planned for them."""

import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived, take
from video_manager.fakes.network import Fake, FakePost
from video_manager.fakes.peertube_rules import PRIVACIES, fault_in, fault_in_change, instant, problem

HOST = "peertube.example"
SERVER = f"https://{HOST}"
USERNAME, PASSWORD = "demo", "demo-password"
CHANNEL_ID = 7
CHANNEL = {"id": CHANNEL_ID, "name": "demo_channel", "displayName": "Demo channel"}
CLIENT = {"client_id": "demo-client", "client_secret": "demo-secret"}
ACCESS_SECONDS, REFRESH_SECONDS, SESSION_SECONDS = 86_400, 1_209_600, 3600
PUBLISHED, TO_TRANSCODE = (1, "Published"), (2, "To transcode")
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)")


@dataclass
class Upload:
    """`answers_503` counts how often the server is still busy with the bytes that came."""

    metadata: Mapping[str, Any]
    total: int
    touched: float
    arrived: Arrived = field(default_factory=Arrived)
    answers_503: int = 0


@dataclass
class Video:
    id: str
    metadata: dict[str, Any]
    arrived: Arrived
    at: float
    polls: int
    """How many more times it is seen being processed."""
    blacklisted: bool = False
    planned: Mapping[str, Any] | None = None
    """`updateAt`, and perhaps the `privacy` from then on."""
    captions: dict[str, str] = field(default_factory=dict)
    thumbnail: bool = False

    @property
    def state(self) -> tuple[int, str]:
        return TO_TRANSCODE if self.polls > 0 else PUBLISHED


class PeerTubeFake(Fake):
    name: ClassVar[str] = "peertube"
    hosts: ClassVar[tuple[str, ...]] = (HOST,)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.polls = 2
        self.busy = 0
        """How often a session whose last byte came answers that it is still being processed."""
        self.quota_bytes = 10 * 2**30
        self.most_file_bytes = 8 * 2**30
        self.two_factor = False
        self.holds_back = False
        """New videos wait for a moderator."""
        self.access: tuple[str, float] | None = None
        self.refresh: tuple[str, float] | None = None
        self.uploads: dict[str, Upload] = {}
        self.videos: dict[str, Video] = {}

    def routes(self) -> Sequence[BaseRoute]:
        videos = "/api/v1/videos"
        return [
            Route("/api/v1/oauth-clients/local", self._client, methods=["GET"]),
            Route("/api/v1/users/token", self._token, methods=["POST"]),
            Route("/api/v1/users/me", self._signed(self._me), methods=["GET"]),
            Route("/api/v1/users/me/videos", self._signed(self._mine), methods=["GET"]),
            Route(f"{videos}/upload-resumable", self._signed(self._begin), methods=["POST"]),
            Route(f"{videos}/upload-resumable", self._signed(self._put), methods=["PUT"]),
            Route(f"{videos}/{{id}}", self._signed(self._get), methods=["GET"]),
            Route(f"{videos}/{{id}}", self._signed(self._change), methods=["PUT"]),
            Route(f"{videos}/{{id}}", self._signed(self._delete), methods=["DELETE"]),
            Route(f"{videos}/{{id}}/source", self._signed(self._source), methods=["GET"]),
            Route(f"{videos}/{{id}}/captions/{{language}}", self._signed(self._caption), methods=["PUT"]),
        ]

    # ---- signing in ---------------------------------------------------------------------------------------

    def _signed(self, endpoint: Any) -> Any:
        async def check(request: Request) -> Response:
            kind, _, token = request.headers.get("Authorization", "").partition(" ")
            known = self.access is not None and token == self.access[0] and self.now() < self.access[1]
            if kind != "Bearer" or not known:
                return problem(401, "Unauthorized request: token is invalid", "invalid_token")
            answer: Response = await endpoint(request)
            return answer

        return check

    async def _client(self, _request: Request) -> Response:
        return JSONResponse(CLIENT)

    async def _token(self, request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return problem(400, "Invalid request: content must be application/x-www-form-urlencoded", "invalid_request")
        form = await request.form()
        if {name: form.get(name) for name in CLIENT} != CLIENT:
            return problem(400, "Invalid client: client is invalid", "invalid_client")
        match form.get("grant_type"):
            case "password":
                if (form.get("username"), form.get("password")) != (USERNAME, PASSWORD):
                    return problem(400, "Invalid grant: user credentials are invalid", "invalid_grant")
                if self.two_factor:
                    return problem(401, "Missing two factor header", "missing_two_factor")
            case "refresh_token":
                known = self.refresh is not None and form.get("refresh_token") == self.refresh[0]
                if not known or self.refresh is None or self.now() > self.refresh[1]:
                    return problem(400, "Invalid grant: refresh token is invalid", "invalid_grant")
            case _:
                return problem(400, "Unsupported grant type: `grant_type` is invalid", "unsupported_grant_type")
        return JSONResponse(self.issue())

    def issue(self) -> dict[str, Any]:
        """A new session: "only one access token can currently be used at a time"."""
        self.access = (secrets.token_hex(20), self.now() + ACCESS_SECONDS)
        self.refresh = (secrets.token_hex(20), self.now() + REFRESH_SECONDS)
        return {
            "token_type": "Bearer", "access_token": self.access[0], "refresh_token": self.refresh[0],
            "expires_in": ACCESS_SECONDS, "refresh_token_expires_in": REFRESH_SECONDS,
        }  # fmt: skip

    async def _me(self, _request: Request) -> Response:
        return JSONResponse({"username": USERNAME, "videoChannels": [CHANNEL], "videoQuota": self.quota_bytes})

    # ---- the resumable upload -----------------------------------------------------------------------------

    async def _begin(self, request: Request) -> Response:
        length, kind = (request.headers.get(f"X-Upload-Content-{name}", "") for name in ("Length", "Type"))
        body = await request.json()
        fault = fault_in(body, CHANNEL_ID) or ("" if length.isdigit() else "X-Upload-Content-Length is missing")
        if fault:
            return problem(400, f"Incorrect request parameters: {fault}")
        if not kind.startswith("video/"):
            return problem(415, "This file is not supported.")
        if int(length) > self.most_file_bytes:
            return problem(413, "The file is too large.", "max_file_size_reached")
        if int(length) + sum(one.arrived.size_bytes for one in self.videos.values()) > self.quota_bytes:
            return problem(413, "The user video quota is exceeded with this video.", "quota_reached")
        id = secrets.token_hex(16)
        self.uploads[id] = Upload(body, int(length), self.now(), answers_503=self.busy)
        # Without a scheme, as uploadx says it.
        return Response(
            status_code=201, headers={"Location": f"//{HOST}/api/v1/videos/upload-resumable?upload_id={id}"}
        )

    async def _put(self, request: Request) -> Response:
        id = request.query_params.get("upload_id", "")
        upload = self.uploads.get(id)
        if upload is None or self.now() - upload.touched > SESSION_SECONDS:
            return problem(404, "Upload not found")
        asked = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if asked is None or int(asked[3]) != upload.total:
            return problem(400, "Content-Range is missing or wrong")
        upload.touched = self.now()
        if asked[1] is not None:
            start, end = int(asked[1]), int(asked[2])
            if start != upload.arrived.size_bytes:
                return problem(409, "The chunk does not match the range")
            if int(request.headers.get("Content-Length", -1)) != end - start + 1:
                return problem(400, "Content-Length is missing or does not match the range")
            await take(request, upload.arrived, end - start + 1)
        if upload.arrived.size_bytes < upload.total:
            return self._incomplete(upload)
        if upload.answers_503 > 0:
            upload.answers_503 -= 1
            return problem(503, "The upload is already being processed", headers={"Retry-After": "300"})
        return self._made(id, upload)

    def _incomplete(self, upload: Upload) -> Response:
        """Of no bytes uploadx says `bytes=0--1`."""
        return Response(status_code=308, headers={"Range": f"bytes=0-{upload.arrived.size_bytes - 1}"})

    def _made(self, id: str, upload: Upload) -> Response:
        """The session ends with its video."""
        del self.uploads[id]
        video = Video(
            str(uuid.uuid4()), dict(upload.metadata), upload.arrived, self.now(), self.polls,
            blacklisted=self.holds_back,
        )  # fmt: skip
        self.videos[video.id] = video
        self._show(video)
        return JSONResponse({"video": {"id": len(self.videos), "uuid": video.id, "shortUUID": video.id[:8]}})

    # ---- videos -------------------------------------------------------------------------------------------

    async def _mine(self, request: Request) -> Response:
        start, count = (int(request.query_params.get(name, default)) for name, default in (("start", 0), ("count", 15)))
        if not 0 < count <= 100:
            return problem(400, "Incorrect request parameters: count")
        newest = sorted(self.videos.values(), key=lambda one: one.at, reverse=True)
        return JSONResponse({"total": len(newest), "data": [self._shown(one) for one in newest[start : start + count]]})

    async def _get(self, request: Request) -> Response:
        video = self.videos.get(request.path_params["id"])
        if video is None:
            return problem(404, "Video not found")
        answer = JSONResponse(self._shown(video))
        video.polls -= 1
        self._show(video)
        return answer

    async def _source(self, request: Request) -> Response:
        video = self.videos.get(request.path_params["id"])
        if video is None:
            return problem(404, "Video not found")
        return JSONResponse({"inputFilename": video.metadata["filename"], "filename": video.metadata["filename"]})

    async def _change(self, request: Request) -> Response:
        video = self.videos.get(request.path_params["id"])
        if video is None:
            return problem(404, "Video not found")
        if request.headers.get("content-type", "").startswith("application/json"):
            given: Mapping[str, Any] = await request.json()
        else:
            async with request.form() as form:
                given = dict(form)
        fault = fault_in_change(given)
        if fault:
            return problem(400, f"Incorrect request parameters: {fault}")
        video.thumbnail = video.thumbnail or "thumbnailfile" in given
        video.metadata["privacy"] = int(given.get("privacy", video.metadata["privacy"]))
        video.planned = given.get("scheduleUpdate", video.planned)
        self._show(video)
        return Response(status_code=204)

    def catch_up(self) -> None:
        """What a server does every minute."""
        for video in self.videos.values():
            if video.planned is None or video.state != PUBLISHED or instant(video.planned) > self.now():
                continue
            video.metadata["privacy"] = video.planned.get("privacy", video.metadata["privacy"])
            video.planned = None
            self._show(video)

    async def _caption(self, request: Request) -> Response:
        video = self.videos.get(request.path_params["id"])
        if video is None:
            return problem(404, "Video not found")
        language = request.path_params["language"]
        async with request.form() as form:
            file: Any = form.get("captionfile")
            if not re.fullmatch(r"[a-z]{2,3}", language) or not getattr(file, "filename", "").endswith(
                (".vtt", ".srt")
            ):
                return problem(400, "Incorrect request parameters: captionfile")
            video.captions[language] = (await file.read()).decode()
        return Response(status_code=204)

    async def _delete(self, request: Request) -> Response:
        video = self.videos.pop(request.path_params["id"], None)
        if video is None:
            return problem(404, "Video not found")
        self.posts.pop(video.id, None)
        return Response(status_code=204)

    def _shown(self, video: Video) -> dict[str, Any]:
        state, privacy = video.state, video.metadata["privacy"]
        return {
            "uuid": video.id, "shortUUID": video.id[:8], "name": video.metadata["name"],
            "privacy": {"id": privacy, "label": PRIVACIES[privacy]}, "state": {"id": state[0], "label": state[1]},
            "blacklisted": video.blacklisted, "blacklistedReason": None,
            **({"scheduledUpdate": dict(video.planned)} if video.planned is not None else {}),
        }  # fmt: skip

    def _show(self, video: Video) -> None:
        """Whether anybody can see it, now that it has changed."""
        text = f"{video.metadata['name']}\n{video.metadata.get('description', '')}"
        self.posts[video.id] = FakePost(
            video.id, str(video.metadata["channelId"]), text, video.arrived.sha256, video.arrived.size_bytes, video.at,
            public=video.metadata["privacy"] in (1, 2) and video.state == PUBLISHED and not video.blacklisted,
            extra={"captions": video.captions, "thumbnail": video.thumbnail, **video.metadata},
        )  # fmt: skip
