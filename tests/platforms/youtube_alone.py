"""The YouTube publisher by itself against its fake: one channel, one post, a context for each attempt."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.integration.publishing.lone_context import FixedAccess, client_of, context_of
from tests.platforms.posts import keep, post_of
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
CAPTIONS_TEXT = "WEBVTT\n\n00:00.000 --> 00:01.000\nGrüße\n".encode()


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
    http: httpx.AsyncClient
    network: FakeNetwork

    @property
    def fake(self) -> fakes.YouTubeFake:
        found = self.network.fakes["youtube"]
        assert isinstance(found, fakes.YouTubeFake)
        return found

    def token(self, *scopes: str) -> str:
        return str(self.fake.desk.issue(fakes.CHANNEL, scopes or (fakes.FORCE_SSL,))["access_token"])

    def attempt(self, earlier: Handle | None = None, *, scopes: tuple[str, ...] = (), **facts: Any) -> Attempt:
        access, handles = RenewedAccess(self.token(*scopes)), list[Handle]()
        account = {"id": fakes.CHANNEL, "uploads": fakes.UPLOADS, "long_uploads": "allowed", **facts}
        context = context_of(
            self.root, self.http, save_handle=keep(handles), account=account, earlier=earlier, access=access,
            clock=HastyClock(),
        )  # fmt: skip
        return Attempt(context, access, handles)

    def post(self, size: int = 300_000, extra: Mapping[str, Any] | None = None, **changes: Any) -> Post:
        """With a thumbnail and captions."""
        facts: dict[str, Any] = {
            "publication_id": derived_id("publication", "1"), "thumbnail": b"JPEG" * 100, "thumbnail_sha256": "b",
            "captions": CAPTIONS_TEXT, "captions_sha256": "c", "extra": dict(extra or {}),
        }  # fmt: skip
        return post_of(self.root, size, **{**facts, **changes})

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
        async with client_of(gateway) as http:
            yield Alone(root, http, network)
