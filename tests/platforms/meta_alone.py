"""Instagram and Facebook by themselves against Meta's fake, with a token of the Page or of the person."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
from tests.integration.publishing.lone_context import FixedAccess
from tests.platforms.lone_publisher import LonePublisher, lone_publisher

from video_manager.fakes import meta
from video_manager.plugins.api import Publisher


def alone_at_meta(root: Path, publisher: Publisher[Any], account: Mapping[str, Any], scopes: Sequence[str]) -> Any:
    """A context manager: a LonePublisher that holds the Page's token."""
    return _Opened(root, publisher, account, scopes)


class _Opened:
    def __init__(
        self, root: Path, publisher: Publisher[Any], account: Mapping[str, Any], scopes: Sequence[str]
    ) -> None:
        self._opening = lone_publisher(root, meta.MetaFake, publisher, {}, account, access=FixedAccess())
        self._scopes = scopes

    async def __aenter__(self) -> LonePublisher:
        it = await self._opening.__aenter__()
        fake = meta_of(it)
        fake.desk.client_id, fake.desk.client_secret = "client-id", "client-secret"
        it.access.kept = fake.page_token(meta.PAGE, self._scopes)
        return it

    async def __aexit__(self, *error: object) -> None:
        await self._opening.__aexit__(*error)


def meta_of(it: LonePublisher) -> meta.MetaFake:
    return cast("meta.MetaFake", it.network.fakes["meta"])


def signed_in(it: LonePublisher, scopes: Sequence[str]) -> str:
    """The person's first token, as the sign-in desk gives it."""
    token: str = meta_of(it).desk.issue(meta.PERSON, scopes)["access_token"]
    it.access.kept = token
    return token


def bytes_calls(it: LonePublisher) -> list[str]:
    """The calls that sent bytes."""
    return [call.path for call in it.network.calls if call.host == "rupload.facebook.com"]


async def send_part(it: LonePublisher, url: str, length: int) -> None:
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
