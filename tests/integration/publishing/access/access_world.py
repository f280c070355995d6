"""Channels of Deskgram in a folder, that any number of processes open; and a clock that does not wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.fakes.desk_publisher import DeskPublisher
from tests.integration.publishing.conftest import World, open_world

from video_manager.adapters.clock import SystemClock
from video_manager.fakes.desk import Desk
from video_manager.plugins.api import OAuthApp, Token
from video_manager.publishing.access.apps import app_owner
from video_manager.publishing.access.keyring import Keyring, keys_of
from video_manager.publishing.access.oauth import renewed, token_of
from video_manager.publishing.access.tokens import Renew, Tokens
from video_manager.publishing.access.vault import CREDENTIALS, Credential, Secrets, Vault
from video_manager.repository import Repository

APP = OAuthApp("demo-client", "demo-secret")
OWNER = "a-channel"


class SkippingClock(SystemClock):
    """Sleeping moves it on at once; `skip` too."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.skipped)

    def monotonic(self) -> float:
        return super().monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds
        await asyncio.sleep(0.001)

    def skip(self, seconds: float) -> None:
        self.skipped += seconds


@asynccontextmanager
async def open_access(root: Path, gateway: str, clock: SystemClock | None = None, **rules: Any) -> AsyncIterator[World]:
    async with open_world(
        root, clock=clock or SkippingClock(), plugins=[DeskPublisher], platform_gateway=gateway, allow_private=True,
        **rules,
    ) as world:  # fmt: skip
        yield world


def vault_of(world: World) -> Vault:
    return Vault(Repository(world.documents, CREDENTIALS, Credential), Keyring(keys_of((), world.root)))


async def sign_in(
    world: World, desk: Desk, owner: str = OWNER, account: str = "ada", age_seconds: float = 0.0
) -> Token:
    """The token that this person's agreement gives, put into the vault as if it were so old."""
    obtained = datetime.now(UTC) - timedelta(seconds=age_seconds)
    token = token_of(desk.issue(account, ("post", "read")), obtained)
    await vault_of(world).put(owner, Secrets(token=token, obtained_at=obtained), obtained)
    return token


async def register_app(world: World) -> None:
    app = {"client_id": APP.client_id, "client_secret": APP.client_secret}
    await vault_of(world).put(app_owner("deskgram"), Secrets(options=app), datetime.now(UTC))


def renewal(world: World, clock: SystemClock) -> Renew:
    """The standard one, over the world's own way out."""
    oauth = DeskPublisher.oauth
    assert oauth is not None
    transport = world.publishing.http._transport

    async def renew(token: Token | None) -> Token:
        assert token is not None
        return await renewed(oauth, APP, token, transport, clock.now(), "Deskgram")

    return renew


def tokens_of(world: World, clock: SystemClock) -> Tokens:
    """Those of a process of its own, as far as they know."""
    return Tokens(vault_of(world), clock)
