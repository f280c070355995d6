"""The AT Protocol as a publisher speaks it: calls by method name, sessions of an app password, and blobs."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import PublisherContext, Token
from video_manager.plugins.platform_http import LONGEST_WORDS, RATE_LIMIT_SECONDS, Api, file_bytes, words

_ENDED = frozenset({"ExpiredToken", "InvalidToken"})
"""Said with status 400: not the call is wrong, but the session is over."""
_NEEDS_PERSON = {
    "AccountTakedown": "Bluesky has taken the account down",
    "AccountDeactivated": "activate the account again",
    "AccountSuspended": "Bluesky has suspended the account",
    "AuthFactorTokenRequired": "enter an app password, not the account's own password",
    "AuthenticationRequired": "the app password is wrong or was revoked: make a new one and enter it",
    "AuthMissing": "connect the channel again",
}


ServerFault = Callable[[httpx.Response, datetime], WorkError | None]


class Xrpc:
    """Methods of one server. `signed` calls use the channel's session; another token may be given instead. `fault` is
    what its refusals ask for; None: as at every server (`fault_of`)."""

    def __init__(
        self, server: str, context: PublisherContext, app_password: str = "", fault: ServerFault | None = None
    ) -> None:
        self._base = f"{server.rstrip('/')}/xrpc"
        judge = fault or fault_of
        self._api = Api(
            context, "Bluesky", lambda answer: judge(answer, context.now()), is_refused=_is_refused,
            hidden=(app_password,) if app_password else (),
        )  # fmt: skip

    async def get(self, method: str, *, token: str | None = None, signed: bool = True, **params: Any) -> dict[str, Any]:
        return await self._json("GET", method, token, signed=signed, params=params)

    async def post(
        self, method: str, *, token: str | None = None, signed: bool = True, publishes: bool = False, **request: Any
    ) -> dict[str, Any]:
        """`request` is as for httpx, or a `stream` with its `headers`."""
        return await self._json("POST", method, token, signed=signed, publishes=publishes, **request)

    async def upload_blob(
        self, path: Path, content_type: str, size_bytes: int, sent: Callable[[int], None] = lambda _bytes: None
    ) -> dict[str, Any]:
        """The file's blob. It lives on by being named in a record, and only for a while without one."""
        answer = await self.post(
            "com.atproto.repo.uploadBlob", stream=file_bytes(path, sent=sent),
            headers={"Content-Type": content_type, "Content-Length": str(size_bytes)},
        )  # fmt: skip
        return blob_in(answer)

    async def _json(self, verb: str, method: str, token: str | None, **call: Any) -> dict[str, Any]:
        if token is not None:
            call["headers"] = {**call.get("headers", {}), "Authorization": f"Bearer {token}"}
            call["signed"] = False
        answer = await self._api.json(verb, f"{self._base}/{method}", **call)
        if not isinstance(answer, dict):
            raise RetryableError(f"Bluesky answered {method} with something else than an object")
        return answer


def blob_in(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The reference of a blob, as records name it. Raises RetryableError where the answer has none."""
    blob = answer.get("blob")
    if not isinstance(blob, dict) or not isinstance(blob.get("ref"), dict) or not blob["ref"].get("$link"):
        raise RetryableError("Bluesky took the bytes and named no blob")
    return blob


def cid_of(sha256: str) -> str:
    """The address of a blob with this hash (CID version 1, raw, sha2-256, base32)."""
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + bytes.fromhex(sha256)).decode().rstrip("=").lower()


# ---- the session ----------------------------------------------------------------------------------------


async def sign_in(xrpc: Xrpc, handle: str, app_password: str) -> Token:
    """30 of these are allowed in 5 minutes and 300 a day: sessions are kept and renewed."""
    return _session(
        await xrpc.post(
            "com.atproto.server.createSession", signed=False, json={"identifier": handle, "password": app_password}
        )
    )


async def renewed(xrpc: Xrpc, refresh: str) -> Token:
    """The next pair; the former is spent. Raises ActionRequiredError when the session is over."""
    return _session(await xrpc.post("com.atproto.server.refreshSession", token=refresh))


def _session(answer: Mapping[str, Any]) -> Token:
    try:
        access, refresh = str(answer["accessJwt"]), str(answer["refreshJwt"])
    except KeyError as error:
        raise RetryableError("Bluesky answered a session without tokens") from error
    return Token(access, _expiry(access), refresh, _expiry(refresh))


def _expiry(token: str) -> datetime | None:
    """When a token runs out, as it says itself. It is a hint only, so that its signature does not matter."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


# ---- refusals -------------------------------------------------------------------------------------------


def fault_of(answer: httpx.Response, now: datetime) -> WorkError | None:
    """What an answer that is no success asks for; None: what its status says."""
    code, said = words_of(answer)
    text = f"Bluesky answered {answer.status_code}: {said}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return LimitReached(text, _reset_seconds(answer, now))
    if code in _NEEDS_PERSON:
        return ActionRequiredError(f"{text}; {_NEEDS_PERSON[code]}")
    if code in _ENDED:
        return ActionRequiredError(f"{text}; connect the channel again")
    if code == "BlobNotFound":
        return RetryableError(f"{text}; the upload was kept for too short a time and is made again")
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return PermanentError(f"{text}; this server takes smaller videos only")
    return None


def words_of(answer: httpx.Response) -> tuple[str, str]:
    """The error's name, and the platform's words with it."""
    try:
        body = answer.json()
        code = str(body.get("error") or "")[:100]
        return code, ": ".join(part for part in (code, str(body.get("message") or "")) if part)[:LONGEST_WORDS]
    except (ValueError, AttributeError):
        return "", words(answer)


def _reset_seconds(answer: httpx.Response, now: datetime) -> float:
    reset = answer.headers.get("ratelimit-reset", "")
    if not reset.isdigit():
        after = answer.headers.get("Retry-After", "")
        return float(after) if after.isdigit() else RATE_LIMIT_SECONDS
    return max(float(reset) - now.timestamp(), 1.0)


def _is_refused(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.UNAUTHORIZED or (
        answer.status_code == httpx.codes.BAD_REQUEST and words_of(answer)[0] in _ENDED
    )
