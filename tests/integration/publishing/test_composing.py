"""What a channel would post: its defaults and templates, the platform's own choices, and what speaks against it."""

from pathlib import Path
from typing import Any

import pytest
from tests.integration.publishing.conftest import RITA, World, open_world

from video_manager.domain.model import derived_id
from video_manager.domain.posting import Draft, PostTexts
from video_manager.domain.video import Finding, MediaRole, Metadata
from video_manager.errors import Conflict, InvalidInput
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
)
from video_manager.plugins.platform_limits import beyond
from video_manager.publishing.channels import ChannelEdit, NewChannel

ID = derived_id("channel", "choosy")


class ChoosyOptions(Options):
    pass


class ChoosyPostOptions(Options):
    privacy: str = "public"
    for_kids: bool = False


class ChoosyPublisher(Publisher[ChoosyOptions]):
    """Takes short videos only."""

    name = "choosy"
    title = "Choosy"
    description = "For tests."
    Options = ChoosyOptions
    PostOptions = ChoosyPostOptions
    limits = PlatformLimits(max_duration_seconds=10.0)

    async def connect(self, options: ChoosyOptions, context: PublisherContext) -> Account:
        return Account("Choosy")

    async def check(self, post: Post, options: ChoosyOptions, context: PublisherContext) -> tuple[Finding, ...]:
        return beyond(self.name, post, self.limits)

    async def upload(self, post: Post, options: ChoosyOptions, context: PublisherContext) -> Handle:
        return {}

    async def publish(self, post: Post, handle: Handle, options: ChoosyOptions, context: PublisherContext) -> Published:
        return Published("1", None)

    async def ask(self, post: Post, handle: Handle, options: ChoosyOptions, context: PublisherContext) -> Asked:
        return Asked(Answer.ABSENT)

    async def delete(self, external_id: str, options: ChoosyOptions, context: PublisherContext) -> None: ...


async def channel(world: World, **more: Any) -> None:
    new = NewChannel(platform="choosy", name="Kurz", **more)
    await world.publishing.service.channels.create(RITA, ID, new)


async def draft(world: World, **more: Any) -> Draft:
    master = await world.store(MediaRole.MASTER)
    return Draft(video_id="v", version=1, metadata=Metadata(title="Ein Tag"), master=master, **more)


async def test_defaults_are_filled_in_and_a_choice_of_the_person_wins(tmp_path: Path) -> None:
    async with open_world(tmp_path, plugins=[ChoosyPublisher]) as world:
        await channel(world, post_options={"privacy": "unlisted"}, texts=PostTexts(title="{{ title }} kurz"))
        service = world.publishing.service
        by_default = await service.compose(ID, await draft(world))
        assert by_default.options == {"privacy": "unlisted", "for_kids": False}
        assert by_default.metadata.title == "Ein Tag kurz"
        chosen = await service.compose(ID, await draft(world, options={"privacy": "private", "for_kids": True}))
        assert chosen.options == {"privacy": "private", "for_kids": True}


async def test_what_the_platform_would_refuse_is_found_without_asking_it(tmp_path: Path) -> None:
    async with open_world(tmp_path, plugins=[ChoosyPublisher]) as world:
        await channel(world, paused=True)
        composed = await world.publishing.service.compose(ID, await draft(world))
        assert [(one.code, str(one.severity)) for one in composed.findings] == [
            ("channel_paused", "warning"), ("too_long", "error")
        ]  # fmt: skip


async def test_a_choice_that_the_platform_does_not_have_is_refused(tmp_path: Path) -> None:
    async with open_world(tmp_path, plugins=[ChoosyPublisher]) as world:
        await channel(world)
        with pytest.raises(InvalidInput) as refused:
            await world.publishing.service.compose(ID, await draft(world, options={"stars": 5}))
        assert [error.field for error in refused.value.errors] == ["options.stars"]


async def test_wrong_defaults_and_templates_are_not_saved(tmp_path: Path) -> None:
    async with open_world(tmp_path, plugins=[ChoosyPublisher]) as world:
        await channel(world)
        channels = world.publishing.service.channels
        for edit in (ChannelEdit(post_options={"stars": 5}), ChannelEdit(texts=PostTexts(title="{{ titel }}"))):
            with pytest.raises(InvalidInput):
                await channels.update(RITA, ID, edit)
        saved = (await channels.update(RITA, ID, ChannelEdit(post_options={"for_kids": True}))).value
        assert saved.post_options == {"for_kids": True}


async def test_a_disabled_channel_takes_nothing(tmp_path: Path) -> None:
    async with open_world(tmp_path, plugins=[ChoosyPublisher]) as world:
        await channel(world)
        await world.publishing.service.channels.update(RITA, ID, ChannelEdit(enabled=False))
        with pytest.raises(Conflict, match="disabled"):
            await world.publishing.service.compose(ID, await draft(world))
