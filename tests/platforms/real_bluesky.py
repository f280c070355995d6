"""A real Bluesky server behind the network of fakes, so that its calls can be counted, broken and killed around too."""

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from tests.platforms.case import Case

from video_manager.fakes.network import Fake, FakePost

HOST = "pds.example"
_SECONDS = 60.0
_HOP = frozenset({"host", "connection", "transfer-encoding", "content-encoding"})


@dataclass(frozen=True)
class RealAccount:
    """An account of its own on that server, with an app password."""

    server: str
    did: str
    handle: str
    app_password: str

    def get(self, method: str, **params: str) -> httpx.Response:
        return httpx.get(f"{self.server}/xrpc/{method}", params=params, timeout=_SECONDS)

    def records(self) -> list[dict[str, Any]]:
        found = self.get("com.atproto.repo.listRecords", repo=self.did, collection="app.bsky.feed.post", limit="100")
        records: list[dict[str, Any]] = found.raise_for_status().json()["records"]
        return records

    def blob(self, cid: str) -> bytes:
        return self.get("com.atproto.sync.getBlob", did=self.did, cid=cid).raise_for_status().content


def new_account(server: str) -> RealAccount:
    handle = f"t{uuid.uuid4().hex[:12]}.test"
    given = {"handle": handle, "email": f"{handle}@example.org", "password": "the-account's-own"}
    made = httpx.post(f"{server}/xrpc/com.atproto.server.createAccount", json=given, timeout=_SECONDS)
    session = made.raise_for_status().json()
    password = httpx.post(
        f"{server}/xrpc/com.atproto.server.createAppPassword", json={"name": "video-manager"}, timeout=_SECONDS,
        headers={"Authorization": f"Bearer {session['accessJwt']}"},
    )  # fmt: skip
    return RealAccount(server, session["did"], handle, password.raise_for_status().json()["password"])


def case_of(account: RealAccount, video_bytes: int) -> Case:
    """The account as a platform of the shared proofs."""

    class Server(Fake):
        name: ClassVar[str] = "bluesky"
        hosts: ClassVar[tuple[str, ...]] = (HOST,)

        def routes(self) -> list[BaseRoute]:
            return [Route("/xrpc/{method}", self._forward, methods=["GET", "POST"])]

        async def _forward(self, request: Request) -> Response:
            headers = {name: value for name, value in request.headers.items() if name not in _HOP}
            method = request.path_params["method"]
            async with httpx.AsyncClient(timeout=_SECONDS) as client:
                answer = await client.request(
                    request.method, f"{account.server}/xrpc/{method}", params=request.query_params, headers=headers,
                    content=request.stream() if request.method == "POST" else None,
                )  # fmt: skip
            kept = {name: value for name, value in answer.headers.items() if name not in _HOP}
            return Response(answer.content, answer.status_code, kept)

        def public_posts(self, text: str = "") -> list[FakePost]:
            return [_post_of(account, one) for one in account.records() if text in one["value"]["text"]]

    return Case(
        "bluesky", Server, calls=4, options={"handle": account.handle, "service": f"https://{HOST}"},
        secrets={"app_password": account.app_password}, account_id=account.did,
        facts={"did": account.did, "handle": account.handle, "pds": account.server}, video_bytes=video_bytes,
    )  # fmt: skip


def _post_of(account: RealAccount, record: dict[str, Any]) -> FakePost:
    value = record["value"]
    content = account.blob(value["embed"]["video"]["ref"]["$link"])
    return FakePost(
        record["uri"], account.did, value["text"], hashlib.sha256(content).hexdigest(), len(content), 0.0,
        extra={"record": value},
    )  # fmt: skip
