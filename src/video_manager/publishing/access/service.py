"""What a publisher's context offers of the outside: the channel's token, its app, what is left of quotas."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from video_manager.errors import ActionRequiredError
from video_manager.plugins.api import OAuth, OAuthApp, Options, Publisher, Quota, Token
from video_manager.ports import Clock
from video_manager.publishing.access import oauth
from video_manager.publishing.access.apps import Apps
from video_manager.publishing.access.tokens import Tokens
from video_manager.publishing.access.vault import Secrets, Vault
from video_manager.publishing.quotas import Quotas


@dataclass(frozen=True)
class AccessService:
    vault: Vault
    tokens: Tokens
    apps: Apps
    quotas: Quotas
    transport: httpx.AsyncBaseTransport
    clock: Clock

    async def of(self, publisher: Publisher[Any], options: Options, owner: str, kept: Secrets) -> "ChannelAccess":
        """`owner` is the channel's id, or that of a connection under way; `kept` are its secrets."""
        app = kept.app
        if app is None and publisher.oauth is not None and not publisher.registers_apps:
            app = await self.apps.of_operator(publisher.name)
        return ChannelAccess(self, publisher, publisher.oauth_at(options), owner, app)

    async def secrets(self, owner: str) -> Secrets:
        return await self.vault.get(owner)


class ChannelAccess:
    """The Access (see publishing/context.py) of one owner."""

    def __init__(
        self, service: AccessService, publisher: Publisher[Any], way: OAuth | None, owner: str, app: OAuthApp | None
    ) -> None:
        self._service = service
        self._publisher = publisher
        self._way = way
        self._owner = owner
        self._app = app

    @property
    def app(self) -> OAuthApp:
        if self._app is not None:
            return self._app
        if self._publisher.registers_apps:
            raise ActionRequiredError(f"nobody signed in at {self._publisher.title} here: connect the channel again")
        raise ActionRequiredError(
            f"no app is registered for {self._publisher.title}: enter its client id and secret under Channels"
        )

    async def token(self, renew: Callable[[Token | None], Awaitable[Token]], refused: str | None) -> str:
        return await self._service.tokens.token(self._owner, renew, refused)

    async def renewed(self, token: Token) -> Token:
        if self._way is None:
            raise ActionRequiredError(f"{self._publisher.title} has no way to renew this connection: connect it again")
        service = self._service
        return await oauth.renewed(
            self._way, self.app, token, service.transport, service.clock.now(), self._publisher.title
        )

    async def spend(self, quota: str, cost: int) -> None:
        await self._service.quotas.spend(self._publisher.name, self._owner, self._quota(quota), cost)

    def _quota(self, name: str) -> Quota:
        return next(quota for quota in self._publisher.quotas if quota.name == name)
