"""Discord's HTTP API as a bot or a webhook uses it: calls, what its errors mean, and what a bot may do in a channel."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from video_manager.errors import ActionRequiredError, LimitReached, PermanentError, RetryableError, WorkError
from video_manager.plugins.api import Post, PublisherContext
from video_manager.plugins.platform_http import RATE_LIMIT_SECONDS, Api, words

API = "https://discord.com/api/v10"
_USER_AGENT = "DiscordBot (video-manager, 1)"
"""Discord turns away calls whose User-Agent does not look like this."""
_SILENT = 1 << 12
_ADMINISTRATOR = 1 << 3
VIEW, SEND, ATTACH, READ_HISTORY = 1 << 10, 1 << 11, 1 << 15, 1 << 16
RIGHTS = {
    VIEW: "View Channel", SEND: "Send Messages", ATTACH: "Attach Files", READ_HISTORY: "Read Message History",
}  # fmt: skip
NO_SUCH_MESSAGE = 10008

_TOO_FAST = frozenset({20016, 20028, 20029})
"""Slow mode, and the write limits of a channel and of a server."""
_FOR_PEOPLE = {
    10003: "the channel does not exist any more", 10004: "the server does not exist any more",
    10015: "the webhook was deleted: make a new one and enter its address", 40001: "the bot's token is wrong",
    50001: "the bot cannot see the channel: give it the right View Channel",
    50013: "a right is missing: give it View Channel, Send Messages, Attach Files and Read Message History",
    50024: "this kind of channel takes no messages: choose a text channel",
    50027: "the webhook's address is wrong: copy it again", 50083: "the thread is archived: open it again",
    160005: "the thread is locked: unlock it",
}  # fmt: skip


class Discord:
    """`base` is the address that all calls begin with; that of a webhook holds its secret."""

    def __init__(self, context: PublisherContext, base: str, *, secret: str, token: str | None = None) -> None:
        self._api = Api(context, "Discord", fault_of, hidden=(secret,))
        self._base = base
        self._headers = {"User-Agent": _USER_AGENT} | ({"Authorization": f"Bot {token}"} if token else {})

    async def get(self, path: str, **query: Any) -> Any:
        return await self._api.json("GET", self._base + path, signed=False, headers=self._headers, params=query)

    async def send(self, path: str, post: Post, filename: str, payload: Mapping[str, Any], **query: str) -> Any:
        """Make the message. The video is read piece by piece while it is sent."""
        with post.video.open("rb") as video:
            made = await self._api.json(
                "POST", self._base + path, signed=False, publishes=True, headers=self._headers, params=query,
                data={"payload_json": json.dumps(payload)}, files={"files[0]": (filename, video, post.video_type)},
            )  # fmt: skip
        if not isinstance(made, dict) or not {"id", "channel_id"} <= made.keys():
            raise RetryableError("Discord answered without the message")
        return made

    async def delete(self, path: str, **query: str) -> None:
        """A message that is gone already is no fault."""
        answer = await self._api.call(
            "DELETE", self._base + path, signed=False, headers=self._headers, params=query, ok={204, 404}
        )
        if answer.status_code == httpx.codes.NOT_FOUND and _body(answer).get("code") != NO_SUCH_MESSAGE:
            raise fault_of(answer) or PermanentError(f"Discord answered 404: {words(answer)}")

    async def rights(self, channel: Mapping[str, Any], bot_id: str) -> int:
        """What the bot may do in the channel, as bits: its roles' rights, then what the channel changes for everyone,
        for the roles, and for the bot, in this order."""
        guild = channel["guild_id"]
        member = await self.get(f"/guilds/{guild}/members/{bot_id}")
        roles = set(member["roles"])
        rights = 0
        for role in await self.get(f"/guilds/{guild}/roles"):
            if role["id"] == guild or role["id"] in roles:
                rights |= int(role["permissions"])
        if rights & _ADMINISTRATOR:
            return sum(RIGHTS)
        changes = {one["id"]: one for one in channel.get("permission_overwrites", [])}
        for ids in ({guild}, roles, {bot_id}):
            concerned = [changes[id] for id in ids if id in changes]
            for one in concerned:
                rights &= ~int(one["deny"])
            for one in concerned:
                rights |= int(one["allow"])
        return rights


def payload_of(content: str, *, silent: bool, mentions: str) -> dict[str, Any]:
    """Nobody is pinged by what stands in a text, unless the person chose so."""
    allowed = {"parse": [] if mentions == "none" else [mentions]}
    return {"content": content, "allowed_mentions": allowed, "flags": _SILENT if silent else 0}


def fault_of(answer: httpx.Response) -> WorkError | None:
    """By Discord's own codes, which say more than the status."""
    body = _body(answer)
    code = body.get("code", 0)
    text = f"Discord answered {answer.status_code}: {words(answer)}"
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or code in _TOO_FAST:
        return LimitReached(text, _wait_seconds(answer, body))
    if code in _FOR_PEOPLE or answer.status_code == httpx.codes.UNAUTHORIZED:
        advice = _FOR_PEOPLE.get(code, "enter the bot's token or the webhook's address again")
        return ActionRequiredError(f"{text}; {advice}")
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE or code == 40005:
        return PermanentError(f"{text}; the server takes no file of this size: lower the channel's file limit")
    if code and answer.status_code < 500:
        return PermanentError(text)
    if answer.status_code in (403, 404):
        return ActionRequiredError(f"{text}; look whether the channel and its rights are as they were")
    return None


def _wait_seconds(answer: httpx.Response, body: Mapping[str, Any]) -> float:
    for named in (body.get("retry_after"), answer.headers.get("X-RateLimit-Reset-After"),
                  answer.headers.get("Retry-After")):  # fmt: skip
        try:
            return float(named)  # type: ignore[arg-type] # what is no number raises
        except (TypeError, ValueError):
            continue
    return RATE_LIMIT_SECONDS


def _body(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
