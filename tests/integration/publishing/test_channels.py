from pathlib import Path

import pytest
from tests.integration.publishing.conftest import FOLDER, RITA, SITE, VIC, World, open_world

from video_manager.domain.access import SYSTEM
from video_manager.errors import Conflict, Forbidden, InvalidInput, NotFound, StaleRevision
from video_manager.publishing.channels import ChannelEdit, NewChannel


async def test_the_first_start_makes_a_site_and_a_folder(world: World) -> None:
    channels = (await world.publishing.service.channels.list(VIC)).items
    assert {(one.value.id, one.value.platform) for one in channels} == {(SITE, "site"), (FOLDER, "folder")}
    folder = next(one.value for one in channels if one.value.platform == "folder")
    assert folder.account_name == str(world.published)
    await world.publishing.service.delete_channel(RITA, FOLDER)
    await world.publishing.open()
    await world.publishing.ensure_first_channels()
    assert [one.value.id for one in (await world.publishing.service.channels.list(VIC)).items] == [SITE]


async def test_a_channel_is_connected_before_it_is_saved(world: World) -> None:
    channels = world.publishing.service.channels
    new = NewChannel(platform="folder", name="Sub", options={"path": "sub/folder"})
    made = await channels.create(RITA, "c1", new)
    assert made.value.account_name == str(world.published / "sub" / "folder")
    assert (world.published / "sub" / "folder").is_dir()
    again = await channels.create(RITA, "c1", new.model_copy(update={"name": "Other"}))
    assert again.value.name == "Sub"
    with pytest.raises(Forbidden):
        await channels.create(VIC, "c2", new)


@pytest.mark.parametrize(
    "path", ["../outside", "a/../../outside", "/etc", "~/videos", "~nobody-is-called-so/x", "link"]
)
async def test_no_path_leads_out_of_the_allowed_folders(world: World, path: str) -> None:
    (world.published / "link").symlink_to("/tmp")  # noqa: S108 - any folder outside
    with pytest.raises(InvalidInput) as caught:
        await world.publishing.service.channels.create(
            RITA, "c", NewChannel(platform="folder", name="X", options={"path": path})
        )
    assert [error.field for error in caught.value.errors] == ["options.path"]


async def test_a_folder_that_becomes_a_link_outwards_is_not_written_to(world: World) -> None:
    await world.publishing.service.channels.create(
        RITA, "c", NewChannel(platform="folder", name="X", options={"path": "inside"})
    )
    outside = world.root / "outside"
    outside.mkdir()
    (world.published / "inside").rmdir()
    (world.published / "inside").symlink_to(outside)
    await world.create(await world.command(channel="c"))
    await world.run()
    publication = await world.publication()
    assert publication.state.value == "action_required"
    assert "leads out" in (publication.error or "")
    assert not list(outside.iterdir())


async def test_absolute_folders_below_the_settings_roots_are_allowed(tmp_path: Path) -> None:
    root = tmp_path / "elsewhere"
    async with open_world(tmp_path / "data", folder_roots=(root,)) as world:
        made = await world.publishing.service.channels.create(
            RITA, "c", NewChannel(platform="folder", name="X", options={"path": str(root / "videos")})
        )
        assert made.value.account_name == str(root / "videos")


async def test_the_systems_own_folder_is_no_channel(tmp_path: Path) -> None:
    async with open_world(tmp_path / "data", folder_roots=(Path("/"),), private_folder=tmp_path / "data") as world:
        with pytest.raises(InvalidInput, match="own data folder"):
            await world.publishing.service.channels.create(
                RITA, "c", NewChannel(platform="folder", name="X", options={"path": str(tmp_path / "data" / "files")})
            )


async def test_a_folder_that_cannot_be_written_is_told(world: World) -> None:
    (world.published / "file").write_text("not a folder")
    with pytest.raises(InvalidInput, match="cannot write to"):
        await world.publishing.service.channels.create(
            RITA, "c", NewChannel(platform="folder", name="X", options={"path": "file"})
        )


@pytest.mark.parametrize(
    ("platform", "options", "field"),
    [
        ("folder", {"path": 5}, "options.path"),
        ("folder", {"path": "a\nb"}, "options.path"),
        ("folder", {"color": "red"}, "options.color"),
        ("nowhere", {}, "platform"),
    ],
)
async def test_wrong_options_name_their_field(
    world: World, platform: str, options: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await world.publishing.service.channels.create(
            RITA, "c", NewChannel(platform=platform, name="X", options=options)
        )
    assert [error.field for error in caught.value.errors] == [field]


async def test_editing_honours_the_revision_that_was_read(world: World) -> None:
    service = world.publishing.service
    edited = await service.edit_channel(RITA, FOLDER, ChannelEdit(name="Videos"), expected_revision=1)
    assert (edited.value.name, edited.revision) == ("Videos", 2)
    with pytest.raises(StaleRevision):
        await service.edit_channel(RITA, FOLDER, ChannelEdit(name="Other"), expected_revision=1)
    moved = await service.edit_channel(RITA, FOLDER, ChannelEdit(options={"path": "new"}))
    assert moved.value.account_name == str(world.published / "new")


async def test_a_channel_that_is_waited_for_cannot_be_deleted(world: World) -> None:
    service = world.publishing.service
    await service.edit_channel(RITA, FOLDER, ChannelEdit(paused=True))
    id = await world.create(await world.command())
    with pytest.raises(Conflict, match="not finished"):
        await service.delete_channel(RITA, FOLDER)
    await service.cancel(RITA, id)
    await service.delete_channel(RITA, FOLDER)
    with pytest.raises(NotFound):
        await service.channels.get(SYSTEM, FOLDER)
    with pytest.raises(NotFound):
        await service.channel_platform(FOLDER)


async def test_a_disabled_channel_takes_no_new_publications(world: World) -> None:
    await world.publishing.service.edit_channel(RITA, FOLDER, ChannelEdit(enabled=False))
    with pytest.raises(Conflict, match="disabled"):
        await world.publishing.service.channel_platform(FOLDER)
    assert await world.publishing.service.channel_platform(SITE) == "site"
