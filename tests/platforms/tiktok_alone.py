"""TikTok's publisher by itself, with the token of one account."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.integration.publishing.lone_context import FixedAccess
from tests.platforms.alone import Alone, alone

from video_manager.fakes import tiktok
from video_manager.fakes.tiktok import TikTokFake
from video_manager.plugins.publishers.tiktok import TikTokOptions, TikTokPublisher

PUBLISHER = TikTokPublisher()
OPTIONS = TikTokOptions(audited=True)
THREE_CHUNKS = 25_000_001
"""Two of a third, and one that publishes."""


class SameToken(FixedAccess):
    """Renewing brings the same one."""

    async def token(self, renew: Any, refused: str | None) -> str:
        del renew, refused
        return self.kept


async def alone_at_tiktok(folder: Path) -> AsyncIterator[Alone]:
    async with alone(TikTokFake, folder) as found:
        found.access.kept = fake(found).desk.issue(tiktok.ACCOUNT, tiktok.SCOPES)["access_token"]
        yield found


def fake(at: Alone) -> TikTokFake:
    found = at.network.fakes["tiktok"]
    assert isinstance(found, TikTokFake)
    return found
