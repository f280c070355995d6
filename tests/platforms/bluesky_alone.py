"""Bluesky's publisher by itself, signed in at the fake."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.platforms.alone import Alone, alone

from video_manager.fakes import bluesky as fake
from video_manager.plugins.api import Post
from video_manager.plugins.publishers.bluesky import BlueskyOptions, BlueskyPublisher

OPTIONS = BlueskyOptions(handle=f"@{fake.HANDLE}", app_password=fake.APP_PASSWORD)


class Lone(Alone):
    @property
    def fake(self) -> fake.BlueskyFake:
        return self.fake_of(fake.BlueskyFake)

    def through(self, way: str) -> None:
        self.options = self.options.model_copy(update={"videos_through": way})

    async def both(self, post: Post) -> dict[str, Any]:
        """The record that became public."""
        published = await self.publish(await self.upload(post), post)
        record: dict[str, Any] = self.fake.records[published.external_id]["value"]
        return record


@asynccontextmanager
async def alone_at_bluesky(folder: Path) -> AsyncIterator[Lone]:
    account = {"did": fake.DID, "handle": fake.HANDLE, "pds": fake.PDS, "id": fake.DID}
    async with alone(fake.BlueskyFake, folder, BlueskyPublisher(), OPTIONS, kind=Lone, account=account) as it:
        it.access.kept = (await it.publisher.renew(None, it.options, it.context())).access
        it.network.calls.clear()
        yield it
