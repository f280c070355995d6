"""A public post is taken down where the platform allows it, and people hear the platform's words where it does not."""

from pathlib import Path

import pytest
from tests.integration.publishing.conftest import FOLDER, RITA, SITE, VIC, World, open_world

from video_manager.domain.publication import Publication, PublicationState
from video_manager.errors import ActionRequiredError, Conflict, Forbidden, InvalidTransition, RetryableError
from video_manager.plugins.api import PublisherContext
from video_manager.plugins.publishers.folder import FolderOptions, FolderPublisher
from video_manager.publishing.channels import NewChannel


async def published(world: World, channel: str = FOLDER) -> str:
    id = await world.create(await world.command(channel=channel))
    await world.run()
    assert (await world.publication(id)).state is PublicationState.PUBLISHED
    return id


async def taken_down(world: World, id: str) -> Publication:
    return (await world.publishing.service.take_down(RITA, id)).value


async def test_it_is_gone_there_and_that_is_told(world: World) -> None:
    id = await published(world)
    assert world.sets()
    gone = await taken_down(world, id)
    assert world.sets() == []
    assert (gone.state, gone.error, gone.history[-1].by) == (PublicationState.WITHDRAWN, "taken down by Rita", "Rita")
    assert (await world.events())[-1] == "publication.withdrawn"


async def test_the_watch_page_is_gone_too(world: World) -> None:
    id = await published(world, SITE)
    page = (await world.publication(id)).external_id
    await taken_down(world, id)
    assert page is not None
    assert await world.publishing.shelves.find(page) is None


async def test_a_crash_before_it_is_written_down_is_mended_by_asking_again(world: World) -> None:
    """The post is gone, and the ledger does not know: taking it down again ends well."""
    id = await published(world)
    for path in [*world.sidecars(), *(world.published / name for name in world.sets())]:
        path.unlink(missing_ok=True)
    assert (await taken_down(world, id)).state is PublicationState.WITHDRAWN


async def test_only_what_is_public_and_only_by_who_may(world: World) -> None:
    id = await world.create(await world.command())
    with pytest.raises(InvalidTransition, match="only a public post"):
        await taken_down(world, id)
    await world.run()
    with pytest.raises(Forbidden):
        await world.publishing.service.take_down(VIC, id)
    await taken_down(world, id)
    with pytest.raises(InvalidTransition):
        await taken_down(world, id)


class Keeper(FolderPublisher):
    """Refuses to delete, each time in another way."""

    name = "keeper"
    title = "Keeper"
    answers = [RetryableError("busy"), ActionRequiredError("the token is dead")]

    async def delete(self, external_id: str, options: FolderOptions, context: PublisherContext) -> None:
        raise self.answers.pop(0)


class Stone(FolderPublisher):
    name = "stone"
    title = "Stone"
    deletes = False


async def test_what_the_platform_says_is_told_and_it_stays_public(tmp_path: Path) -> None:
    async with open_world(tmp_path, plugins=[Keeper, Stone]) as world:
        channels = world.publishing.service.channels
        for platform in ("keeper", "stone"):
            await channels.create(RITA, platform, NewChannel(platform=platform, name=platform))
        kept = await published(world, "keeper")
        for words in ("busy", "the token is dead"):
            with pytest.raises(Conflict, match=words):
                await taken_down(world, kept)
        command = await world.command(id="q" * 32, channel="stone", title="Noch ein Tag", video_id="v2")
        await world.create(command)
        await world.run()
        with pytest.raises(Conflict, match="Stone lets no program delete"):
            await taken_down(world, "q" * 32)
        assert (await world.publication(kept)).state is PublicationState.PUBLISHED
