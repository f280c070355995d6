"""Options that are secrets (an app password, a bot's token): kept apart, never shown, tried before they replace."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.integration.publishing.access.access_world import vault_of
from tests.integration.publishing.conftest import RITA, World, open_world

from video_manager.errors import InvalidInput
from video_manager.fakes.network import FakeNetwork
from video_manager.fakes.serving import served
from video_manager.fakes.telegram import BOT_TOKEN, TelegramFake
from video_manager.ports import Query
from video_manager.publishing.access.keyring import Keyring, new_key
from video_manager.publishing.channels import ChannelEdit, NewChannel
from video_manager.publishing.views import channel_view

GIVEN = {"bot_token": BOT_TOKEN, "chat": "@demo_channel"}


@pytest.fixture
def telegram() -> Iterator[str]:
    with served(FakeNetwork([TelegramFake])) as url:
        yield url


@pytest.fixture
async def world(tmp_path: Path, telegram: str) -> AsyncIterator[World]:
    async with open_world(tmp_path, platform_gateway=telegram, allow_private=True) as opened:
        await opened.publishing.service.channels.create(
            RITA, "c1", NewChannel(platform="telegram", name="News", options=GIVEN)
        )
        yield opened


async def test_a_secret_is_in_no_answer_and_in_no_document_but_encrypted(world: World) -> None:
    channel = await world.publishing.service.channels.get(RITA, "c1")
    assert channel.value.options["chat"] == "@demo_channel"
    assert "bot_token" not in channel.value.options
    assert BOT_TOKEN not in channel_view(channel).model_dump_json()
    assert (await vault_of(world).get("c1")).options == {"bot_token": BOT_TOKEN}
    assert not [path for path in world.root.glob("documents.sqlite*") if BOT_TOKEN.encode() in path.read_bytes()]


async def test_what_is_not_entered_stays(world: World) -> None:
    service = world.publishing.service
    await service.edit_channel(RITA, "c1", ChannelEdit(options={"chat": "@demo_channel", "staging_chat": ""}))
    assert (await vault_of(world).get("c1")).options == {"bot_token": BOT_TOKEN}


async def test_wrong_secrets_do_not_replace_those_that_work(world: World) -> None:
    service = world.publishing.service
    wrong = ChannelEdit(options={**GIVEN, "bot_token": "999:another-bots-token"})
    with pytest.raises(InvalidInput, match="cannot be connected"):
        await service.edit_channel(RITA, "c1", wrong)
    assert (await vault_of(world).get("c1")).options == {"bot_token": BOT_TOKEN}
    assert not [row for row in await world.documents.find("credentials", Query()) if row.id != "c1"]


async def test_a_channel_whose_key_is_gone_is_mended_by_entering_its_secret_again(world: World) -> None:
    lost = Keyring([new_key()]).seal("c1", {"options": {}, "token": None, "obtained_at": None})
    await vault_of(world).change("c1", lambda row: row.with_(sealed=lost))
    service = world.publishing.service
    with pytest.raises(InvalidInput) as caught:
        await service.edit_channel(RITA, "c1", ChannelEdit(options={"chat": "@demo_channel"}))
    assert [error.field for error in caught.value.errors] == ["options.bot_token"]
    await service.edit_channel(RITA, "c1", ChannelEdit(options=GIVEN, paused=False))
    assert (await vault_of(world).get("c1")).options == {"bot_token": BOT_TOKEN}


async def test_a_deleted_channel_leaves_no_secret(world: World) -> None:
    await world.publishing.service.delete_channel(RITA, "c1")
    assert await vault_of(world).load("c1") is None
