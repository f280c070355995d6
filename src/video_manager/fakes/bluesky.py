"""Bluesky: an account's server (sessions, blobs, records), as far as a publisher uses it, and the video service beside
it (`bluesky_video.py`)."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bluesky_rules import COLLECTION, Wrong, check_key, check_record, taken
from video_manager.fakes.bluesky_video import VIDEO_HOST, VideoService
from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.network import Fake, FakePost

DID = "did:plc:demo7demo7demo7demo7demo7"
HANDLE = "demo.bsky.social"
APP_PASSWORD = "demo-demo-demo-demo"  # noqa: S105 - of a fake
PDS = "https://morel.us-east.host.bsky.network"
ACCESS_SECONDS, REFRESH_SECONDS = 7200, 90 * 86_400
MOST_BLOB_BYTES = 50 * 2**20
SIGN_INS = (30, 300.0)
POINTS = (5000, 3600.0)


class BlueskyFake(Fake):
    name: ClassVar[str] = "bluesky"
    hosts: ClassVar[tuple[str, ...]] = ("bsky.social", VIDEO_HOST)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.did, self.host = DID, PDS.removeprefix("https://")
        self.app_password = APP_PASSWORD
        self.email_confirmed = True
        self.blobs: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}
        self._permits: dict[str, tuple[str, str, float]] = {}
        self._sign_ins: list[float] = []
        self._spent: list[tuple[float, int]] = []
        self.video = VideoService(self)

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/xrpc/{method}", self._call, methods=["GET", "POST"])]

    async def _call(self, request: Request) -> Response:
        try:
            return JSONResponse(await self._method(request)(request))
        except Wrong as wrong:
            body = {"error": wrong.code, "message": wrong.message, **wrong.more}
            return JSONResponse(body, wrong.status, headers=wrong.headers)

    def _method(self, request: Request) -> Any:
        on_video = request.scope["fake_host"] == VIDEO_HOST
        known = self.video.methods() if on_video else self._of_server()
        verb, method = known.get(request.path_params["method"], ("", None))
        if method is None:
            raise Wrong(501, "MethodNotImplemented", "Method Not Implemented")
        if verb != request.method:
            raise Wrong(405, "InvalidRequest", f"Incorrect HTTP method, expected {verb}")
        return method

    def _of_server(self) -> dict[str, Any]:
        return {
            "com.atproto.server.createSession": ("POST", self._create_session),
            "com.atproto.server.refreshSession": ("POST", self._refresh_session),
            "com.atproto.server.getSession": ("GET", self._get_session),
            "com.atproto.server.getServiceAuth": ("GET", self._service_auth),
            "com.atproto.repo.uploadBlob": ("POST", self._upload_blob),
            "com.atproto.repo.createRecord": ("POST", self._create_record),
            "com.atproto.repo.getRecord": ("GET", self._get_record),
            "com.atproto.repo.deleteRecord": ("POST", self._delete_record),
        }

    # ---- sessions -------------------------------------------------------------------------------------------

    async def _create_session(self, request: Request) -> dict[str, Any]:
        given = await request.json()
        most, seconds = SIGN_INS
        recent = [at for at in self._sign_ins if self.now() - at < seconds]
        if len(recent) >= most:
            raise _limited(recent[0] + seconds)
        self._sign_ins = [*recent, self.now()]
        if given.get("identifier") not in (HANDLE, DID) or given.get("password") != self.app_password:
            raise Wrong(401, "AuthenticationRequired", "Invalid identifier or password")
        return self._session()

    async def _refresh_session(self, request: Request) -> dict[str, Any]:
        token = _bearer(request)
        if self.now() >= self._refresh.pop(token, 0.0):
            raise Wrong(400, "ExpiredToken", "Token has been revoked")
        return self._session()

    def _session(self) -> dict[str, Any]:
        access, refresh = self._token(self._access, ACCESS_SECONDS), self._token(self._refresh, REFRESH_SECONDS)
        return {"accessJwt": access, "refreshJwt": refresh, "handle": HANDLE, "did": DID, "active": True}

    def _token(self, kept: dict[str, float], seconds: float) -> str:
        until = self.now() + seconds
        claims = json.dumps({"sub": DID, "exp": int(until)}).encode()
        token = f"e30.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{secrets.token_urlsafe(16)}"
        kept[token] = until
        return token

    def end_sessions(self) -> None:
        """The person has revoked the app password, or the server has forgotten."""
        self._access.clear()
        self._refresh.clear()

    def _require(self, request: Request) -> None:
        token = _bearer(request)
        until = self._access.get(token)
        if until is None:
            raise Wrong(400, "InvalidToken", "Token could not be verified")
        if self.now() >= until:
            raise Wrong(400, "ExpiredToken", "Token has expired")

    async def _get_session(self, request: Request) -> dict[str, Any]:
        self._require(request)
        service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": PDS}
        return {
            "handle": HANDLE, "did": DID, "email": "demo@example.org", "emailConfirmed": self.email_confirmed,
            "active": True, "didDoc": {"id": DID, "service": [service]},
        }  # fmt: skip

    async def _service_auth(self, request: Request) -> dict[str, Any]:
        self._require(request)
        query = request.query_params
        exp = float(query.get("exp", self.now() + 60))
        if exp <= self.now():
            raise Wrong(400, "BadExpiration", "expiration is in past")
        if exp > self.now() + 3600:
            raise Wrong(
                400, "BadExpiration", "cannot request a token with an expiration more than an hour in the future"
            )
        permit = secrets.token_urlsafe(24)
        self._permits[permit] = (query["aud"], query.get("lxm", ""), exp)
        return {"token": permit}

    def permitted(self, request: Request, audience: str, method: str) -> None:
        """Raises Wrong unless it is called with a permit of this account for that service and method."""
        known = self._permits.get(_bearer(request))
        if known is None or known[:2] != (audience, method) or self.now() >= known[2]:
            raise Wrong(401, "AuthenticationRequired", f"a service token for {method} at {audience} is needed")

    # ---- blobs and records ----------------------------------------------------------------------------------

    async def _upload_blob(self, request: Request) -> dict[str, Any]:
        self._require(request)
        arrived = await taken(request, MOST_BLOB_BYTES)
        return {"blob": self.keep(arrived, request.headers.get("content-type", "application/octet-stream"))}

    def keep(self, arrived: Arrived, mime_type: str) -> dict[str, Any]:
        """The blob of what has arrived, from now on in this account's server."""
        cid = "b" + base64.b32encode(b"\x01\x55\x12\x20" + bytes.fromhex(arrived.sha256)).decode().rstrip("=").lower()
        blob = {"$type": "blob", "ref": {"$link": cid}, "mimeType": mime_type, "size": arrived.size_bytes}
        self.blobs[cid] = {"blob": blob, "sha256": arrived.sha256}
        return blob

    async def _create_record(self, request: Request) -> dict[str, Any]:
        self._require(request)
        given = await request.json()
        repo, collection, key, record = (given.get(name) for name in ("repo", "collection", "rkey", "record"))
        if repo not in (DID, HANDLE):
            raise Wrong(401, "AuthenticationRequired", "Authentication Required")
        if collection != COLLECTION or not isinstance(record, dict):
            raise Wrong(400, "InvalidRequest", "Input must be a post")
        self._spend(3)
        key = check_key(key)
        check_record(record, self.blobs)
        uri = f"at://{DID}/{collection}/{key}"
        if uri in self.records:
            # Not a 409: the server runs into its own index.
            raise Wrong(500, "InternalServerError", "Internal Server Error")
        cid = _cid_of_record(record)
        self.records[uri] = {"uri": uri, "cid": cid, "value": record}
        video = record["embed"]["video"]
        self.posts[uri] = FakePost(
            uri, DID, record["text"], self.blobs[video["ref"]["$link"]]["sha256"], video["size"], self.now(),
            extra={"record": record},
        )  # fmt: skip
        return {"uri": uri, "cid": cid, "validationStatus": "valid"}

    def _spend(self, points: int) -> None:
        most, seconds = POINTS
        self._spent = [(at, spent) for at, spent in self._spent if self.now() - at < seconds]
        if sum(spent for _, spent in self._spent) + points > most:
            raise _limited(self._spent[0][0] + seconds)
        self._spent.append((self.now(), points))

    async def _get_record(self, request: Request) -> dict[str, Any]:
        query = request.query_params
        uri = f"at://{query.get('repo')}/{query.get('collection')}/{query.get('rkey')}"
        if uri not in self.records:
            raise Wrong(400, "RecordNotFound", f"Could not locate record: {uri}")
        return self.records[uri]

    async def _delete_record(self, request: Request) -> dict[str, Any]:
        self._require(request)
        given = await request.json()
        uri = f"at://{given.get('repo')}/{given.get('collection')}/{given.get('rkey')}"
        self.records.pop(uri, None)  # one that is not there is no error
        self.posts.pop(uri, None)
        return {}


def _bearer(request: Request) -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind != "Bearer" or not token:
        raise Wrong(401, "AuthMissing", "Authentication Required")
    return token


def _limited(until: float) -> Wrong:
    headers = {"ratelimit-limit": "1", "ratelimit-remaining": "0", "ratelimit-reset": str(int(until) + 1)}
    return Wrong(429, "RateLimitExceeded", "Rate Limit Exceeded", headers=headers)


def _cid_of_record(record: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).digest()
    return "b" + base64.b32encode(b"\x01\x71\x12\x20" + digest).decode().rstrip("=").lower()
