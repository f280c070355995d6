"""What a publisher gets for one call, and how much of it is done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import httpx

from video_manager.plugins.api import Handle, OAuthApp, SiteShelf, Token
from video_manager.plugins.context import LocalContext
from video_manager.ports import Clock


@dataclass
class Progress:
    """Written by the publisher (perhaps from a thread), read by whoever renews the lease."""

    fraction: float = 0.0
    stage: str = "starting"

    def report(self, fraction: float, stage: str) -> None:
        self.fraction, self.stage = fraction, stage


async def refuse_handle(_handle: Handle) -> None:
    """For calls that belong to no attempt."""
    raise RuntimeError("only `upload` may save a handle")


class Access(Protocol):
    """How a channel, or a person who is about to connect one, acts at the platform."""

    @property
    def app(self) -> OAuthApp: ...

    async def token(self, renew: Callable[[Token | None], Awaitable[Token]], refused: str | None) -> str: ...

    async def renewed(self, token: Token) -> Token: ...

    async def spend(self, quota: str, cost: int) -> None: ...


@dataclass(frozen=True)
class Call:
    """What belongs to one call of a publisher: its folder, its progress, and the attempt it is for."""

    work_folder: Path
    progress: Progress = field(default_factory=Progress)
    save_handle: Callable[[Handle], Awaitable[None]] = refuse_handle
    earlier: Handle | None = None


@dataclass(frozen=True)
class Surroundings:
    """What every publisher finds around it."""

    http: httpx.AsyncClient
    clock: Clock
    site: SiteShelf
    published_folder: Path


class PublishingContext(LocalContext):
    """A PublisherContext (see plugins/publisher_api.py)."""

    def __init__(
        self, platform: str, call: Call, around: Surroundings, access: Access, account: Mapping[str, Any],
        renew: Callable[[Token | None, "PublishingContext"], Awaitable[Token]],
    ) -> None:  # fmt: skip
        super().__init__(platform, call.work_folder, call.progress.report)
        self._call = call
        self._around = around
        self._access = access
        self._account = account
        self._renew = renew

    @property
    def save_handle(self) -> Callable[[Handle], Awaitable[None]]:
        return self._call.save_handle

    @property
    def earlier(self) -> Handle | None:
        return self._call.earlier

    @property
    def http(self) -> httpx.AsyncClient:
        return self._around.http

    @property
    def account(self) -> Mapping[str, Any]:
        return self._account

    @property
    def app(self) -> OAuthApp:
        return self._access.app

    async def token(self, refused: str | None = None) -> str:
        return await self._access.token(lambda token: self._renew(token, self), refused)

    async def renewed(self, token: Token) -> Token:
        return await self._access.renewed(token)

    async def spend(self, quota: str, cost: int = 1) -> None:
        await self._access.spend(quota, cost)

    def now(self) -> datetime:
        return self._around.clock.now()

    async def sleep(self, seconds: float) -> None:
        await self._around.clock.sleep(seconds)

    @property
    def site(self) -> SiteShelf:
        return self._around.site

    @property
    def published_folder(self) -> Path:
        return self._around.published_folder
