"""Telegram channels, through the Bot API.

A bot cannot read what a channel shows, so a lost answer stays unknown. With a staging chat the bytes go there first,
and publishing is one short call that names the file which Telegram then has; without one, the bytes go with that call.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx
from pydantic import Field

from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
    secret,
)
from video_manager.plugins.platform_http import LONGEST_WORDS, RATE_LIMIT_SECONDS, Api, retry_after, words
from video_manager.plugins.platform_limits import beyond, fault

MOST_BYTES = 50 * 10**6
MOST_BYTES_OWN_SERVER = 2000 * 10**6
CAPTION_CHARACTERS = 1024
OFFICIAL = "https://api.telegram.org"
_RIGHTS = ("not enough rights", "need administrator rights", "chat not found", "CHAT_WRITE_FORBIDDEN")
"""What Telegram says with status 400 where the bot's place in the channel is the cause."""


class TelegramOptions(Options):
    bot_token: str = secret(
        "The token that @BotFather gave you.", min_length=10, max_length=200, pattern=r"^[0-9]+:[A-Za-z0-9_-]+$"
    )
    chat: str = Field(
        description="The channel: @its_name, or its numeric id. The bot must be an administrator who may post.",
        min_length=2, max_length=100,
    )  # fmt: skip
    staging_chat: str = Field(
        "", max_length=100,
        description="A private chat of the bot (numeric id) where videos are put first. With it the publishing call is "
        "short, and its outcome is hardly ever unknown.",
    )  # fmt: skip
    server: str = Field(
        OFFICIAL, max_length=500, pattern=r"^https?://[^\s?#]+$",
        description="Address of the Bot API; one of your own takes files up to 2 GB.",
    )  # fmt: skip


class TelegramPostOptions(Options):
    silent: bool = Field(False, description="Send without a sound.")
    protect_content: bool = Field(False, description="Forbid forwarding and saving.")


