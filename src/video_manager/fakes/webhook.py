"""A receiver as docs/platforms/webhook.md asks for one: it verifies signatures, wants the very bytes that were offered,
and acts once on each id."""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived, take
from video_manager.fakes.network import Fake, FakePost

HOST = "receiver.example"
URL = f"https://{HOST}/videos"
SECRET = "whsec_ZGVtby1zZWNyZXQtb2YtdGhlLWZha2UtcmVjZWl2ZXI="  # noqa: S105 - of a fake


@dataclass
class Offer:
    facts: Mapping[str, Any]
    tokens: dict[str, str]
    """By the name of the file, where it goes."""
    arrived: dict[str, Arrived] = field(default_factory=dict)


class WebhookFake(Fake):
    name: ClassVar[str] = "webhook"
    hosts: ClassVar[tuple[str, ...]] = (HOST,)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.offers: dict[str, Offer] = {}
        self.asks_until_shown = 0
        """How often a publication is still pending when it is asked about."""
        self._answers: dict[str, Mapping[str, Any]] = {}
        """By webhook-id: what a repeat is answered, too."""

    def routes(self) -> Sequence[BaseRoute]:
        return [
            Route("/videos", self._message, methods=["POST"]),
            Route("/videos", self._about, methods=["GET"]),
            Route("/files/{token}", self._file, methods=["PUT"]),
        ]

    async def _message(self, request: Request) -> Response:
        try:
            message = self._verified(await request.body(), request)
        except WebhookVerificationError as error:
            return JSONResponse({"error": str(error)}, 401)
        id, data = request.headers["webhook-id"], message["data"]
        if id in self._answers:
            return JSONResponse(self._answers[id])
        match message["type"]:
            case "channel.connected":
                return Response(status_code=204)
            case "publication.offered":
                return JSONResponse(self._offered(data))
            case "publication.publish":
                return self._publish(id, data)
            case "publication.deleted":
                found = self.posts.pop(data["id"], None)
                return Response(status_code=204) if found else JSONResponse({"error": "no such post"}, 422)
        return JSONResponse({"error": f"unknown type {message['type']}"}, 422)

    def _verified(self, body: bytes, request: Request) -> Any:
        found = Webhook(SECRET).verify(body, dict(request.headers), json_parse=bool(body))
        return found or {}

    def _offered(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Addresses for what has not come yet; a repeated offer finds those of the first."""
        id = data["publication_id"]
        if id not in self.offers:
            tokens = {name: secrets.token_urlsafe(16) for name in ("video", "thumbnail", "captions") if data[name]}
            self.offers[id] = Offer(data, tokens)
        offer = self.offers[id]
        names = {"video": "upload_url", "thumbnail": "thumbnail_url", "captions": "captions_url"}
        return {
            names[file]: f"https://{HOST}/files/{token}"
            for file, token in offer.tokens.items() if file not in offer.arrived
        }  # fmt: skip

    async def _file(self, request: Request) -> Response:
        token = request.path_params["token"]
        found = [(offer, file) for offer in self.offers.values() for file, own in offer.tokens.items() if own == token]
        if not found:
            return JSONResponse({"error": "no such upload"}, 404)
        offer, file = found[0]
        arrived = Arrived()
        await take(request, arrived)
        wanted = offer.facts[file]["sha256"]
        digest = f"sha-256=:{base64.b64encode(bytes.fromhex(wanted)).decode()}:"
        if arrived.sha256 != wanted or request.headers.get("Content-Digest") != digest:
            return JSONResponse({"error": f"these are not the bytes of the {file} that was offered"}, 422)
        offer.arrived[file] = arrived
        return Response(status_code=204)

    def _publish(self, id: str, data: Mapping[str, Any]) -> Response:
        offer = self.offers.get(data["publication_id"])
        video = offer.arrived.get("video") if offer else None
        if offer is None or video is None or video.sha256 != data["sha256"]:
            return JSONResponse({"error": "the video has not arrived"}, 422)
        post_id = f"post-{len(self._answers) + 1}"
        text = f"{offer.facts['title']}\n{offer.facts['description']}"
        self.posts[post_id] = FakePost(
            post_id, HOST, text, video.sha256, video.size_bytes, self.now(), public=self.asks_until_shown == 0,
            extra={"publication_id": data["publication_id"], "files": sorted(offer.arrived)},
        )  # fmt: skip
        self._answers[id] = {"state": "published", "id": post_id, "url": f"https://{HOST}/{post_id}"}
        return JSONResponse({"state": "pending"} if self.asks_until_shown else self._answers[id])

    async def _about(self, request: Request) -> Response:
        try:
            self._verified(b"", request)
        except WebhookVerificationError as error:
            return JSONResponse({"error": str(error)}, 401)
        id = request.query_params.get("publication_id", "")
        if id != request.headers["webhook-id"]:  # the signature does not cover the address
            return JSONResponse({"error": "the question was signed for another publication"}, 401)
        answer = self._answers.get(id)
        if answer is None or answer["id"] not in self.posts:
            return JSONResponse({"error": "never heard of it"}, 404)
        if self.asks_until_shown > 0:
            self.asks_until_shown -= 1
            return JSONResponse({"state": "pending"})
        self.posts[answer["id"]].public = True
        return JSONResponse(answer)
