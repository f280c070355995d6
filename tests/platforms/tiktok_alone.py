"""TikTok's publisher by itself, with the token of one account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.platforms.alone import WHOLE, Alone, alone

from video_manager.fakes import tiktok
from video_manager.fakes.tiktok import TikTokFake
from video_manager.plugins.publishers.tiktok import TikTokOptions, TikTokPublisher

PUBLISHER = TikTokPublisher()
OPTIONS = TikTokOptions(audited=True)
THREE_CHUNKS = 25_000_001
"""Two of a third, and one that publishes."""


@asynccontextmanager
async def alone_at_tiktok(folder: Path) -> AsyncIterator[Alone]:
    async with alone(TikTokFake, folder, PUBLISHER, OPTIONS, facts=WHOLE) as found:
        found.access.kept = fake(found).desk.issue(tiktok.ACCOUNT, tiktok.SCOPES)["access_token"]
        yield found


def fake(at: Alone) -> TikTokFake:
    return at.fake_of(TikTokFake)
