"""The `site` platform: the product's own public watch page and podcast feed."""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from typing import ClassVar

from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
)  # fmt: skip


class SiteOptions(Options):
    """The site needs none."""


class SitePublisher(Publisher[SiteOptions]):
    name = "site"
    title = "Own site"
    description = "The system's own public page, with a player, honest counts and a podcast feed."
    Options = SiteOptions
    publish_timeout_seconds: ClassVar[float] = 10.0

    async def connect(self, options: SiteOptions, context: PublisherContext) -> Account:
        return Account(name="the watch page of this system")

    async def upload(self, post: Post, options: SiteOptions, context: PublisherContext) -> Handle:
        context.progress(0.0, "copying to the site")
        handle = {"page_id": await context.site.stage(post)}
        await context.save_handle(handle)
        return handle

    async def publish(self, post: Post, handle: Handle, options: SiteOptions, context: PublisherContext) -> Published:
        page_id = str(handle["page_id"])
        return Published(external_id=page_id, url=await context.site.show(post, page_id))

    async def ask(self, post: Post, handle: Handle, options: SiteOptions, context: PublisherContext) -> Asked:
        page_id = str(handle["page_id"])
        url = await context.site.find(page_id)
        if url is None:
            return Asked(Answer.ABSENT)
        return Asked(Answer.PUBLISHED, Published(external_id=page_id, url=url))

    async def delete(self, external_id: str, options: SiteOptions, context: PublisherContext) -> None:
        await context.site.remove(external_id)
