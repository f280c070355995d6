"""LinkedIn's API, as far as a publisher uses it: sign-in, pages, videos in parts, posts.

Strict: the version header, each part exactly on its own address and range and in order, receipts in order, a video
that can be posted only when it is AVAILABLE and by its owner, texts whose special characters are escaped, and the
post's name in a header alone.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived, take
from video_manager.fakes.desk import Desk, Grant, Refused
from video_manager.fakes.network import Fake, FakePost

PERSON, PERSON_NAME = "demo-person", "Demo Person"
PERSON_URN = f"urn:li:person:{PERSON}"
PAGES = {"urn:li:organization:1001": ("Demo Studio", "demo-studio"), "urn:li:organization:1002": ("Second", "second")}
OLDEST_VERSION = "202511"
PART_BYTES = 4 * 2**20
LEAST_BYTES, MOST_BYTES = 75_000, 500 * 10**6
COMMENTARY_CHARACTERS = 3000
ADDRESS_SECONDS = 3600.0
TOKEN_SECONDS = 60 * 86400.0
_HASHTAG = re.compile(r"\{hashtag\|\\#\|(\w+)\}")
_UNESCAPED = re.compile(r"\\.|([<>#~_|\[\]*(){}@\\])", re.DOTALL)


class _Refusal(Exception):
    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"status": status, "code": code, "message": message, **more}, status)


@dataclass
class _Video:
    urn: str
    owner: str
    size_bytes: int
    token: str
    ends_at: float
    arrived: Arrived = field(default_factory=Arrived)
    etags: list[str] = field(default_factory=list)
    thumbnail_bytes: int = 0
    status: str = "WAITING_UPLOAD"
    polls: int = 1
    """Questions that are answered PROCESSING."""

    @property
    def ranges(self) -> list[tuple[int, int]]:
        starts = range(0, self.size_bytes, PART_BYTES)
        return [(start, min(start + PART_BYTES, self.size_bytes) - 1) for start in starts]


class LinkedInFake(Fake):
    """`refuses_duplicates`: LinkedIn does for a while that is documented nowhere; a test that counts posts wants to
    see every one."""

    name: ClassVar[str] = "linkedin"
    hosts: ClassVar[tuple[str, ...]] = ("api.linkedin.com", "www.linkedin.com")

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.desk = Desk(now, {PERSON: PERSON_NAME}, access_seconds=TOKEN_SECONDS, refreshes=False)
        self.roles = {"ADMINISTRATOR": [next(iter(PAGES))], "CONTENT_ADMINISTRATOR": list(PAGES)}
        self.refuses_duplicates = False
        self.takes_thumbnails = True
        self.failure: str | None = None
        """Why processing fails."""
        self.videos: dict[str, _Video] = {}

    def routes(self) -> Sequence[BaseRoute]:
        rest = "/rest"
        return [
            *self.desk.routes("/oauth/v2/authorization", "/oauth/v2/accessToken"),
            Route("/v2/userinfo", self._checked(self._userinfo, versioned=False)),
            Route(f"{rest}/organizationAcls", self._checked(self._acls)),
            Route(f"{rest}/organizations/{{id}}", self._checked(self._organization)),
            Route(f"{rest}/videos", self._checked(self._videos), methods=["POST"]),
            Route(f"{rest}/videos/{{urn}}", self._checked(self._video)),
            Route("/dms-uploads/{id}/thumbnail", self._checked(self._thumbnail, versioned=False), methods=["PUT"]),
            Route("/dms-uploads/{id}/{part:int}", self._checked(self._part, versioned=False), methods=["PUT"]),
            Route(f"{rest}/posts", self._checked(self._post), methods=["POST"]),
            Route(f"{rest}/posts/{{urn}}", self._checked(self._delete), methods=["DELETE"]),
        ]

    def _checked(self, answer: Any, *, versioned: bool = True) -> Any:
        async def checked(request: Request) -> Response:
            try:
                if versioned:
                    _check_version(request)
                given: Response = await answer(request)
            except _Refusal as refusal:
                return refusal.answer
            except Refused as refused:
                code = "INVALID_ACCESS_TOKEN" if refused.status == 401 else "ACCESS_DENIED"
                body = {"status": refused.status, "code": code, "serviceErrorCode": 100, "message": refused.reason}
                return JSONResponse(body, refused.status)
            return given

        return checked

    # ---- people and pages -----------------------------------------------------------------------------------

    async def _userinfo(self, request: Request) -> Response:
        grant = self.desk.require(request, "openid")
        name = {"name": self.desk.accounts[grant.account]} if "profile" in grant.scopes else {}
        return JSONResponse({"sub": grant.account, **name})

    async def _acls(self, request: Request) -> Response:
        self.desk.require(request, "rw_organization_admin")
        query = request.query_params
        if query.get("q") != "roleAssignee":
            raise _Refusal(400, "ILLEGAL_ARGUMENT", "Resource method could not be resolved from request parameters.")
        start, count = int(query.get("start", 0)), int(query.get("count", 10))
        found = self.roles.get(query.get("role", ""), [])[start : start + count]
        return JSONResponse({"elements": [
            {"organization": urn, "role": query["role"], "roleAssignee": PERSON_URN, "state": "APPROVED"}
            for urn in found
        ]})  # fmt: skip

    async def _organization(self, request: Request) -> Response:
        self.desk.require(request, "rw_organization_admin")
        name, vanity = PAGES[f"urn:li:organization:{request.path_params['id']}"]
        return JSONResponse({"id": request.path_params["id"], "localizedName": name, "vanityName": vanity})

    def _require_author(self, grant: Grant, author: str) -> None:
        as_person = author == f"urn:li:person:{grant.account}" and "w_member_social" in grant.scopes
        as_page = any(author in urns for urns in self.roles.values()) and "w_organization_social" in grant.scopes
        if not as_person and not as_page:
            raise _Refusal(403, "ACCESS_DENIED", f"Not enough permissions to act as {author}", serviceErrorCode=100)

    # ---- videos ---------------------------------------------------------------------------------------------

    async def _videos(self, request: Request) -> Response:
        grant = self.desk.require(request, "w_member_social", "w_organization_social")
        body = await request.json()
        match request.query_params.get("action"):
            case "initializeUpload":
                return self._begin(grant, body["initializeUploadRequest"])
            case "finalizeUpload":
                return self._seal(body["finalizeUploadRequest"])
        raise _Refusal(400, "ILLEGAL_ARGUMENT", "unknown action")

    def _begin(self, grant: Grant, wanted: Mapping[str, Any]) -> Response:
        self._require_author(grant, wanted["owner"])
        size = wanted["fileSizeBytes"]
        if not LEAST_BYTES <= size <= MOST_BYTES:
            raise _Refusal(400, "INVALID_REQUEST", f"fileSizeBytes {size} is not allowed")
        id = secrets.token_hex(8)
        ends_at = self.now() + ADDRESS_SECONDS
        video = _Video(f"urn:li:video:{id}", wanted["owner"], size, secrets.token_urlsafe(6), ends_at)
        self.videos[id] = video
        base = f"https://www.linkedin.com/dms-uploads/{id}"
        value = {
            "uploadUrlsExpireAt": int(ends_at * 1000), "video": video.urn, "uploadToken": video.token,
            "uploadInstructions": [
                {"uploadUrl": f"{base}/{number}?sig={video.token}", "firstByte": first, "lastByte": last}
                for number, (first, last) in enumerate(video.ranges)
            ],
        }  # fmt: skip
        if wanted.get("uploadThumbnail"):
            value["thumbnailUploadUrl"] = f"{base}/thumbnail?sig={video.token}"
        return JSONResponse({"value": value})

    def _addressed(self, request: Request) -> _Video:
        video = self.videos.get(request.path_params["id"])
        if video is None or request.query_params.get("sig") != video.token or self.now() > video.ends_at:
            raise _Refusal(403, "FORBIDDEN", "the upload address is not valid (any more)")
        if request.headers.get("Content-Type") != "application/octet-stream":
            raise _Refusal(400, "BAD_REQUEST", "Content-Type must be application/octet-stream")
        if "Authorization" in request.headers:
            raise _Refusal(400, "BAD_REQUEST", "an upload address is signed by itself")
        return video

    async def _part(self, request: Request) -> Response:
        video, number = self._addressed(request), request.path_params["part"]
        if number > len(video.etags) or number >= len(video.ranges):
            raise _Refusal(400, "BAD_REQUEST", "this fake takes parts in order only")
        first, last = video.ranges[number]
        length = last - first + 1
        again = number < len(video.etags)
        arrived = Arrived() if again else video.arrived.copy()
        try:
            taken = await take(request, arrived, length)
        except ValueError:
            taken = -1
        if taken != length:
            raise _Refusal(400, "BAD_REQUEST", f"part {number} must have exactly the bytes {first} to {last}")
        if not again:
            video.arrived = arrived
            video.etags.append(f"/ambry-video/{secrets.token_hex(6)}-{number}")
        return Response(status_code=200, headers={"ETag": f'"{video.etags[number]}"'})

    async def _thumbnail(self, request: Request) -> Response:
        video = self._addressed(request)
        if request.headers.get("media-type-family") != "STILLIMAGE" or not self.takes_thumbnails:
            raise _Refusal(400, "BAD_REQUEST", "this is no picture")
        video.thumbnail_bytes = await take(request, Arrived())
        return Response(status_code=201)

    def _seal(self, given: Mapping[str, Any]) -> Response:
        video = self._known(given["video"])
        if video.status != "WAITING_UPLOAD" or given["uploadToken"] != video.token:
            raise _Refusal(400, "INVALID_REQUEST", "this upload cannot be finalized")
        if given["uploadedPartIds"] != video.etags or len(video.etags) != len(video.ranges):
            raise _Refusal(400, "INVALID_REQUEST", "uploadedPartIds are not those of all parts in order")
        video.status = "PROCESSING"
        return Response(status_code=200)

    def _known(self, urn: str) -> _Video:
        video = self.videos.get(urn.rpartition(":")[2])
        if video is None:
            raise _Refusal(404, "NOT_FOUND", f"{urn} does not exist")
        return video

    async def _video(self, request: Request) -> Response:
        self.desk.require(request, "w_member_social", "w_organization_social")
        video = self._known(request.path_params["urn"])
        if video.status == "PROCESSING":
            video.polls -= 1
            if video.polls < 0:
                video.status = "PROCESSING_FAILED" if self.failure else "AVAILABLE"
        failure = {"processingFailureReason": self.failure} if video.status == "PROCESSING_FAILED" else {}
        return JSONResponse({"id": video.urn, "owner": video.owner, "status": video.status, **failure})

    # ---- posts ----------------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        grant = self.desk.require(request, "w_member_social", "w_organization_social")
        wanted = await request.json()
        self._require_author(grant, wanted["author"])
        if wanted.get("lifecycleState") != "PUBLISHED" or wanted.get("visibility") not in ("PUBLIC", "CONNECTIONS"):
            raise _Refusal(422, "UNPROCESSABLE_ENTITY", "lifecycleState or visibility is not allowed")
        if wanted["distribution"]["feedDistribution"] != "MAIN_FEED":
            raise _Refusal(422, "UNPROCESSABLE_ENTITY", "feedDistribution is not allowed")
        if len(wanted["commentary"]) > COMMENTARY_CHARACTERS:
            raise _Refusal(422, "UNPROCESSABLE_ENTITY", "commentary has more than 3000 characters")
        text = _plain(wanted["commentary"])
        media = wanted["content"]["media"]
        video = self._known(media["id"])
        if video.owner != wanted["author"]:
            raise _Refusal(403, "ACCESS_DENIED", "the video belongs to somebody else", serviceErrorCode=100)
        if video.status != "AVAILABLE":
            raise _Refusal(400, "MEDIA_ASSET_WAITING_UPLOAD", "the video is not available yet")
        before = next((one for one in self.posts.values() if (one.account, one.text) == (video.owner, text)), None)
        if before is not None and self.refuses_duplicates:
            raise _duplicate(before.id)
        urn = f"urn:li:ugcPost:{7000000000000000000 + len(self.posts)}{secrets.randbelow(1000):03}"
        self.posts[urn] = FakePost(
            urn, video.owner, text, video.arrived.sha256, video.arrived.size_bytes, self.now(),
            extra={
                "title": media.get("title"), "visibility": wanted["visibility"], "thumbnail": video.thumbnail_bytes,
                "no_reshares": wanted.get("isReshareDisabledByAuthor", False),
            },
        )  # fmt: skip
        return Response(status_code=201, headers={"x-restli-id": urn})

    async def _delete(self, request: Request) -> Response:
        self.desk.require(request, "w_member_social", "w_organization_social")
        if self.posts.pop(request.path_params["urn"], None) is None:
            raise _Refusal(404, "NOT_FOUND", "this post does not exist")
        return Response(status_code=204)


def _check_version(request: Request) -> None:
    version = request.headers.get("LinkedIn-Version")
    if version is None:
        raise _Refusal(
            400, "VERSION_MISSING",
            "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
        )  # fmt: skip
    if version < OLDEST_VERSION:
        raise _Refusal(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active")
    if request.headers.get("X-Restli-Protocol-Version") != "2.0.0":
        raise _Refusal(400, "ILLEGAL_ARGUMENT", "X-Restli-Protocol-Version must be 2.0.0")


def _plain(commentary: str) -> str:
    """The text as people see it.

    LinkedIn cuts it off at a special character that is not escaped; this fake refuses it.
    """
    text = _HASHTAG.sub(r"\\#\1", commentary)
    stray = next((found for found in _UNESCAPED.finditer(text) if found[1]), None)
    if stray is not None:
        raise _Refusal(422, "UNPROCESSABLE_ENTITY", f"{stray[0]!r} must be escaped in commentary")
    return re.sub(r"\\(.)", r"\1", text)


def _duplicate(urn: str) -> _Refusal:
    refusal = _Refusal(422, "", "")
    refusal.answer = JSONResponse({
        "errorDetailType": "com.linkedin.common.error.BadRequest",
        "message": "com.linkedin.content.common.exception.BadRequestResponseException: "
        f"Content is a duplicate of {urn}",
        "errorDetails": {"inputErrors": [
            {"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"},
        ]},
        "status": 422,
    }, 422)  # fmt: skip
    return refusal
