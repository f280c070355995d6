"""What Instagram and Facebook have in common: Facebook Login, Pages and their tokens, calls of the Graph API, and the
host that takes the bytes."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

import httpx

from video_manager.errors import ActionRequiredError, NotPublished, PermanentError, RetryableError
from video_manager.plugins.api import OAuth, Post, PublisherContext, Token
from video_manager.plugins.platform_http import Api, bearer, file_bytes
from video_manager.plugins.publishers.meta_errors import ServerTrouble, fault_for

VERSION = "v26.0"
GRAPH = f"https://graph.facebook.com/{VERSION}"
BYTES_HOST = "rupload.facebook.com"
MOST_LISTS = 20
"""Pages of a list that are read at most, of 100 entries each."""
BYTES_TIMEOUT = httpx.Timeout(300.0, connect=10.0)
"""Seconds: after the last byte the host may take its time to answer."""


def facebook_login(scopes: tuple[str, ...], needed: tuple[str, ...]) -> OAuth:
    """PKCE is left out: Meta documents it for OpenID Connect alone. The operator's secret is asked for either way."""
    return OAuth(
        authorize_url=f"https://www.facebook.com/{VERSION}/dialog/oauth",
        token_url=f"{GRAPH}/oauth/access_token",
        scopes=scopes,
        needed=needed,
        pkce=False,
        scope_separator=",",
    )


@dataclass(frozen=True)
class Page:
    """A Page that the person who signed in may use. `token` acts for it and does not end by itself when it comes from a
    long-lived token; `instagram` is the professional account that is linked to it."""

    id: str
    name: str
    link: str | None
    tasks: tuple[str, ...]
    token: str
    instagram: Mapping[str, Any] | None


class Graph:
    """The Graph API as one channel uses it. `title` names the platform in messages."""

    def __init__(self, context: PublisherContext, title: str) -> None:
        self._context = context
        self._title = title
        self._api = Api(context, title, fault_for(title))
        self._bytes = Api(context, title, fault_for(title), _oauth)

    async def get(self, path: str, **parameters: Any) -> Mapping[str, Any]:
        return await self._json("GET", path, params=parameters)

    async def post(
        self, path: str, fields: Mapping[str, Any], *, publishes: bool = False, **parameters: str
    ) -> Mapping[str, Any]:  # fmt: skip
        """Of a call that publishes, a refusal comes as NotPublished, unless Meta speaks of trouble of its own: that
        leaves open whether the call had its effect."""
        try:
            return await self._json("POST", path, data=fields, params=parameters or None, publishes=publishes)
        except NotPublished as refused:
            if isinstance(refused.cause, ServerTrouble):
                raise refused.cause from refused
            raise

    async def delete(self, path: str) -> None:
        await self._json("DELETE", path)

    async def send_file(self, url: str, post: Post, offset: int) -> None:
        """The bytes of the video from `offset` on, to the address that belongs to the upload."""
        if httpx.URL(url).host != BYTES_HOST:
            raise PermanentError(f"{self._title} named an unknown host for the bytes: {httpx.URL(url).host[:100]}")
        size = (await asyncio.to_thread(post.video.stat)).st_size
        headers = {
            "offset": str(offset), "file_size": str(size), "Content-Length": str(size - offset),
            "Content-Type": "application/octet-stream",
        }  # fmt: skip

        def sent(so_far: int) -> None:
            self._context.progress(0.9 * (offset + so_far) / size, "uploading")

        if offset >= size:
            return  # it has them all, and says so in a moment
        stream = file_bytes(post.video, offset, sent=sent)
        answer = await self._bytes.json("POST", url, headers=headers, stream=stream, timeout=BYTES_TIMEOUT)
        if answer.get("success") is False:
            raise RetryableError(f"{self._title} did not take the bytes and gave no reason")

    async def lasting(self, token: Token) -> Token:
        """The token of about 60 days for the first one, with what the person really granted."""
        app = self._context.app
        fields = {
            "grant_type": "fb_exchange_token", "client_id": app.client_id, "client_secret": app.client_secret,
            "fb_exchange_token": token.access,
        }  # fmt: skip
        answer = await self._json("POST", "oauth/access_token", data=fields, signed=False)
        access = str(answer["access_token"])
        seconds = answer.get("expires_in")
        expires_at = self._context.now() + timedelta(seconds=float(seconds)) if seconds else None
        granted = await self._json("GET", "me/permissions", signed=False, headers=bearer(access))
        return Token(access, expires_at, scopes=_granted(granted))

    async def pages(self, needed: Sequence[str]) -> list[Page]:
        """The Pages of the person who signed in. Raises ActionRequiredError when a permission is missing or when there
        is no Page."""
        granted = _granted(await self.get("me/permissions"))
        missing = [scope for scope in needed if scope not in granted]
        if missing:
            raise ActionRequiredError(
                f"{self._title} was not granted {', '.join(missing)}: connect again and leave them ticked"
            )
        fields = "id,name,link,access_token,tasks,instagram_business_account{id,username,name}"
        found = [_page(one) async for one in self.entries("me/accounts", fields=fields)]
        if not found:
            raise ActionRequiredError(
                f"{self._title} shows no Page of this account: choose at least one while connecting"
            )
        return found

    async def entries(self, path: str, **parameters: Any) -> AsyncIterator[Mapping[str, Any]]:
        """Of a list, page by page. The platform's own link to the next page holds the token: it is not used."""
        more: dict[str, Any] = {"limit": 100}
        for _ in range(MOST_LISTS):
            listed = await self.get(path, **parameters, **more)
            for entry in listed.get("data", []):
                yield entry
            paging = listed.get("paging", {})
            if not paging.get("next"):
                return
            more["after"] = paging["cursors"]["after"]

    async def _json(self, method: str, path: str, **call: Any) -> Mapping[str, Any]:
        answer = await self._api.json(method, f"{GRAPH}/{path}", **call)
        if not isinstance(answer, Mapping):
            raise RetryableError(f"{self._title} answered with something else than an object")
        return answer


def _oauth(token: str) -> Mapping[str, str]:
    """The host of the bytes wants this word, and no other."""
    return {"Authorization": f"OAuth {token}"}


def _granted(answer: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(one["permission"]) for one in answer.get("data", []) if one.get("status") == "granted")


def _page(entry: Mapping[str, Any]) -> Page:
    return Page(
        id=str(entry["id"]), name=str(entry.get("name") or entry["id"]), link=entry.get("link"),
        tasks=tuple(entry.get("tasks") or ()), token=str(entry["access_token"]),
        instagram=entry.get("instagram_business_account"),
    )  # fmt: skip


def bytes_there(phase: Mapping[str, Any]) -> int:
    """How many bytes an upload has; the platform spells the field in two ways."""
    return int(phase.get("bytes_transferred") or phase.get("bytes_transfered") or 0)


def text_of(*parts: str, tags: Sequence[str]) -> str:
    """The parts and the tags as hashtags, with an empty line between."""
    hashtags = " ".join("#" + "".join(one for one in tag if one.isalnum() or one == "_") for tag in tags)
    return "\n\n".join(part for part in (*parts, hashtags) if part)


def frames_per_second(post: Post) -> float | None:
    return float(Fraction(post.frame_rate)) if post.frame_rate else None
