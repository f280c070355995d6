"""A publisher that is tried by itself against its fake: no ledger, no channel, a post of made-up bytes."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.integration.publishing.lone_context import FixedAccess, context_of
from tests.platforms.world import HastyClock

from video_manager.fakes.network import Fake, FakeNetwork
from video_manager.fakes.serving import served
from video_manager.plugins.api import Handle, Post, PublisherContext

PUBLICATION = "0123456789abcdef0123456789abcdef"


@dataclass
class Alone:
    """`handles` are those that were saved, oldest first."""

    network: FakeNetwork
    gateway: str
    folder: Path
    handles: list[Handle] = field(default_factory=list)
    access: FixedAccess = field(default_factory=FixedAccess)
    account: Mapping[str, Any] = field(default_factory=dict)
    contexts: list[PublisherContext] = field(default_factory=list)

    def context(self, earlier: Handle | None = None) -> PublisherContext:
        async def save(handle: Handle) -> None:
            self.handles.append(dict(handle))

        context = context_of(
            self.folder, save_handle=save, gateway=self.gateway, account=self.account, earlier=earlier,
            access=self.access, clock=HastyClock(),
        )  # fmt: skip
        self.contexts.append(context)
        return context

    def post(self, size_bytes: int = 300_000, **changes: Any) -> Post:
        return post_in(self.folder, size_bytes, **changes)

    def calls(self, pattern: str = "") -> list[str]:
        """Those calls, as "METHOD host/path", that contain the pattern."""
        return [call.text for call in self.network.calls if pattern in call.text]


@asynccontextmanager
async def alone(fake: type[Fake], folder: Path) -> AsyncIterator[Alone]:
    network = FakeNetwork([fake])
    with served(network) as gateway:
        found = Alone(network, gateway, folder)
        yield found
        for context in found.contexts:
            await context.http.aclose()


def post_in(folder: Path, size_bytes: int = 300_000, **changes: Any) -> Post:
    """A post whose files lie in the folder: a video of so many bytes, a thumbnail, captions."""
    video, thumbnail, captions = (folder / name for name in ("video.mp4", "thumbnail.jpg", "captions.vtt"))
    block = b"".join(b"%07d\n" % number for number in range(131_072))
    with video.open("wb") as file:
        for start in range(0, size_bytes, len(block)):
            file.write(block[: min(len(block), size_bytes - start)])
    thumbnail.write_bytes(b"JPEG" * 100)
    captions.write_bytes(b"WEBVTT\n\n")
    with video.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    post = Post(
        publication_id=PUBLICATION, video_id="v1", version=1, title="Ein Tag am Meer", description="Am Strand.",
        tags=("meer", "sommer"), language="de-AT", video=video, video_sha256=digest, thumbnail=thumbnail,
        thumbnail_sha256=None, captions=captions, captions_sha256=None, duration_seconds=20.0,
        video_bytes=size_bytes, width=1080, height=1920, thumbnail_bytes=400, captions_bytes=8,
    )  # fmt: skip
    return replace(post, **changes)
