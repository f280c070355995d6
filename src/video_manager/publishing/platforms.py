"""Publishers ready to be called: the plugin, a channel's options, and the context of one call."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from video_manager.domain.channel import Channel
from video_manager.domain.posting import Draft
from video_manager.domain.publication import Publication
from video_manager.domain.video import Finding
from video_manager.errors import ActionRequiredError, InvalidInput, PermanentError
from video_manager.plugins.api import (
    SECRET_FORMAT,
    Account,
    Asked,
    Handle,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
    SchedulingPublisher,
    Token,
)  # fmt: skip
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.ports import WorkFolder
from video_manager.publishing.access.handles import Handles
from video_manager.publishing.access.service import AccessService
from video_manager.publishing.access.vault import Secrets
from video_manager.publishing.context import Call, Progress, PublishingContext, Surroundings, refuse_handle
from video_manager.publishing.folders import FolderPolicy
from video_manager.publishing.rules import PublishingRules
from video_manager.publishing.site.shelf import Site


@dataclass(frozen=True)
class Connected:
    """A publisher with its channel's options and the context of this call."""

    publisher: Publisher[Any]
    options: Options
    context: PublisherContext

    async def connect(self) -> Account:
        return await self.publisher.connect(self.options, self.context)

    async def check(self, post: Post) -> tuple[Finding, ...]:
        return await self.publisher.check(post, self.options, self.context)

    async def upload(self, post: Post) -> Handle:
        return await self.publisher.upload(post, self.options, self.context)

    async def publish(self, post: Post, handle: Handle) -> Published:
        return await self.publisher.publish(post, handle, self.options, self.context)

    async def delete(self, external_id: str) -> None:
        await self.publisher.delete(external_id, self.options, self.context)

    async def ask(self, post: Post, handle: Handle) -> Asked:
        return await self.publisher.ask(post, handle, self.options, self.context)

    async def hand_over(self, post: Post, handle: Handle, at: datetime) -> None:
        await self._scheduling.hand_over(post, handle, at, self.options, self.context)

    async def recall(self, post: Post, handle: Handle) -> Asked:
        return await self._scheduling.recall(post, handle, self.options, self.context)

    @property
    def _scheduling(self) -> SchedulingPublisher[Any]:
        """Raises PermanentError when a plugin that kept times was replaced by one that cannot."""
        if not isinstance(self.publisher, SchedulingPublisher):
            raise PermanentError(f"{self.publisher.title} keeps no times: look there what has become of the post")
        return self.publisher


