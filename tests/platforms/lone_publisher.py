"""One publisher by itself against its served fake: its options, its account, and every handle that it saves."""

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.publishing.lone_context import FixedAccess, context_of
from tests.platforms.world import HastyClock

from video_manager.domain.video import Severity
from video_manager.errors import NotPublished, WorkError
from video_manager.fakes.network import Fake, FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.api import Asked, Handle, Options, Post, Published, Publisher
from video_manager.publishing.context import PublishingContext


@dataclass
class LonePublisher:
    """`facts` change those of the post, `account` is what connecting found."""

    root: Path
    network: FakeNetwork
    gateway: str
    publisher: Publisher[Any]
    options: Options
    account: Mapping[str, Any]
    access: FixedAccess = field(default_factory=FixedAccess)
    handles: list[Handle] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    video_bytes: int = 300_000
    contexts: list[PublishingContext] = field(default_factory=list)

    def context(self, earlier: Handle | None = None) -> PublishingContext:
        made = context_of(
            self.root, save_handle=self._save, gateway=self.gateway, account=self.account, earlier=earlier,
            access=self.access, clock=HastyClock(),
        )  # fmt: skip
        self.contexts.append(made)
        return made

    async def _save(self, handle: Handle) -> None:
        self.handles.append(dict(handle))

    def post(self) -> Post:
        video = self.root / "video.mp4"
        if not video.exists():
            video.write_bytes(b"".join(b"%07d\n" % place for place in range(self.video_bytes // 8)))
        facts: dict[str, Any] = {
            "publication_id": "f" * 32, "video_id": "v", "version": 1, "title": "Ein Tag", "description": "Am Meer.",
            "tags": ("meer",), "language": "de", "video": video,
            "video_sha256": hashlib.sha256(video.read_bytes()).hexdigest(), "thumbnail": None,
            "thumbnail_sha256": None, "captions": None, "captions_sha256": None, "duration_seconds": 12.4,
            "video_bytes": self.video_bytes, "width": 1080, "height": 1920,
        }  # fmt: skip
        return Post(**{**facts, **self.facts})

    async def upload(self, earlier: Handle | None = None) -> Handle:
        return await self.publisher.upload(self.post(), self.options, self.context(earlier))

    async def publish(self, handle: Handle) -> Published:
        return await self.publisher.publish(self.post(), handle, self.options, self.context())

    async def ask(self, handle: Handle) -> Asked:
        return await self.publisher.ask(self.post(), handle, self.options, self.context())

    async def faults(self) -> list[str]:
        """The codes of what `check` finds."""
        found = await self.publisher.check(self.post(), self.options, self.context())
        return [finding.code for finding in found if finding.severity is Severity.ERROR]

    async def refused_with(self, handle: Handle, fault: Fault | None = None) -> tuple[WorkError, bool]:
        """What `publish` raises, and whether it is certain that nothing was made."""
        self.network.faults += [fault] if fault else []
        try:
            await self.publish(handle)
        except NotPublished as error:
            return error.cause, True
        except WorkError as error:
            return error, False
        raise AssertionError("it was published")


@asynccontextmanager
async def lone_publisher(
    root: Path, fake: type[Fake], publisher: Publisher[Any], options: Mapping[str, Any], account: Mapping[str, Any],
    **more: Any,
) -> AsyncIterator[LonePublisher]:  # fmt: skip
    network = FakeNetwork([fake])
    with served(network) as gateway:
        valid = publisher.Options.model_validate(options)
        it = LonePublisher(root, network, gateway, publisher, valid, account, **more)
        yield it
        for context in it.contexts:
            await context.http.aclose()