class TelegramPublisher(Publisher[TelegramOptions]):
    name = "telegram"
    title = "Telegram"
    description = "Posts to a Telegram channel through a bot of yours."
    Options = TelegramOptions
    server_option = "server"
    PostOptions = TelegramPostOptions
    limits = PlatformLimits(max_size_bytes=MOST_BYTES_OWN_SERVER)
    remembers = False
    keeps_hours = 24.0
    guide = "Make a bot with @BotFather and make it an administrator of your channel with the right to post."
    publish_timeout_seconds: ClassVar[float] = 900.0
    """Without a staging chat the bytes go with the publishing call."""

    async def connect(self, options: TelegramOptions, context: PublisherContext) -> Account:
        bot = _Bot(options, context)
        me = await bot.call("getMe")
        chat = await bot.call("getChat", json={"chat_id": options.chat})
        member = await bot.call("getChatMember", json={"chat_id": chat["id"], "user_id": me["id"]})
        may_post = member.get("can_post_messages", chat["type"] != "channel")
        if member["status"] not in ("administrator", "creator") or not may_post:
            raise ActionRequiredError(
                f"the bot @{me['username']} may not post to {options.chat}: make it an administrator with that right"
            )
        name = chat.get("username")
        return Account(
            name=chat.get("title") or options.chat, url=f"https://t.me/{name}" if name else None, id=str(chat["id"]),
            facts={"chat_id": chat["id"], "username": name, "bot": me["username"]},
        )  # fmt: skip

    async def check(
        self, post: Post, options: TelegramOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        most = MOST_BYTES if options.server == OFFICIAL else MOST_BYTES_OWN_SERVER
        faults = beyond(self.name, post, PlatformLimits(max_size_bytes=most))
        characters = len(caption_of(post))
        if characters > CAPTION_CHARACTERS:
            text = f"title, description and tags have {characters} characters; {CAPTION_CHARACTERS} are allowed"
            faults += (
                fault(self.name, "caption_too_long", text, measured=characters, limit=CAPTION_CHARACTERS),
            )  # fmt: skip
        return faults

    async def upload(self, post: Post, options: TelegramOptions, context: PublisherContext) -> Handle:
        """Nothing goes to the channel. What is staged is known by an id that is good for the same bot only."""
        handle: dict[str, Any] = {"bot": options.bot_token.partition(":")[0], "file_id": None}
        earlier = context.earlier or {}
        if earlier.get("file_id") and earlier.get("bot") == handle["bot"]:
            handle["file_id"] = earlier["file_id"]
        elif options.staging_chat:
            context.progress(0.1, "uploading")
            sent = await _Bot(options, context).send_video(
                post, options.staging_chat, {"disable_notification": True}, by_file=True
            )
            # A video without sound may come back as an animation, whose id cannot be posted as a video.
            handle["file_id"] = sent.get("video", {}).get("file_id")
        await context.save_handle(handle)
        return handle

    async def publish(
        self, post: Post, handle: Handle, options: TelegramOptions, context: PublisherContext
    ) -> Published:
        chosen = TelegramPostOptions.model_validate(post.extra)
        fields = {
            "caption": caption_of(post), "disable_notification": chosen.silent,
            "protect_content": chosen.protect_content,
        }  # fmt: skip
        bot = _Bot(options, context)
        chat = str(context.account.get("chat_id") or options.chat)
        if handle.get("file_id"):
            fields["video"] = handle["file_id"]
        sent = await bot.send_video(post, chat, fields, by_file=not handle.get("file_id"), publishes=True)
        return Published(f"{sent['chat']['id']}/{sent['message_id']}", _url(sent, context))

    async def ask(self, post: Post, handle: Handle, options: TelegramOptions, context: PublisherContext) -> Asked:
        return Asked(Answer.UNKNOWN, detail="a bot cannot see what the channel shows: look there")

    async def delete(self, external_id: str, options: TelegramOptions, context: PublisherContext) -> None:
        chat, _, message = external_id.partition("/")
        try:
            await _Bot(options, context).call("deleteMessage", json={"chat_id": chat, "message_id": int(message)})
        except PermanentError as error:
            if "message to delete not found" not in error.detail:
                raise


def caption_of(post: Post) -> str:
    """The title, the description, and the tags as hashtags."""
    tags = " ".join("#" + "".join(part for part in tag if part.isalnum() or part == "_") for tag in post.tags)
    return "\n\n".join(part for part in (post.title, post.description, tags) if part)


def _url(sent: Mapping[str, Any], context: PublisherContext) -> str:
    """A public channel's posts have an address for everybody, a private one's for its members."""
    name = sent["chat"].get("username") or context.account.get("username")
    inner = str(sent["chat"]["id"]).removeprefix("-100")
    return f"https://t.me/{name}/{sent['message_id']}" if name else f"https://t.me/c/{inner}/{sent['message_id']}"


class _Bot:
    """Its token is part of every address: neither errors nor logs may name one."""

    def __init__(self, options: TelegramOptions, context: PublisherContext) -> None:
        self._base = f"{options.server.rstrip('/')}/bot{options.bot_token}"
        self._api = Api(context, "Telegram", _fault, hidden=(options.bot_token,))

    async def call(self, method: str, *, publishes: bool = False, **request: Any) -> dict[str, Any]:
        answer = await self._api.json("POST", f"{self._base}/{method}", signed=False, publishes=publishes, **request)
        if not isinstance(answer, dict) or "result" not in answer:
            raise RetryableError("Telegram answered without a result")
        result: dict[str, Any] = answer["result"]
        return result

    async def send_video(
        self, post: Post, chat: str, fields: Mapping[str, Any], *, by_file: bool, publishes: bool = False
    ) -> dict[str, Any]:
        data = {
            "chat_id": chat, "supports_streaming": True, "duration": round(post.duration_seconds),
            "width": post.width, "height": post.height, **fields,
        }  # fmt: skip
        form = {name: _text(value) for name, value in data.items()}
        if not by_file:
            return await self.call("sendVideo", data=form, publishes=publishes)
        with _opened(post.video) as video:
            # httpx reads the file piece by piece while it sends.
            files = {"video": (post.video.name, video, post.video_type)}
            return await self.call("sendVideo", data=form, files=files, publishes=publishes)


def _opened(path: Path) -> Any:
    return path.open("rb")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fault(answer: httpx.Response) -> WorkError | None:
    try:
        body = answer.json()
        said, more = str(body.get("description") or words(answer))[:LONGEST_WORDS], body.get("parameters") or {}
    except (ValueError, AttributeError):
        return None
    text = f"Telegram answered {answer.status_code}: {said}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return LimitReached(text, float(more.get("retry_after") or retry_after(answer) or RATE_LIMIT_SECONDS))
    if answer.status_code in (401, 404):
        return ActionRequiredError(f"{text}; the bot's token is wrong or was revoked: enter it again")
    if more.get("migrate_to_chat_id"):
        return ActionRequiredError(f"{text}; the chat has a new id now: enter {more['migrate_to_chat_id']}")
    if answer.status_code == httpx.codes.FORBIDDEN or any(part in said for part in _RIGHTS):
        return ActionRequiredError(f"{text}; make the bot an administrator of the channel again")
    return PermanentError(text) if answer.status_code in (400, 413) else None
