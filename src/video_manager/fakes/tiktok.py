"""TikTok's Content Posting API: creator_info, init (direct and inbox), chunked upload, status; and signing in.

Strict about chunks (count rounded down, 5 to 64 MB, the last up to 128 MB, in order), privacy levels, the life of
upload addresses, and calls a minute.
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
from video_manager.fakes.desk import Desk, Refused
from video_manager.fakes.network import Fake, FakePost

ACCOUNT = "-000demo_open_id"
NICKNAME, USERNAME = "Demo creator", "demo_creator"
SCOPES = ("user.info.basic", "video.publish", "video.upload", "video.list", "user.info.stats")
PRIVACY_LEVELS = ("PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY")
SMALLEST_CHUNK, LARGEST_CHUNK, LARGEST_LAST_CHUNK, MOST_CHUNKS = 5 * 10**6, 64 * 10**6, 128 * 10**6, 1000
MOST_BYTES = 4 * 10**9
TITLE_UNITS = 2200
ADDRESS_SECONDS = 3600.0
A_MINUTE = {"creator": 20, "init": 6, "status": 30}
POSTS_A_DAY, DRAFTS_A_DAY = 15, 5
DAY_SECONDS = 86_400.0
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_TYPES = ("video/mp4", "video/quicktime", "video/webm")
_TOGGLES = (
    "disable_duet", "disable_comment", "disable_stitch", "brand_content_toggle", "brand_organic_toggle", "is_aigc"
)  # fmt: skip


@dataclass
class Upload:
    """One publish_id. `info` is the post's; None: a draft for the inbox."""

    id: str
    account: str
    info: Mapping[str, Any] | None
    size: int
    chunk: int
    chunks: int
    until: float
    """When its address dies."""
    done: int = 0
    """How many chunks are there."""
    looks: int = 0
    """How often its status was asked for since all bytes are there."""
    arrived: Arrived = field(default_factory=Arrived)
    post_id: str = ""
    failed: str = ""

    @property
    def complete(self) -> bool:
        return self.done == self.chunks


