"""Bluesky's publisher by itself, signed in at the fake."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.integration.publishing.lone_context import FixedAccess, context_of
from tests.platforms.posts import keep
from tests.platforms.world import HastyClock

from video_manager.fakes import bluesky as fake
from video_manager.fakes.network import Call, FakeNetwork
from video_manager.fakes.serving import served
from video_manager.plugins.api import Handle, Post, Published
from video_manager.plugins.publishers.bluesky import BlueskyOptions, BlueskyPublisher
from video_manager.publishing.context import PublishingContext

FACTS = {"did": fake.DID, "handle": fake.HANDLE, "pds": fake.PDS, "id": fake.DID}


@dataclass
class Lone:
    """The publisher without the ledger, signed in at the fake."""

    folder: Path
    network: FakeNetwork
    gateway: str
    access: FixedAccess = field(default_factory=FixedAccess)
    saved: list[Handle] = field(default_factory=list)
    account: dict[str, Any] = field(default_factory=lambda: dict(FACTS))
    options: BlueskyOptions = field(
        default_factory=lambda: BlueskyOptions(handle=f"@{fake.HANDLE}", app_password=fake.APP_PASSWORD)
    )
    publisher: BlueskyPublisher = field(default_factory=BlueskyPublisher)
    contexts: list[PublishingContext] = field(default_factory=list)

    @property
    def fake(self) -> fake.BlueskyFake:
        found = self.network.fakes["bluesky"]
        assert isinstance(found, fake.BlueskyFake)
        return found

    def context(self, earlier: Handle | None = None) -> PublishingContext:
        made = context_of(
            self.folder, save_handle=keep(self.saved), gateway=self.gateway, account=self.account, earlier=earlier,
            access=self.access, clock=HastyClock(),
        )  # fmt: skip
        self.contexts.append(made)
        return made

    async def sign_in(self) -> "Lone":
        self.access.kept = (await self.publisher.renew(None, self.options, self.context())).access
        self.network.calls.clear()
        return self

    def through(self, way: str) -> None:
        self.options = self.options.model_copy(update={"videos_through": way})

    async def upload(self, post: Post, earlier: Handle | None = None) -> Handle:
        return await self.publisher.upload(post, self.options, self.context(earlier))

    async def publish(self, post: Post, handle: Handle) -> Published:
        return await self.publisher.publish(post, handle, self.options, self.context())

    async def both(self, post: Post) -> dict[str, Any]:
        """The record that became public."""
        published = await self.publish(post, await self.upload(post))
        record: dict[str, Any] = self.fake.records[published.external_id]["value"]
        return record

    def calls(self, method: str) -> list[Call]:
        return [call for call in self.network.calls if call.path.endswith(method)]


async def alone_at_bluesky(folder: Path) -> AsyncIterator[Lone]:
    network = FakeNetwork([fake.BlueskyFake])
    with served(network) as gateway:
        found = Lone(folder, network, gateway)
        yield await found.sign_in()
        for context in found.contexts:
            await context.http.aclose()
