"""The YouTube publisher by itself against its fake: one channel, one post, a context for each attempt."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.publishing.lone_context import FixedAccess, context_of
from tests.platforms.world import HastyClock

from video_manager.domain.model import derived_id
from video_manager.fakes import youtube as fakes
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.api import Handle, Post, Published, PublisherContext, Token
from video_manager.plugins.publishers.youtube import YouTubeOptions, YouTubePublisher

OPTIONS = YouTubeOptions()
PUBLISHER = YouTubePublisher()
TITLE = "Ein Tag am Meer"
SESSION = r"^PUT www.googleapis.com/upload/youtube/v3/videos"
BEGIN = r"^POST www.googleapis.com/upload/youtube/v3/videos"
UPDATE = r"^PUT www.googleapis.com/youtube/v3/videos"
THUMBNAIL = r"^POST .*/thumbnails/set"
CAPTIONS = r"^POST .*/captions"
LIST = r"^GET .*/youtube/v3/videos"
MIB = 2**20


def google_error(status: int, reason: str, message: str = "Google's own words.") -> Fault:
    """An answer as Google words it, to whichever call its pattern is set to."""
    body = {
        "error": {
            "code": status, "message": message, "errors": [{"message": message, "domain": "x", "reason": reason}]
        }
    }  # fmt: skip
    return Fault("answer", status=status, body=body)


@dataclass
class RenewedAccess(FixedAccess):
    """A refused token is replaced by this one."""

    renewal: str = ""

    async def token(self, renew: Callable[[Token | None], Awaitable[Token]], refused: str | None) -> str:
        if refused is not None:
            self.kept = self.renewal
        return self.kept


@dataclass
class Attempt:
    """`handles` are all that were saved, the newest last."""

    context: PublisherContext
    access: RenewedAccess
    handles: list[Handle] = field(default_factory=list)

    @property
    def handle(self) -> Handle:
        return self.handles[-1]


@dataclass
class Alone:
    root: Path
    gateway: str
    network: FakeNetwork
    contexts: list[PublisherContext] = field(default_factory=list)

    @property
    def fake(self) -> fakes.YouTubeFake:
        found = self.network.fakes["youtube"]
        assert isinstance(found, fakes.YouTubeFake)
        return found

    def token(self, *scopes: str) -> str:
        return str(self.fake.desk.issue(fakes.CHANNEL, scopes or (fakes.FORCE_SSL,))["access_token"])

    def attempt(self, earlier: Handle | None = None, *, scopes: tuple[str, ...] = (), **facts: Any) -> Attempt:
        access = RenewedAccess(self.token(*scopes))
        handles: list[Handle] = []

        async def save(handle: Handle) -> None:
            handles.append(handle)

        account = {"id": fakes.CHANNEL, "uploads": fakes.UPLOADS, "long_uploads": "allowed", **facts}
        context = context_of(
            self.root, save_handle=save, gateway=self.gateway, account=account, earlier=earlier, access=access,
            clock=HastyClock(),
        )  # fmt: skip
        self.contexts.append(context)
        return Attempt(context, access, handles)

    def post(self, size: int = 300_000, extra: Mapping[str, Any] | None = None, **changes: Any) -> Post:
        """With a thumbnail and captions."""
        video, image, captions = (self.root / name for name in ("video.mp4", "thumbnail.jpg", "captions.vtt"))
        content = (b"MP4 DATA" * (size // 8 + 1))[:size]
        video.write_bytes(content)
        image.write_bytes(b"JPEG" * 100)
        captions.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nGrüße\n", encoding="utf-8")
        facts: dict[str, Any] = {
            "publication_id": derived_id("publication", "1"), "video_id": "v1", "version": 1, "title": TITLE,
            "description": "Am Meer.", "tags": ("meer", "sommer"), "language": "de", "video": video,
            "video_sha256": hashlib.sha256(content).hexdigest(), "thumbnail": image, "thumbnail_sha256": "b",
            "captions": captions, "captions_sha256": "c", "duration_seconds": 20.0, "video_bytes": size,
            "width": 1080, "height": 1920, "extra": dict(extra or {}),
        }  # fmt: skip
        return Post(**{**facts, **changes})

    async def published(self, post: Post | None = None) -> Published:
        """From nothing to published, in one attempt."""
        attempt, post = self.attempt(), post or self.post()
        handle = await PUBLISHER.upload(post, OPTIONS, attempt.context)
        return await PUBLISHER.publish(post, handle, OPTIONS, attempt.context)

    async def uploaded(self, post: Post, earlier: Handle | None = None) -> Attempt:
        attempt = self.attempt(earlier)
        await PUBLISHER.upload(post, OPTIONS, attempt.context)
        return attempt

    def fail(self, fault: Fault, pattern: str, times: int = 1) -> None:
        fault.pattern, fault.times = pattern, times
        self.network.faults.append(fault)

    def count(self, pattern: str) -> int:
        """How many calls were made of that kind."""
        return sum(Fault("before", pattern).fits(call) for call in self.network.calls)


@asynccontextmanager
async def alone(root: Path) -> AsyncIterator[Alone]:
    network = FakeNetwork([fakes.YouTubeFake])
    with served(network) as gateway:
        here = Alone(root, gateway, network)
        yield here
        for context in here.contexts:
            await context.http.aclose()
