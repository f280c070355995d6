"""What a publisher's context offers of the outside: the channel's token, the operator's app, what is left of quotas."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from video_manager.errors import ActionRequiredError
from video_manager.plugins.api import OAuthApp, Publisher, Quota, Token
from video_manager.ports import Clock
from video_manager.publishing.access import oauth
from video_manager.publishing.access.tokens import Tokens
from video_manager.publishing.access.vault import Secrets, Vault
from video_manager.publishing.quotas import Quotas

_APP = "app-"


def app_owner(platform: str) -> str:
    """Under which name the vault keeps the operator's app of a platform."""
    return f"{_APP}{platform}"


def is_app(owner: str) -> bool:
    return owner.startswith(_APP)


@dataclass(frozen=True)
class AccessService:
    vault: Vault
    tokens: Tokens
    quotas: Quotas
    transport: httpx.AsyncBaseTransport
    clock: Clock

    async def of(self, publisher: type[Publisher[Any]], owner: str) -> "ChannelAccess":
        """`owner` is the channel's id, or that of a connection under way."""
        app: OAuthApp | None = None
        if publisher.oauth is not None:
            kept = (await self.vault.get(app_owner(publisher.name))).options
            app = OAuthApp(kept["client_id"], kept["client_secret"]) if kept else None
        return ChannelAccess(self, publisher, owner, app)

    async def secrets(self, owner: str) -> Secrets:
        return await self.vault.get(owner)


class ChannelAccess:
    """The Access (see publishing/context.py) of one owner."""

    def __init__(
        self, service: AccessService, publisher: type[Publisher[Any]], owner: str, app: OAuthApp | None
    ) -> None:
        self._service = service
        self._publisher = publisher
        self._owner = owner
        self._app = app

    @property
    def app(self) -> OAuthApp:
        if self._app is None:
            raise ActionRequiredError(
                f"no app is registered for {self._publisher.title}: enter its client id and secret under Channels"
            )
        return self._app

    async def token(self, renew: Callable[[Token | None], Awaitable[Token]], refused: str | None) -> str:
        return await self._service.tokens.token(self._owner, renew, refused)

    async def renewed(self, token: Token) -> Token:
        if self._publisher.oauth is None:
            raise ActionRequiredError(f"{self._publisher.title} has no way to renew this connection: connect it again")
        service = self._service
        return await oauth.renewed(
            self._publisher.oauth, self.app, token, service.transport, service.clock.now(), self._publisher.title
        )

    async def spend(self, quota: str, cost: int) -> None:
        await self._service.quotas.spend(self._publisher.name, self._owner, self._quota(quota), cost)

    def _quota(self, name: str) -> Quota:
        return next(quota for quota in self._publisher.quotas if quota.name == name)