class Platforms:
    def __init__(
        self, registry: Registry, around: Surroundings, access: AccessService, handles: Handles,
        shelves: Site, rules: PublishingRules,
        work_folder: WorkFolder,
    ) -> None:  # fmt: skip
        self._registry = registry
        self._around = around
        self._access = access
        self.handles = handles
        self._shelves = shelves
        self._work_folder = work_folder
        self._policy = FolderPolicy(rules.published_folder, rules.folder_roots, rules.private_folder)

    async def resolve_options(self, platform: str, given: dict[str, Any]) -> dict[str, Any]:
        """The options as the platform's publisher reads them. Raises InvalidInput with `options.<name>` fields."""
        options = self._registry.resolve_options(PluginKind.PUBLISHER, platform, given, seed=0)
        schema = self._registry.description(PluginKind.PUBLISHER, platform).json_schema
        await self._policy.check(schema, options)
        return options

    def resolve_post_options(self, platform: str, given: dict[str, Any]) -> dict[str, Any]:
        """What is chosen for one post, complete. Raises InvalidInput with `options.<name>` fields."""
        return self._registry.resolve_post_options(platform, given)

    def secret_names(self, platform: str) -> frozenset[str]:
        """The options of a platform that are kept apart, encrypted."""
        schema = self._registry.description(PluginKind.PUBLISHER, platform).json_schema
        fields = schema.get("properties", {})
        return frozenset(name for name, field in fields.items() if field.get("format") == SECRET_FORMAT)

    def kind(self, platform: str) -> type[Publisher[Any]]:
        return self._registry.publisher(platform)

    def is_elsewhere(self, platform: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """Whether these options name another server to sign in at: secrets of the one are not for the other."""
        publisher = self.kind(platform)()
        was, will_be = (publisher.Options.model_construct(**options) for options in (before, after))
        servers = [str(getattr(options, publisher.server_option, "")).rstrip("/") for options in (was, will_be)]
        return servers[0] != servers[1] or publisher.oauth_at(was) != publisher.oauth_at(will_be)

    @asynccontextmanager
    async def connected(
        self, channel: Channel, publication: Publication | None = None, progress: Progress | None = None,
        save_handle: Callable[[Handle], Awaitable[None]] = refuse_handle, secrets: Secrets | None = None,
    ) -> AsyncIterator[Connected]:  # fmt: skip
        """With `secrets`, those instead of the kept ones: the channel is not saved yet.

        Raises ActionRequiredError when the channel's options are not valid any more: the release, the settings or
        the file system changed since they were checked.
        """
        kept = secrets or await self._access.secrets(channel.id)
        try:
            options = await self.resolve_options(channel.platform, {**channel.options, **kept.options})
            publisher = self.kind(channel.platform)()
        except InvalidInput as error:
            raise ActionRequiredError(f"channel {channel.name!r}: {error.detail}; edit the channel") from error
        valid = publisher.Options.model_validate(options)
        around = replace(self._around, site=self._shelves.shelf(publication.approved if publication else None))
        access = await self._access.of(publisher, valid, channel.id, kept)
        account = {**channel.account, "id": channel.account_id, "name": channel.account_name,
                   "url": channel.account_url}  # fmt: skip

        async def renew(token: Token | None, context: PublishingContext) -> Token:
            return await publisher.renew(token, valid, context)

        earlier = self.handles.earlier(publication) if publication else None
        async with self._work_folder(f"publish-{channel.platform}") as folder:
            call = Call(folder, progress or Progress(), save_handle, earlier)
            context = PublishingContext(channel.platform, call, around, access, account, renew)
            yield Connected(publisher, valid, context)


def post_of(publication: Publication, folder: Path) -> Post:
    """The post with its files as they are (or would be) in `folder`."""
    content = publication.content
    draft = Draft(
        video_id=content.video_id, version=content.version, metadata=content.metadata, master=content.master,
        thumbnail=content.thumbnail, captions=content.captions, options=content.options,
    )  # fmt: skip
    return draft_post(draft, folder, publication.id)


def draft_post(draft: Draft, folder: Path, publication_id: str = "") -> Post:
    """The post that a draft would become; without an id it is only checked."""
    master, thumbnail, captions = draft.master, draft.thumbnail, draft.captions
    names = {"video": master, "thumbnail": thumbnail, "captions": captions}
    paths = {role: folder / f"{role}{Path(file.name).suffix.lower()}" for role, file in names.items() if file}
    return Post(
        publication_id=publication_id, video_id=draft.video_id, version=draft.version, title=draft.metadata.title,
        description=draft.metadata.description, tags=draft.metadata.tags, language=draft.metadata.language,
        video=paths["video"], video_sha256=master.sha256, thumbnail=paths.get("thumbnail"),
        thumbnail_sha256=thumbnail.sha256 if thumbnail else None, captions=paths.get("captions"),
        captions_sha256=captions.sha256 if captions else None, duration_seconds=master.duration_seconds or 0.0,
        extra=draft.options, video_bytes=master.size_bytes, video_type=master.content_type, width=master.width or 0,
        height=master.height or 0, frame_rate=master.frame_rate,
        thumbnail_bytes=thumbnail.size_bytes if thumbnail else 0, captions_bytes=captions.size_bytes if captions else 0,
    )  # fmt: skip