class TikTokFake(Fake):
    """`audited` False: the app's posts are for the account alone. `private` is the account's own setting. With
    `fail_reason` TikTok gives up on the next complete upload."""

    name: ClassVar[str] = "tiktok"
    hosts: ClassVar[tuple[str, ...]] = ("www.tiktok.com", "open.tiktokapis.com", "open-upload.tiktokapis.com")

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.desk = Desk(
            now, {ACCOUNT: NICKNAME}, access_seconds=DAY_SECONDS, rotates=True, client_id_name="client_key",
            scope_separator=",", also=lambda grant: {"open_id": grant.account, "refresh_expires_in": 365 * 86_400},
        )  # fmt: skip
        self.audited = True
        self.private = False
        self.privacy_levels: Sequence[str] = PRIVACY_LEVELS
        self.comment_disabled = False
        self.most_seconds = 600
        self.fail_reason = ""
        self.looks_until_complete = 1
        self.uploads: dict[str, Upload] = {}
        self._addresses: dict[str, Upload] = {}
        self._asked: dict[tuple[str, str], list[float]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        post = "/v2/post/publish"
        return [
            *self.desk.routes("/v2/auth/authorize/", "/v2/oauth/token/"),
            Route("/v2/user/info/", self._user, methods=["GET"]),
            Route(f"{post}/creator_info/query/", self._creator, methods=["POST"]),
            Route(f"{post}/video/init/", self._init_direct, methods=["POST"]),
            Route(f"{post}/inbox/video/init/", self._init_inbox, methods=["POST"]),
            Route(f"{post}/status/fetch/", self._status, methods=["POST"]),
            Route("/video/", self._upload, methods=["PUT"]),
        ]

    # ---- the account ------------------------------------------------------------------------------------

    async def _user(self, request: Request) -> Response:
        try:
            grant = self.desk.require(request, "user.info.basic")
        except Refused as refused:
            return _refused(refused)
        known = {"open_id": grant.account, "display_name": NICKNAME, "avatar_url": "https://p16.tiktokcdn.com/demo"}
        wanted = request.query_params.get("fields", "").split(",")
        if not set(wanted) <= set(known):
            return _error(400, "invalid_params", "fields are not known")
        return _ok({"user": {name: known[name] for name in wanted}})

    async def _creator(self, request: Request) -> Response:
        try:
            account = self._caller(request, "creator", "video.publish")
        except Refused as refused:
            return _refused(refused)
        if self._today("posts", account) >= POSTS_A_DAY:
            return _error(200, "spam_risk_too_many_posts", "the creator made too many posts today")
        return _ok({
            "creator_avatar_url": "https://p16.tiktokcdn.com/demo", "creator_username": USERNAME,
            "creator_nickname": NICKNAME, "privacy_level_options": list(self.privacy_levels),
            "comment_disabled": self.comment_disabled, "duet_disabled": False, "stitch_disabled": False,
            "max_video_post_duration_sec": self.most_seconds,
        })  # fmt: skip

    def _caller(self, request: Request, kind: str, *scopes: str) -> str:
        """Who calls; raises Refused, also (429) when these calls come too fast."""
        account = self.desk.require(request, *scopes).account
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            raise Refused(400, "the Content-Type must be application/json")
        recent = [at for at in self._asked.get((kind, account), []) if self.now() - at < 60]
        if len(recent) >= A_MINUTE[kind]:
            raise Refused(429, f"more than {A_MINUTE[kind]} a minute")
        self._asked[kind, account] = [*recent, self.now()]
        return account

    def _today(self, kind: str, account: str) -> int:
        return len([at for at in self._asked.get((kind, account), []) if self.now() - at < DAY_SECONDS])

    # ---- beginning --------------------------------------------------------------------------------------

    async def _init_direct(self, request: Request) -> Response:
        try:
            account = self._caller(request, "init", "video.publish")
        except Refused as refused:
            return _refused(refused)
        body = await request.json()
        info = body.get("post_info")
        if not isinstance(info, dict):
            return _error(400, "invalid_params", "post_info is missing")
        fault = self._fault_of_post(info)
        if fault:
            return _error(*fault)
        if not self.audited and not (self.private and info["privacy_level"] == "SELF_ONLY"):
            code = "unaudited_client_can_only_post_to_private_accounts"
            return _error(403, code, "see the content sharing guidelines")
        if self._today("posts", account) >= POSTS_A_DAY:
            return _error(200, "spam_risk_too_many_posts", "the creator made too many posts today")
        return self._begin(account, body, info)

    async def _init_inbox(self, request: Request) -> Response:
        try:
            account = self._caller(request, "init", "video.upload")
        except Refused as refused:
            return _refused(refused)
        if self._today("drafts", account) >= DRAFTS_A_DAY:
            return _error(403, "spam_risk_too_many_pending_share", "too many drafts wait in the inbox")
        body = await request.json()
        if "post_info" in body:
            return _error(400, "invalid_params", "an inbox upload takes no post_info")
        return self._begin(account, body, None)

    def _fault_of_post(self, info: Mapping[str, Any]) -> tuple[int, str, str] | None:
        if info.get("privacy_level") not in self.privacy_levels:
            return 403, "privacy_level_option_mismatch", "privacy_level is none of the creator's options"
        if len(str(info.get("title", "")).encode("utf-16-le")) // 2 > TITLE_UNITS:
            return 400, "invalid_params", "title is too long"
        if not all(isinstance(info.get(name, False), bool) for name in _TOGGLES):
            return 400, "invalid_params", "the toggles must be true or false"
        if self.comment_disabled and not info.get("disable_comment"):
            return 400, "invalid_params", "the creator has disabled comments"
        return None

    def _begin(self, account: str, body: Mapping[str, Any], info: Mapping[str, Any] | None) -> Response:
        source = body.get("source_info", {})
        size, chunk, count = (source.get(name) for name in ("video_size", "chunk_size", "total_chunk_count"))
        if source.get("source") != "FILE_UPLOAD" or not all(isinstance(one, int) for one in (size, chunk, count)):
            return _error(400, "invalid_params", "source_info is not complete")
        fault = fault_of_chunks(size, chunk, count)
        if fault:
            return _error(400, "invalid_params", fault)
        id = f"v_{'pub' if info is not None else 'inbox'}_file~v2-1.{secrets.randbelow(10**19)}"
        upload = Upload(id, account, info, size, chunk, count, self.now() + ADDRESS_SECONDS)
        token = secrets.token_urlsafe(24)
        self.uploads[id] = self._addresses[token] = upload
        address = f"https://open-upload.tiktokapis.com/video/?upload_id={len(self.uploads)}&upload_token={token}"
        return _ok({"publish_id": id, "upload_url": address})

    # ---- the bytes --------------------------------------------------------------------------------------

    async def _upload(self, request: Request) -> Response:
        upload = self._addresses.get(request.query_params.get("upload_token", ""))
        if upload is None:
            return Response("unknown upload", 404)
        if self.now() >= upload.until:
            return Response("the upload address has expired", 403)
        if upload.complete:
            return Response("the upload is complete", 400)
        if request.headers.get("Content-Type") not in _TYPES:
            return Response("Content-Type is none of a video", 400)
        start = upload.done * upload.chunk
        end = upload.size if upload.done == upload.chunks - 1 else start + upload.chunk
        given = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        if given is None or tuple(map(int, given.groups())) != (start, end - 1, upload.size):
            return Response(f"expected bytes {start}-{end - 1}/{upload.size}", 416)
        if request.headers.get("Content-Length") != str(end - start):
            return Response("Content-Length is not that of the range", 400)
        # A chunk counts when it is whole: what came of a broken one is forgotten.
        trial = upload.arrived.copy()
        if await take(request, trial, end - start) != end - start:
            return Response("the chunk is not whole", 400)
        upload.arrived, upload.done = trial, upload.done + 1
        last = upload.done == upload.chunks
        if last:
            self._complete(upload)
        return Response(status_code=201 if last else 206, headers={"Content-Range": f"bytes 0-{end - 1}/{upload.size}"})

    def _complete(self, upload: Upload) -> None:
        """From here on TikTok does the rest by itself."""
        if self.fail_reason:
            upload.failed, self.fail_reason = self.fail_reason, ""
            return
        kind = "posts" if upload.info is not None else "drafts"
        self._asked.setdefault((kind, upload.account), []).append(self.now())
        if upload.info is None:
            return
        upload.post_id = str(7_000_000_000_000_000_000 + secrets.randbelow(10**18))
        public = upload.info["privacy_level"] == "PUBLIC_TO_EVERYONE"
        self.posts[upload.post_id] = FakePost(
            upload.post_id, upload.account, str(upload.info.get("title", "")), upload.arrived.sha256,
            upload.arrived.size_bytes, self.now(), public=public, extra=dict(upload.info),
        )  # fmt: skip

    # ---- what became of it ------------------------------------------------------------------------------

    async def _status(self, request: Request) -> Response:
        try:
            account = self._caller(request, "status", "video.publish", "video.upload")
        except Refused as refused:
            return _refused(refused)
        upload = self.uploads.get(str((await request.json()).get("publish_id")))
        if upload is None or upload.account != account:
            return _error(400, "invalid_publish_id", "The publish_id does not exist")
        data: dict[str, Any] = {"status": "PROCESSING_UPLOAD", "publicaly_available_post_id": []}
        data["uploaded_bytes"] = upload.arrived.size_bytes
        if upload.complete:
            upload.looks += 1
        if upload.complete and upload.looks > self.looks_until_complete:
            data |= self._outcome(upload)
        return _ok(data)

    def _outcome(self, upload: Upload) -> dict[str, Any]:
        if upload.failed:
            return {"status": "FAILED", "fail_reason": upload.failed}
        if upload.info is None:
            return {"status": "SEND_TO_USER_INBOX"}
        # The id of a public post is told when it has been moderated, that of another one never.
        moderated = upload.looks > self.looks_until_complete + 1 and self.posts[upload.post_id].public
        return {
            "status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [int(upload.post_id)] if moderated else []
        }  # fmt: skip


def fault_of_chunks(size: int, chunk: int, count: int) -> str | None:
    """What TikTok's rules say against cutting a file in this way."""
    if not 0 < size <= MOST_BYTES:
        return "video_size is invalid"
    if size < SMALLEST_CHUNK:
        return None if (chunk, count) == (size, 1) else "a video below 5 MB is one chunk"
    if not SMALLEST_CHUNK <= chunk <= LARGEST_CHUNK:
        return "chunk_size is invalid"
    if count != size // chunk or not 1 <= count <= MOST_CHUNKS:
        return "total_chunk_count is invalid"
    if size > LARGEST_CHUNK and count < 2:
        return "a video above 64 MB is several chunks"
    return "the last chunk is too large" if size - (count - 1) * chunk > LARGEST_LAST_CHUNK else None


def _ok(data: Any) -> Response:
    return _answer(200, data, "ok", "")


def _error(status: int, code: str, message: str) -> Response:
    return _answer(status, {}, code, message)


def _answer(status: int, data: Any, code: str, message: str) -> Response:
    error = {"code": code, "message": message, "log_id": secrets.token_hex(16).upper()}
    return JSONResponse({"data": data, "error": error}, status)


def _refused(refused: Refused) -> Response:
    codes = {401: "access_token_invalid", 403: "scope_not_authorized", 429: "rate_limit_exceeded"}
    return _error(refused.status, codes.get(refused.status, "invalid_params"), refused.reason)
