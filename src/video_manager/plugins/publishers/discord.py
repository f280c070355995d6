"""Discord channels, through a bot or through a webhook.

The message carries the file, so nothing can be sent beforehand. A bot can read the channel: its messages have a number
of ours that Discord takes once in some minutes, and a file name by which they are found after a lost answer. A webhook
can neither, so that it is a platform of its own, whose lost answers stay unknown.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError
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
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.discord_api import API, READ_HISTORY, RIGHTS, Discord, payload_of

CONTENT_CHARACTERS = 2000
MEBIBYTE = 2**20
MOST_MEBIBYTES = 100
NONCE_CHARACTERS = 25
_TEXT_CHANNELS = frozenset({0, 5})
"""Text and announcement channels."""
_PAGE, _MOST_PAGES = 100, 20
_PUBLISH_SECONDS = 300.0
"""The bytes go with the publishing call."""
_WEBHOOK = r"^https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]+/[A-Za-z0-9_-]+$"


def _file_limit() -> Any:
    return Field(
        10, ge=1, le=MOST_MEBIBYTES,
        description="Largest file that the server takes, in MiB: 10, more where it is boosted.",
    )  # fmt: skip


class DiscordOptions(Options):
    bot_token: str = secret("The bot's token.", min_length=10, max_length=200, pattern=r"^[A-Za-z0-9_.-]+$")
    channel_id: str = Field(
        description="The channel's number (in Discord: developer mode, then Copy Channel ID).",
        pattern=r"^[0-9]{15,22}$",
    )  # fmt: skip
    file_limit_mib: int = _file_limit()


class DiscordWebhookOptions(Options):
    webhook_url: str = secret(
        "The webhook's address (channel settings, Integrations, Webhooks).", max_length=300, pattern=_WEBHOOK
    )
    thread_id: str = Field("", description="Post into this thread of the channel.", pattern=r"^(?:[0-9]{15,22})?$")
    file_limit_mib: int = _file_limit()


class DiscordPostOptions(Options):
    silent: bool = Field(False, description="Send without a notification.")
    spoiler: bool = Field(False, description="Hide the video until somebody clicks it.")
    mentions: Literal["none", "users", "roles", "everyone"] = Field(
        "none", description="Which @mentions in the text ping people."
    )


class DiscordPublisher(Publisher[DiscordOptions]):
    name = "discord"
    title = "Discord"
    description = "Posts to a channel of a Discord server through a bot of yours."
    Options = DiscordOptions
    PostOptions = DiscordPostOptions
    limits = PlatformLimits(max_size_bytes=MOST_MEBIBYTES * MEBIBYTE)
    guide = (
        "Make an application with a bot at discord.com/developers, invite it to your server, and give it View Channel, "
        "Send Messages, Attach Files and Read Message History in the channel."
    )
    publish_timeout_seconds: ClassVar[float] = _PUBLISH_SECONDS

    async def connect(self, options: DiscordOptions, context: PublisherContext) -> Account:
        discord = _bot(options, context)
        me = await discord.get("/users/@me")
        channel = await discord.get(f"/channels/{options.channel_id}")
        if channel.get("type") not in _TEXT_CHANNELS or "guild_id" not in channel:
            raise ActionRequiredError(f"{options.channel_id} is no text channel of a server: choose one")
        rights = await discord.rights(channel, me["id"])
        missing = [name for bit, name in RIGHTS.items() if not rights & bit]
        if missing:
            raise ActionRequiredError(
                f"the bot {me['username']} lacks {', '.join(missing)} in #{channel['name']}: give it these rights there"
            )
        guild = await discord.get(f"/guilds/{channel['guild_id']}")
        return Account(
            name=f"#{channel['name']} ({guild['name']})", url=_url(channel["guild_id"], channel["id"]),
            id=channel["id"],
            facts={"bot_id": me["id"], "bot": me["username"], "guild_id": channel["guild_id"]},
        )  # fmt: skip

    async def check(
        self, post: Post, options: DiscordOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        return _faults(self.name, post, options.file_limit_mib)

    async def upload(self, post: Post, options: DiscordOptions, context: PublisherContext) -> Handle:
        """Nothing can be sent yet: what is kept is how the message will be found, and from where on to look."""
        channel = await _bot(options, context).get(f"/channels/{options.channel_id}")
        handle = {
            "nonce": nonce_of(post), "filename": _filename(post), "after": channel.get("last_message_id") or "0",
        }  # fmt: skip
        await context.save_handle(handle)
        return handle

    async def publish(
        self, post: Post, handle: Handle, options: DiscordOptions, context: PublisherContext
    ) -> Published:
        payload = {**_payload(post), "nonce": handle["nonce"], "enforce_nonce": True}
        path = f"/channels/{options.channel_id}/messages"
        return _published(await _bot(options, context).send(path, post, handle["filename"], payload), context)

    async def ask(self, post: Post, handle: Handle, options: DiscordOptions, context: PublisherContext) -> Asked:
        """All messages since the upload are looked through. Without the right to read them Discord shows none, which
        says nothing."""
        discord = _bot(options, context)
        after = str(handle["after"])
        for _ in range(_MOST_PAGES):
            page = await discord.get(f"/channels/{options.channel_id}/messages", after=after, limit=_PAGE)
            made = next((message for message in page if _is_ours(message, handle, context)), None)
            if made is not None:
                return Asked(Answer.PUBLISHED, _published(made, context))
            if len(page) < _PAGE:
                break
            after = max((message["id"] for message in page), key=int)
        else:
            return Asked(Answer.UNKNOWN, detail="too many messages have come since to look through them all")
        channel = await discord.get(f"/channels/{options.channel_id}")
        rights = await discord.rights(channel, str(context.account.get("bot_id", "")))
        if not rights & READ_HISTORY:
            return Asked(Answer.UNKNOWN, detail="the bot may not read the channel: give it Read Message History")
        return Asked(Answer.ABSENT, detail="no message of the channel carries it")

    async def delete(self, external_id: str, options: DiscordOptions, context: PublisherContext) -> None:
        channel, _, message = external_id.partition("/")
        await _bot(options, context).delete(f"/channels/{channel}/messages/{message}")


class DiscordWebhookPublisher(Publisher[DiscordWebhookOptions]):
    name = "discord-webhook"
    title = "Discord (webhook)"
    description = "Posts to a channel of a Discord server through a webhook, which needs no bot."
    Options = DiscordWebhookOptions
    PostOptions = DiscordPostOptions
    limits = DiscordPublisher.limits
    remembers = False
    guide = (
        "In the channel's settings make a webhook and copy its address. A webhook cannot be asked whether a message "
        "was made: when an answer is lost, you are asked to look. A bot can (platform Discord)."
    )
    publish_timeout_seconds: ClassVar[float] = _PUBLISH_SECONDS

    async def connect(self, options: DiscordWebhookOptions, context: PublisherContext) -> Account:
        webhook = await _webhook(options, context).get("")
        guild, channel = webhook.get("guild_id"), options.thread_id or webhook["channel_id"]
        return Account(
            name=webhook.get("name") or "Webhook", url=_url(guild, channel), id=webhook["id"],
            facts={"guild_id": guild, "channel_id": channel},
        )  # fmt: skip

    async def check(
        self, post: Post, options: DiscordWebhookOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        return _faults(self.name, post, options.file_limit_mib)

    async def upload(self, post: Post, options: DiscordWebhookOptions, context: PublisherContext) -> Handle:
        handle = {"filename": _filename(post)}
        await context.save_handle(handle)
        return handle

    async def publish(
        self, post: Post, handle: Handle, options: DiscordWebhookOptions, context: PublisherContext
    ) -> Published:
        # Without `wait` Discord answers before the message is made, and without its number.
        query = {"wait": "true", **_thread(options)}
        made = await _webhook(options, context).send("", post, handle["filename"], _payload(post), **query)
        return _published(made, context)

    async def ask(self, post: Post, handle: Handle, options: DiscordWebhookOptions, context: PublisherContext) -> Asked:
        return Asked(Answer.UNKNOWN, detail="a webhook cannot see what the channel shows: look there")

    async def delete(self, external_id: str, options: DiscordWebhookOptions, context: PublisherContext) -> None:
        message = external_id.partition("/")[2]
        await _webhook(options, context).delete(f"/messages/{message}", **_thread(options))


def nonce_of(post: Post) -> str:
    """The same for every attempt of a publication; Discord takes 25 characters."""
    return hashlib.sha256(post.publication_id.encode()).hexdigest()[:NONCE_CHARACTERS]


def _bot(options: DiscordOptions, context: PublisherContext) -> Discord:
    return Discord(context, API, secret=options.bot_token, token=options.bot_token)


def _webhook(options: DiscordWebhookOptions, context: PublisherContext) -> Discord:
    id, secret_part = options.webhook_url.split("/")[-2:]
    return Discord(context, f"{API}/webhooks/{id}/{secret_part}", secret=secret_part)


def _thread(options: DiscordWebhookOptions) -> dict[str, str]:
    return {"thread_id": options.thread_id} if options.thread_id else {}


def _filename(post: Post) -> str:
    """By it the message is found again. Discord hides a file whose name begins with SPOILER_."""
    hidden = "SPOILER_" if DiscordPostOptions.model_validate(post.extra).spoiler else ""
    return f"{hidden}video-{post.publication_id}{post.video.suffix}"


def _content(post: Post) -> str:
    """Title and description; Discord has no tags."""
    return "\n\n".join(part for part in (post.title, post.description) if part)


def _payload(post: Post) -> dict[str, Any]:
    chosen = DiscordPostOptions.model_validate(post.extra)
    return payload_of(_content(post), silent=chosen.silent, mentions=chosen.mentions)


def _faults(platform: str, post: Post, file_limit_mib: int) -> tuple[Finding, ...]:
    faults = beyond(platform, post, PlatformLimits(max_size_bytes=file_limit_mib * MEBIBYTE))
    characters = len(_content(post))
    if characters > CONTENT_CHARACTERS:
        text = f"title and description have {characters} characters; {CONTENT_CHARACTERS} are allowed"
        faults += (
            fault(platform, "content_too_long", text, measured=characters, limit=CONTENT_CHARACTERS),
        )  # fmt: skip
    return faults


def _is_ours(message: Mapping[str, Any], handle: Handle, context: PublisherContext) -> bool:
    if message.get("author", {}).get("id") != context.account.get("bot_id"):
        return False
    names = {attachment.get("filename") for attachment in message.get("attachments", [])}
    return message.get("nonce") == handle["nonce"] or handle["filename"] in names


def _published(message: Mapping[str, Any], context: PublisherContext) -> Published:
    channel, id = message["channel_id"], message["id"]
    return Published(f"{channel}/{id}", f"{_url(context.account.get('guild_id'), channel)}/{id}")


def _url(guild: Any, channel: str) -> str:
    return f"https://discord.com/channels/{guild or '@me'}/{channel}"
