"""Discord's API, as far as a bot and a webhook use it: one server, one channel, messages that carry a file.

Strict: the User-Agent, rights, lengths, file size, nonces taken once in some minutes, rate limits per channel, and a
channel that shows nothing to whoever may not read its history. The list of messages names no nonce: that Discord
does so is documented nowhere.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.network import Fake, FakePost

BOT_TOKEN = "demo.bot-token_of.discord"  # noqa: S105 - of a fake
BOT = {"id": "100000000000000001", "username": "demo-bot", "bot": True}
GUILD = "100000000000000002"
CHANNEL = "100000000000000003"
WEBHOOK, WEBHOOK_TOKEN = "100000000000000004", "demo-webhook_token"
WEBHOOK_URL = f"https://discord.com/api/webhooks/{WEBHOOK}/{WEBHOOK_TOKEN}"
VIEW, SEND, ATTACH, READ_HISTORY = 1 << 10, 1 << 11, 1 << 15, 1 << 16
MOST_BYTES = 10 * 2**20
CONTENT_CHARACTERS = 2000
NONCE_CHARACTERS = 25
NONCE_SECONDS = 180.0
PER_WINDOW, WINDOW_SECONDS = 5, 5.0
_EPOCH_MS = 1420070400000
_AS_WEBHOOK = {"id": WEBHOOK, "username": "Demo webhook", "bot": True}


class _Refused(Exception):
    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.answer = JSONResponse({"message": message, "code": code, **more}, status)


@dataclass
class _Nonce:
    message: dict[str, Any]
    at: float


class DiscordFake(Fake):
    name: ClassVar[str] = "discord"
    hosts: ClassVar[tuple[str, ...]] = ("discord.com",)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.rights = VIEW | SEND | ATTACH | READ_HISTORY
        self.overwrites: list[dict[str, Any]] = []
        self.channel_type = 0
        self.webhook_exists = True
        self.messages: list[dict[str, Any]] = []
        self._nonces: dict[str, _Nonce] = {}
        self._sent: list[float] = []
        self._number = 0

    def routes(self) -> Sequence[BaseRoute]:
        api, channel = "/api/v10", "/api/v10/channels/{channel}"
        webhook = f"{api}/webhooks/{{webhook}}/{{token}}"
        return [
            Route(f"{api}/users/@me", self._as_bot(self._me)),
            Route(f"{api}/guilds/{{guild}}", self._as_bot(self._guild)),
            Route(f"{api}/guilds/{{guild}}/roles", self._as_bot(self._roles)),
            Route(f"{api}/guilds/{{guild}}/members/{{member}}", self._as_bot(self._member)),
            Route(channel, self._as_bot(self._channel)),
            Route(f"{channel}/messages", self._as_bot(self._list), methods=["GET"]),
            Route(f"{channel}/messages", self._as_bot(self._create), methods=["POST"]),
            Route(f"{channel}/messages/{{message}}", self._as_bot(self._delete), methods=["DELETE"]),
            Route(webhook, self._as_webhook(self._webhook), methods=["GET"]),
            Route(webhook, self._as_webhook(self._execute), methods=["POST"]),
            Route(f"{webhook}/messages/{{message}}", self._as_webhook(self._delete), methods=["DELETE"]),
        ]

    # ---- who calls ------------------------------------------------------------------------------------------

    def _as_bot(self, answer: Any) -> Any:
        async def checked(request: Request) -> Response:
            if request.headers.get("Authorization") != f"Bot {BOT_TOKEN}":
                return JSONResponse({"message": "401: Unauthorized", "code": 0}, 401)
            return await self._checked(request, answer)

        return checked

    def _as_webhook(self, answer: Any) -> Any:
        async def checked(request: Request) -> Response:
            if request.path_params["webhook"] != WEBHOOK or not self.webhook_exists:
                return JSONResponse({"message": "Unknown Webhook", "code": 10015}, 404)
            if request.path_params["token"] != WEBHOOK_TOKEN:
                return JSONResponse({"message": "Invalid Webhook Token", "code": 50027}, 401)
            return await self._checked(request, answer)

        return checked

    async def _checked(self, request: Request, answer: Any) -> Response:
        if not request.headers.get("User-Agent", "").startswith("DiscordBot ("):
            return JSONResponse({"message": "internal network error", "code": 40333}, 403)
        try:
            given: Response = await answer(request)
        except _Refused as refused:
            return refused.answer
        return given

    def _effective_rights(self) -> int:
        rights = self.rights
        for one in self.overwrites:
            rights = rights & ~int(one["deny"]) | int(one["allow"])
        return rights

    def _require(self, request: Request, *rights: int) -> None:
        if request.path_params["channel"] != CHANNEL:
            raise _Refused(404, 10003, "Unknown Channel")
        granted = self._effective_rights()
        if not granted & VIEW:
            raise _Refused(403, 50001, "Missing Access")
        if not all(granted & right for right in rights):
            raise _Refused(403, 50013, "Missing Permissions")

    # ---- what there is --------------------------------------------------------------------------------------

    async def _me(self, _request: Request) -> Response:
        return JSONResponse(BOT)

    async def _guild(self, _request: Request) -> Response:
        return JSONResponse({"id": GUILD, "name": "Demo server"})

    async def _roles(self, _request: Request) -> Response:
        return JSONResponse([
            {"id": GUILD, "name": "@everyone", "permissions": str(self.rights & VIEW)},
            {"id": "100000000000000009", "name": "posters", "permissions": str(self.rights)},
            {"id": "100000000000000010", "name": "others", "permissions": str((1 << 3) | SEND)},
        ])  # fmt: skip

    async def _member(self, _request: Request) -> Response:
        return JSONResponse({"user": BOT, "roles": ["100000000000000009"]})

    async def _channel(self, request: Request) -> Response:
        self._require(request)
        last = self.messages[-1]["id"] if self.messages else None
        return JSONResponse({
            "id": CHANNEL, "type": self.channel_type, "guild_id": GUILD, "name": "videos", "last_message_id": last,
            "permission_overwrites": self.overwrites,
        })  # fmt: skip

    async def _webhook(self, _request: Request) -> Response:
        return JSONResponse({
            "id": WEBHOOK, "type": 1, "guild_id": GUILD, "channel_id": CHANNEL, "name": "Demo webhook",
            "token": WEBHOOK_TOKEN,
        })  # fmt: skip

    # ---- messages -------------------------------------------------------------------------------------------

    async def _list(self, request: Request) -> Response:
        self._require(request)
        limit, after = int(request.query_params.get("limit", 50)), int(request.query_params.get("after", 0))
        if not 1 <= limit <= 100:
            raise _invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100")
        if not self._effective_rights() & READ_HISTORY:
            return JSONResponse([])
        found = [message for message in self.messages if int(message["id"]) > after][:limit]
        return JSONResponse([{**message, "nonce": None} for message in reversed(found)])

    async def _create(self, request: Request) -> Response:
        self._require(request, SEND)
        async with request.form() as form:
            payload = _payload(form)
            nonce = payload.get("nonce")
            if nonce is not None and len(str(nonce)) > NONCE_CHARACTERS:
                raise _invalid("nonce", "NONCE_TYPE_MAX", "Must be 25 or fewer in length.")
            known = self._nonces.get(str(nonce))
            if payload.get("enforce_nonce") and known and self.now() - known.at < NONCE_SECONDS:
                return JSONResponse(known.message)
            message = await self._make(form, payload, BOT)
        if nonce is not None:
            message = {**message, "nonce": nonce}
            self._nonces[str(nonce)] = _Nonce(message, self.now())
        return JSONResponse(message)

    async def _execute(self, request: Request) -> Response:
        async with request.form() as form:
            message = await self._make(form, _payload(form), _AS_WEBHOOK)
        return JSONResponse(message) if request.query_params.get("wait") == "true" else Response(status_code=204)

    async def _make(self, form: Mapping[str, Any], payload: Mapping[str, Any], author: Mapping[str, Any]) -> Any:
        content, files = str(payload.get("content", "")), [form[name] for name in form if name.startswith("files[")]
        if not content and not files:
            raise _Refused(400, 50006, "Cannot send an empty message")
        if len(content) > CONTENT_CHARACTERS:
            raise _invalid("content", "BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.")
        self._limit_rate()
        if files and author is BOT and not self._effective_rights() & ATTACH:
            raise _Refused(403, 50013, "Missing Permissions")
        arrived = [await _arrived(file) for file in files]
        if sum(one.size_bytes for one in arrived) > MOST_BYTES:
            raise _Refused(413, 40005, "Request entity too large")
        self._number += 1
        id = str(((int(self.now() * 1000) - _EPOCH_MS) << 22) + self._number)
        attachments = [
            {"id": str(int(id) + place), "filename": file.filename, "size": one.size_bytes}
            for place, (file, one) in enumerate(zip(files, arrived, strict=True), 1)
        ]
        message = {
            "id": id, "channel_id": CHANNEL, "content": content, "author": author, "attachments": attachments,
            "flags": payload.get("flags", 0),
        }  # fmt: skip
        self.messages.append(message)
        video = arrived[0] if arrived else Arrived()
        self.posts[id] = FakePost(
            id, CHANNEL, content, video.sha256, video.size_bytes, self.now(),
            extra={"flags": message["flags"], "pings": _pings(content, payload), "files": attachments},
        )  # fmt: skip
        return message

    def _limit_rate(self) -> None:
        self._sent = [at for at in self._sent if self.now() - at < WINDOW_SECONDS]
        if len(self._sent) >= PER_WINDOW:
            wait = round(WINDOW_SECONDS - (self.now() - self._sent[0]), 3)
            raise _Refused(
                429, 0, "You are being rate limited.", retry_after=wait, **{"global": False}
            )  # fmt: skip
        self._sent.append(self.now())

    async def _delete(self, request: Request) -> Response:
        if "channel" in request.path_params:
            self._require(request)
        id = request.path_params["message"]
        if self.posts.pop(id, None) is None:
            raise _Refused(404, 10008, "Unknown Message")
        self.messages = [message for message in self.messages if message["id"] != id]
        return Response(status_code=204)


def _payload(form: Mapping[str, Any]) -> dict[str, Any]:
    try:
        payload = json.loads(str(form.get("payload_json", "")))
    except ValueError:
        payload = None
    if not isinstance(payload, dict):
        raise _Refused(400, 50109, "The request body contains invalid JSON.")
    return payload


def _pings(content: str, payload: Mapping[str, Any]) -> bool:
    """Whether everyone on the server hears of it."""
    allowed = payload.get("allowed_mentions", {}).get("parse", ["everyone", "roles", "users"])
    return "@everyone" in content and "everyone" in allowed


async def _arrived(file: Any) -> Arrived:
    arrived = Arrived()
    if isinstance(file, UploadFile):
        while piece := await file.read(2**20):
            arrived.add(piece)
    return arrived


def _invalid(field: str, code: str, message: str) -> _Refused:
    errors = {field: {"_errors": [{"code": code, "message": message}]}}
    return _Refused(400, 50035, "Invalid Form Body", errors=errors)
