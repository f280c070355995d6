"""LinkedIn's API, as far as a publisher uses it: sign-in, pages, videos in parts, posts.

Strict: the version header, a video that can be posted only when it is AVAILABLE and by its owner, texts whose special
characters are escaped, and the post's name in a header alone. How videos get there: `linkedin_videos.py`.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.desk import Desk, Grant, Refused
from video_manager.fakes.linkedin_videos import Refusal, VideoUploads
from video_manager.fakes.network import Fake, FakePost

PERSON, PERSON_NAME = "demo-person", "Demo Person"
PERSON_URN = f"urn:li:person:{PERSON}"
PAGES = {"urn:li:organization:1001": ("Demo Studio", "demo-studio"), "urn:li:organization:1002": ("Second", "second")}
OLDEST_VERSION = "202511"
COMMENTARY_CHARACTERS = 3000
TOKEN_SECONDS = 60 * 86400.0
_HASHTAG = re.compile(r"\{hashtag\|\\#\|(\w+)\}")
_UNESCAPED = re.compile(r"\\.|([<>#~_|\[\]*(){}@\\])", re.DOTALL)


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
        self.uploads = VideoUploads(now)

    def routes(self) -> Sequence[BaseRoute]:
        rest = "/rest"
        return [
            *self.desk.routes("/oauth/v2/authorization", "/oauth/v2/accessToken"),
            Route("/v2/userinfo", self._checked(self._userinfo, versioned=False)),
            Route(f"{rest}/organizationAcls", self._checked(self._acls)),
            Route(f"{rest}/organizations/{{id}}", self._checked(self._organization)),
            Route(f"{rest}/videos", self._checked(self._videos), methods=["POST"]),
            Route(f"{rest}/videos/{{urn}}", self._checked(self._video)),
            self._address("thumbnail", self.uploads.thumbnail, "PUT"),
            self._address("captions", self.uploads.captions, "POST"),
            self._address("{part:int}", self.uploads.part, "PUT"),
            Route(f"{rest}/posts", self._checked(self._post), methods=["POST"]),
            Route(f"{rest}/posts/{{urn}}", self._checked(self._delete), methods=["DELETE"]),
        ]

    def _address(self, name: str, answer: Any, method: str) -> Route:
        """One that `initializeUpload` gives for bytes."""
        return Route(f"/dms-uploads/{{id}}/{name}", self._checked(answer, versioned=False), methods=[method])

    def _checked(self, answer: Any, *, versioned: bool = True) -> Any:
        async def checked(request: Request) -> Response:
            try:
                if versioned:
                    _check_version(request)
                given: Response = await answer(request)
            except Refusal as refusal:
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
            raise Refusal(400, "ILLEGAL_ARGUMENT", "Resource method could not be resolved from request parameters.")
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
            raise Refusal(403, "ACCESS_DENIED", f"Not enough permissions to act as {author}", serviceErrorCode=100)

    # ---- videos ---------------------------------------------------------------------------------------------

    async def _videos(self, request: Request) -> Response:
        grant = self.desk.require(request, "w_member_social", "w_organization_social")
        body = await request.json()
        match request.query_params.get("action"):
            case "initializeUpload":
                wanted = body["initializeUploadRequest"]
                self._require_author(grant, wanted["owner"])
                return self.uploads.begin(wanted)
            case "finalizeUpload":
                return self.uploads.seal(body["finalizeUploadRequest"])
        raise Refusal(400, "ILLEGAL_ARGUMENT", "unknown action")

    async def _video(self, request: Request) -> Response:
        self.desk.require(request, "w_member_social", "w_organization_social")
        return self.uploads.show(request.path_params["urn"])

    # ---- posts ----------------------------------------------------------------------------------------------

    async def _post(self, request: Request) -> Response:
        grant = self.desk.require(request, "w_member_social", "w_organization_social")
        wanted = await request.json()
        self._require_author(grant, wanted["author"])
        if wanted.get("lifecycleState") != "PUBLISHED" or wanted.get("visibility") not in ("PUBLIC", "CONNECTIONS"):
            raise Refusal(422, "UNPROCESSABLE_ENTITY", "lifecycleState or visibility is not allowed")
        if wanted["distribution"]["feedDistribution"] != "MAIN_FEED":
            raise Refusal(422, "UNPROCESSABLE_ENTITY", "feedDistribution is not allowed")
        if len(wanted["commentary"]) > COMMENTARY_CHARACTERS:
            raise Refusal(422, "UNPROCESSABLE_ENTITY", "commentary has more than 3000 characters")
        text = _plain(wanted["commentary"])
        media = wanted["content"]["media"]
        video = self.uploads.known(media["id"])
        if video.owner != wanted["author"]:
            raise Refusal(403, "ACCESS_DENIED", "the video belongs to somebody else", serviceErrorCode=100)
        if video.status != "AVAILABLE":
            raise Refusal(400, "MEDIA_ASSET_WAITING_UPLOAD", "the video is not available yet")
        before = next((one for one in self.posts.values() if (one.account, one.text) == (video.owner, text)), None)
        if before is not None and self.refuses_duplicates:
            raise _duplicate(before.id)
        urn = f"urn:li:ugcPost:{7000000000000000000 + len(self.posts)}{secrets.randbelow(1000):03}"
        self.posts[urn] = FakePost(
            urn, video.owner, text, video.arrived.sha256, video.arrived.size_bytes, self.now(),
            extra={
                "title": media.get("title"), "visibility": wanted["visibility"],
                "thumbnail": video.arrived_extras.get("thumbnail"), "captions": video.arrived_extras.get("captions"),
                "no_reshares": wanted.get("isReshareDisabledByAuthor", False),
            },
        )  # fmt: skip
        return Response(status_code=201, headers={"x-restli-id": urn})

    async def _delete(self, request: Request) -> Response:
        self.desk.require(request, "w_member_social", "w_organization_social")
        if self.posts.pop(request.path_params["urn"], None) is None:
            raise Refusal(404, "NOT_FOUND", "this post does not exist")
        return Response(status_code=204)


def _check_version(request: Request) -> None:
    version = request.headers.get("LinkedIn-Version")
    if version is None:
        raise Refusal(
            400, "VERSION_MISSING",
            "A version must be present. Please specify a version by adding the LinkedIn-Version header.",
        )  # fmt: skip
    if version < OLDEST_VERSION:
        raise Refusal(426, "NONEXISTENT_VERSION", f"Requested version {version}01 is not active")
    if request.headers.get("X-Restli-Protocol-Version") != "2.0.0":
        raise Refusal(400, "ILLEGAL_ARGUMENT", "X-Restli-Protocol-Version must be 2.0.0")


def _plain(commentary: str) -> str:
    """The text as people see it.

    LinkedIn cuts it off at a special character that is not escaped; this fake refuses it.
    """
    text = _HASHTAG.sub(r"\\#\1", commentary)
    stray = next((found for found in _UNESCAPED.finditer(text) if found[1]), None)
    if stray is not None:
        raise Refusal(422, "UNPROCESSABLE_ENTITY", f"{stray[0]!r} must be escaped in commentary")
    return re.sub(r"\\(.)", r"\1", text)


def _duplicate(urn: str) -> Refusal:
    refusal = Refusal(422, "", "")
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
