"""A PeerTube server's API: signing in, the resumable upload, and the videos of the account."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import Post, PublisherContext, Token
from video_manager.plugins.platform_http import Api, file_bytes, retry_after, words

CHUNK_BYTES = 64 * 2**20
POLL_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 60.0
QUOTA_SECONDS = 3600.0
"""The server does not say when there is room again (a day's quota, or somebody makes room)."""
MOST_STALLS = 4
"""So often in a row a part may go wrong; then the ledger tries again later."""
PAGE = 100
MOST_PAGES = 20
PUBLISHED, TRANSCODING_FAILED, MOVE_FAILED = 1, 7, 8
"""Of the states that a video has."""
_STORED = re.compile(r"bytes=0-(\d+)")


class PeerTube:
    def __init__(self, server: str, context: PublisherContext) -> None:
        self._base = f"{server.rstrip('/')}/api/v1"
        self._context = context
        self._api = Api(context, "PeerTube", fault_of)

    # ---- signing in ---------------------------------------------------------------------------------------

    async def signed_in(self, refresh: str | None, username: str, password: str) -> Token:
        """By the refresh token, which works once, else by name and password."""
        client = await self._json("GET", "/oauth-clients/local", signed=False)
        app = {"client_id": client["client_id"], "client_secret": client["client_secret"]}
        if refresh is not None:
            try:
                return await self._token({**app, "grant_type": "refresh_token", "refresh_token": refresh})
            except (ActionRequiredError, PermanentError):
                self._context.log.info("the session at PeerTube has ended: signing in again")
        return await self._token({**app, "grant_type": "password", "username": username, "password": password})

    async def _token(self, form: Mapping[str, str]) -> Token:
        now = self._context.now()
        answer = await self._json("POST", "/users/token", signed=False, data=form)
        return token_of(answer, now)

    # ---- the account --------------------------------------------------------------------------------------

    async def me(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._json("GET", "/users/me")
        return found

    async def find(self, name: str, filename: str) -> str | None:
        """The video of ours that was made of a file of this name, whoever sees it."""
        for page in range(MOST_PAGES):
            window = {"start": page * PAGE, "count": PAGE, "sort": "-createdAt"}
            videos = (await self._json("GET", "/users/me/videos", params=window))["data"]
            for video in videos:
                if video["name"] == name.strip() and await self._source(video["uuid"]) == filename:
                    return str(video["uuid"])
            if len(videos) < PAGE:
                return None
        return None

    async def _source(self, id: str) -> str | None:
        answer = await self._api.call("GET", f"{self._base}/videos/{id}/source", ok={200, 404})
        source = answer.json() if answer.status_code == 200 else {}
        return source.get("inputFilename") or source.get("filename")

    # ---- videos -------------------------------------------------------------------------------------------

    async def video(self, id: str) -> dict[str, Any] | None:
        """None when there is no such video (any more)."""
        answer = await self._api.call("GET", f"{self._base}/videos/{quote(id)}", ok={200, 404})
        return None if answer.status_code == 404 else answer.json()

    async def processed(self, id: str) -> None:
        """Until it can be watched. Raises PermanentError when the server could not make use of it."""
        while True:
            video = await self.video(id)
            if video is None:
                raise RetryableError("PeerTube does not know the uploaded video any more: it is uploaded again")
            state = video["state"]["id"]
            if state == PUBLISHED:
                return
            if state in (TRANSCODING_FAILED, MOVE_FAILED):
                raise PermanentError(f"PeerTube could not process the video: {str(video['state'].get('label'))[:200]}")
            self._context.progress(0.95, "PeerTube processes the video")
            await self._context.sleep(POLL_SECONDS)

    async def change(self, id: str, fields: Mapping[str, Any], *, publishes: bool = False) -> None:
        """`fields` as httpx takes the parts of a form with files."""
        await self._api.call("PUT", f"{self._base}/videos/{quote(id)}", files=fields, publishes=publishes)

    async def schedule(self, id: str, at: datetime | None, privacy: int, *, publishes: bool = False) -> None:
        """The server sets that privacy at that time; None takes back what it was told before. A body of JSON, as only
        there a value can be null."""
        wanted = None
        if at is not None:
            wanted = {"updateAt": at.astimezone(UTC).isoformat(timespec="milliseconds"), "privacy": privacy}
        address = f"{self._base}/videos/{quote(id)}"
        await self._api.call("PUT", address, json={"scheduleUpdate": wanted}, publishes=publishes)

    async def caption(self, id: str, language: str, name: str, content: bytes) -> None:
        address = f"{self._base}/videos/{quote(id)}/captions/{quote(language)}"
        await self._api.call("PUT", address, files={"captionfile": (name, content)})

    async def delete(self, id: str) -> None:
        await self._api.call("DELETE", f"{self._base}/videos/{quote(id)}", ok={200, 204, 404})

    # ---- the resumable upload (uploadx) -------------------------------------------------------------------

    async def begin(self, post: Post, body: Mapping[str, Any]) -> str:
        """A session's id. It lives for an hour after its last chunk."""
        answer = await self._api.call(
            "POST", f"{self._base}/videos/upload-resumable", json=body, ok={200, 201},
            headers={"X-Upload-Content-Length": str(post.video_bytes), "X-Upload-Content-Type": post.video_type},
        )  # fmt: skip
        ids = parse_qs(urlsplit(answer.headers.get("Location", "")).query).get("upload_id")
        if not ids:
            raise RetryableError("PeerTube began an upload and did not say where it goes")
        return str(ids[0])

    async def send(self, session: str, post: Post, *, begun: bool) -> str | None:
        """The bytes that are missing, and then the video's id. None: the session is gone (finished, or too old).

        Of a session that had `begun`, and after every connection that breaks, the server is asked where it stands."""
        answer = await self._where(session, post.video_bytes) if begun else None
        at = stalls = 0
        while answer is None or answer.status_code in (308, 503):
            if answer is not None and answer.status_code == 503:
                self._context.progress(0.9, "PeerTube takes the video in")
                await self._context.sleep(min(retry_after(answer) or POLL_SECONDS, LONGEST_WAIT_SECONDS))
                answer = await self._where(session, post.video_bytes)
                continue
            reached = 0 if answer is None else stored(answer)
            stalls, at = (0 if reached > at else stalls + 1), reached
            if stalls > MOST_STALLS:
                raise RetryableError(f"PeerTube takes no more of the upload after {at} bytes")
            try:
                answer = await self._chunk(session, post, at)
            except LimitReached:
                raise
            except RetryableError:
                await self._context.sleep(POLL_SECONDS)
                answer = await self._where(session, post.video_bytes)
        return None if answer.status_code == 404 else str(answer.json()["video"]["uuid"])

    async def _where(self, session: str, total: int) -> httpx.Response:
        headers = {"Content-Range": f"bytes */{total}", "Content-Length": "0"}
        return await self._put(session, headers)

    async def _chunk(self, session: str, post: Post, at: int) -> httpx.Response:
        total = post.video_bytes
        length = min(CHUNK_BYTES, total - at)
        if length <= 0:
            return await self._where(session, total)
        headers = {
            "Content-Range": f"bytes {at}-{at + length - 1}/{total}", "Content-Length": str(length),
            "Content-Type": "application/octet-stream",
        }  # fmt: skip

        def sent(done: int) -> None:
            self._context.progress(0.9 * (at + done) / total, "uploading")

        return await self._put(session, headers, stream=file_bytes(post.video, at, length, sent))

    async def _put(self, session: str, headers: Mapping[str, str], **call: Any) -> httpx.Response:
        address = f"{self._base}/videos/upload-resumable?upload_id={quote(session)}"
        return await self._api.call("PUT", address, headers=headers, ok={200, 308, 404, 503}, **call)

    async def _json(self, method: str, path: str, **call: Any) -> Any:
        return await self._api.json(method, f"{self._base}{path}", **call)


def stored(answer: httpx.Response) -> int:
    """How many bytes the session has. With none the server says `bytes=0--1`, or nothing."""
    found = _STORED.fullmatch(answer.headers.get("Range", ""))
    return int(found[1]) + 1 if found else 0


async def content_of(path: Path) -> bytes:
    """Of a small file: a thumbnail, captions."""
    return await asyncio.to_thread(path.read_bytes)


def token_of(answer: Mapping[str, Any], now: datetime) -> Token:
    def later(name: str) -> datetime | None:
        return now + timedelta(seconds=float(answer[name])) if answer.get(name) else None

    return Token(
        access=str(answer["access_token"]), refresh=answer.get("refresh_token"), expires_at=later("expires_in"),
        refresh_expires_at=later("refresh_token_expires_in"),
    )  # fmt: skip


def fault_of(answer: httpx.Response) -> WorkError | None:
    """What an error of PeerTube asks for; `code` names it."""
    status = answer.status_code
    text = f"PeerTube answered {status}: {words(answer)}"
    if 300 <= status < 400:
        return PermanentError(f"{text}; enter the address that the server has at the end")
    code = _code(answer)
    if code == "quota_reached":
        return LimitReached(f"{text}; the account's quota is used up", QUOTA_SECONDS)
    if code in ("invalid_grant", "account_waiting_for_approval", "account_approval_rejected"):
        return ActionRequiredError(f"{text}; check the user name and the password, and connect the channel again")
    if code in ("missing_two_factor", "invalid_two_factor"):
        return ActionRequiredError(f"{text}; use an account without two-factor sign-in, with rights to that channel")
    return RetryableError(text) if status == 409 else None


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code") or "")
    except (ValueError, AttributeError):
        return ""
