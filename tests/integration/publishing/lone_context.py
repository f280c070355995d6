"""The context of a publisher that is tried by itself: no site, no app, a token that lasts."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from video_manager.adapters.clock import SystemClock
from video_manager.outbound import OutboundTransport
from video_manager.plugins.api import Handle, OAuthApp, Token
from video_manager.ports import Clock
from video_manager.publishing.context import Call, Progress, PublishingContext, Surroundings, refuse_handle


@dataclass
class FixedAccess:
    """An account whose token never changes; what is spent of quotas is written down."""

    kept: str = "a-token"
    spent: list[tuple[str, int]] = field(default_factory=list)

    @property
    def app(self) -> OAuthApp:
        return OAuthApp("client-id", "client-secret")

    async def token(self, renew: Callable[[Token | None], Awaitable[Token]], refused: str | None) -> str:
        if refused is not None:
            self.kept = (await renew(Token(self.kept))).access
        return self.kept

    async def renewed(self, token: Token) -> Token:
        raise AssertionError(f"nobody asked to renew {token}")

    async def spend(self, quota: str, cost: int) -> None:
        self.spent.append((quota, cost))


def client_of(gateway: str | None = None) -> httpx.AsyncClient:
    """What publishers call platforms with; whoever asks for it closes it."""
    transport = OutboundTransport(allow_private=True, setting="(a test)", gateway=gateway)
    return httpx.AsyncClient(transport=transport, timeout=20.0, trust_env=False)


def context_of(
    folder: Path, http: httpx.AsyncClient, progress: Progress | None = None, published: Path | None = None,
    save_handle: Callable[[Handle], Awaitable[None]] = refuse_handle, *, account: Mapping[str, Any] | None = None,
    earlier: Handle | None = None, access: FixedAccess | None = None, clock: Clock | None = None,
) -> PublishingContext:  # fmt: skip
    around = Surroundings(http, clock or SystemClock(), _no_site(), published or folder)
    call = Call(folder, progress or Progress(), save_handle, earlier)

    async def renew(token: Token | None, _context: PublishingContext) -> Token:
        raise AssertionError(f"nobody asked to renew {token}")

    return PublishingContext("folder", call, around, access or FixedAccess(), account or {}, renew)


def _no_site() -> Any:
    return None
