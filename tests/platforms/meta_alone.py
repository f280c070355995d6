"""Instagram and Facebook by themselves against Meta's fake, with a token of the Page or of the person."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.platforms.alone import SHORT, Alone, alone

from video_manager.fakes import meta
from video_manager.plugins.api import Publisher


@asynccontextmanager
async def alone_at_meta(
    root: Path, publisher: Publisher[Any], account: Mapping[str, Any], scopes: Sequence[str]
) -> AsyncIterator[Alone]:
    """It holds the Page's token."""
    async with alone(meta.MetaFake, root, publisher, {}, account=account, facts=SHORT) as it:
        fake = meta_of(it)
        fake.desk.client_id, fake.desk.client_secret = "client-id", "client-secret"
        it.access.kept = fake.page_token(meta.PAGE, scopes)
        yield it


def meta_of(it: Alone) -> meta.MetaFake:
    return it.fake_of(meta.MetaFake)


def signed_in(it: Alone, scopes: Sequence[str]) -> str:
    """The person's first token, as the sign-in desk gives it."""
    token: str = meta_of(it).desk.issue(meta.PERSON, scopes)["access_token"]
    it.access.kept = token
    return token


def bytes_calls(it: Alone) -> list[str]:
    """The calls that sent bytes."""
    return [call.path for call in it.network.calls if call.host == "rupload.facebook.com"]


async def send_part(it: Alone, url: str, length: int) -> None:
    """The first bytes of the video, and no more: as when a connection breaks."""
    content = it.post().video.read_bytes()
    headers = {
        "Authorization": f"OAuth {it.access.kept}", "offset": "0", "file_size": str(len(content)),
    }  # fmt: skip
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(
            f"{it.gateway}/{url.removeprefix('https://')}", headers=headers, content=content[:length]
        )
    assert answer.json()["debug_info"]["retriable"] is True
