"""Telegram's Bot API, as far as a publisher uses it: getMe, getChat, getChatMember, sendVideo, deleteMessage."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.network import Fake, FakePost

BOT_TOKEN = "123456:demo-bot-token"  # noqa: S105 - of a fake
BOT = {"id": 123456, "is_bot": True, "first_name": "Demo", "username": "demo_bot"}
CHANNEL = {"id": -1001234567890, "type": "channel", "title": "Demo channel", "username": "demo_channel"}
STAGING = {"id": -1009876543210, "type": "channel", "title": "Staging"}
MOST_BYTES = 50 * 10**6
CAPTION_CHARACTERS = 1024
PER_MINUTE = 20


class TelegramFake(Fake):
    name: ClassVar[str] = "telegram"
    hosts: ClassVar[tuple[str, ...]] = ("api.telegram.org",)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.rights: dict[str, Any] = {"status": "administrator", "can_post_messages": True}
        self.files: dict[str, Arrived] = {}
        self._sent: dict[int, list[float]] = {}
        self._messages = 0

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/{bot}/{method}", self._call, methods=["POST", "GET"])]

    async def _call(self, request: Request) -> Response:
        if request.path_params["bot"] != f"bot{BOT_TOKEN}":
            return _refusal(401, "Unauthorized")
        method = request.path_params["method"]
        if request.headers.get("content-type", "").startswith("application/json"):
            return await self._answer(method, await request.json())
        async with request.form() as form:
            return await self._answer(method, form)

    async def _answer(self, method: str, given: Mapping[str, Any]) -> Response:
        match method:
            case "getMe":
                return _result(BOT)
            case "getChat":
                chat = self._chat(given)
                return _result(chat) if chat else _refusal(400, "Bad Request: chat not found")
            case "getChatMember":
                return _result({"user": BOT, **self.rights})
            case "sendVideo":
                return await self._send_video(given)
            case "deleteMessage":
                return self._delete(given)
        return _refusal(404, "Not Found")

    def _chat(self, given: Mapping[str, Any]) -> dict[str, Any] | None:
        wanted = str(given.get("chat_id", ""))
        known = (CHANNEL, STAGING)
        return next((one for one in known if wanted in (str(one["id"]), f"@{one.get('username')}")), None)

    async def _send_video(self, given: Mapping[str, Any]) -> Response:
        chat = self._chat(given)
        if chat is None:
            return _refusal(400, "Bad Request: chat not found")
        if not self.rights.get("can_post_messages"):
            return _refusal(400, "Bad Request: not enough rights to send videos to the chat")
        if len(str(given.get("caption", ""))) > CAPTION_CHARACTERS:
            return _refusal(400, "Bad Request: message caption is too long")
        recent = [at for at in self._sent.get(chat["id"], []) if self.now() - at < 60]
        if len(recent) >= PER_MINUTE:
            wait = int(60 - (self.now() - recent[0])) + 1
            return _refusal(429, f"Too Many Requests: retry after {wait}", {"retry_after": wait})
        file_id = await self._file(given)
        if file_id is None:
            return _refusal(400, "Bad Request: wrong file identifier/HTTP URL specified")
        arrived = self.files[file_id]
        if arrived.size_bytes > MOST_BYTES:
            return _refusal(413, "Request Entity Too Large")
        self._sent[chat["id"]] = [*recent, self.now()]
        self._messages += 1
        message = {"message_id": self._messages, "chat": chat, "date": int(self.now()), "video": {"file_id": file_id}}
        if chat is CHANNEL:
            id = f"{chat['id']}/{self._messages}"
            self.posts[id] = FakePost(
                id, str(chat["id"]), str(given.get("caption", "")), arrived.sha256, arrived.size_bytes, self.now()
            )
        return _result(message)

    async def _file(self, given: Mapping[str, Any]) -> str | None:
        video = given.get("video")
        if isinstance(video, UploadFile):
            arrived = Arrived()
            while piece := await video.read(2**20):
                arrived.add(piece)
            id = secrets.token_urlsafe(16)
            self.files[id] = arrived
            return id
        return str(video) if video in self.files else None

    def _delete(self, given: Mapping[str, Any]) -> Response:
        id = f"{given.get('chat_id')}/{given.get('message_id')}"
        if self.posts.pop(id, None) is None:
            return _refusal(400, "Bad Request: message to delete not found")
        return _result(True)


def _result(result: Any) -> Response:
    return JSONResponse({"ok": True, "result": result})


def _refusal(status: int, description: str, parameters: dict[str, Any] | None = None) -> Response:
    more = {"parameters": parameters} if parameters else {}
    return JSONResponse({"ok": False, "error_code": status, "description": description, **more}, status)
