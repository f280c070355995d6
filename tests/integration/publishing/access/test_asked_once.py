"""Two processes that find the same dead token in the same moment, over one store: the channel is paused and the person
asked once, also when one of them dies between the two."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.fakes.desk_platform import DeskFake
from tests.integration.publishing.access.access_world import SkippingClock, open_access, register_app, sign_in, vault_of
from tests.integration.publishing.access.test_keeper import CHANNEL
from tests.integration.publishing.conftest import RITA, World

from video_manager.domain.channel import Channel
from video_manager.domain.publication import PublicationState as S
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.plugins.api import Account
from video_manager.publishing.access.vault import Secrets
from video_manager.publishing.channels import CHANNELS, Brought, ChannelEdit
from video_manager.repository import Repository

ASKS = ("publication.action_required", "channel.action_required")
IDS = [f"{number}" * 32 for number in (1, 2, 3, 4)]


@pytest.fixture
async def pair(tmp_path: Path, gateway: str, clock: SkippingClock, world: World) -> AsyncIterator[tuple[World, World]]:
    """Two processes' services over one store, with a channel of Ada's and publications that are due."""
    await register_app(world)
    now = datetime.now(UTC)
    made = Channel(
        id=CHANNEL, name="Ada's", platform="deskgram", options={"section": "news"}, account_name="Ada's channel",
        account_id="ada", created_by="Rita", created_at=now, updated_at=now,
    )  # fmt: skip
    await Repository(world.documents, CHANNELS, Channel).add(made)
    async with open_access(tmp_path, gateway, clock) as other:
        yield world, other


async def due(world: World, platform: DeskFake, ids: list[str] = IDS) -> None:
    """Publications, and a token that is dead already."""
    await sign_in(world, platform.desk, CHANNEL)
    for id in ids:
        await world.create(await world.command(id, CHANNEL, f"Video {id[:1]}"))
    platform.desk.revoke("ada")


async def asked(world: World) -> list[str]:
    return [one for one in await world.events() if one in ASKS]


async def channel_of(world: World) -> Channel:
    return (await world.publishing.service.channels.get(RITA, CHANNEL)).value


async def mend(world: World, platform: DeskFake) -> None:
    token = await sign_in(world, platform.desk, "another-owner")
    brought = Brought(Account("Ada's channel", None, "ada"), Secrets(token=token, obtained_at=datetime.now(UTC)))
    await world.publishing.service.channels.reconnect(RITA, CHANNEL, brought)
    await world.publishing.service.resume(RITA, CHANNEL)


@pytest.mark.parametrize("round_", range(5))
async def test_two_uploaders_that_find_it_at_once_ask_once(
    pair: tuple[World, World], platform: DeskFake, round_: int
) -> None:
    first, second = pair
    await due(first, platform)
    for _ in range(3):
        await asyncio.gather(*(one.run() for one in pair))
    assert await asked(first) == ["publication.action_required"]
    states = [(await first.publication(id)).state for id in IDS]
    assert (states.count(S.ACTION_REQUIRED), states.count(S.SCHEDULED)) == (1, 3)
    for one in (*pair, *pair):
        await one.publishing.keeper.tick()
    assert await asked(second) == ["publication.action_required"]
    channel = await channel_of(first)
    assert (channel.paused, channel.asker) == (True, None)
    await mend(first, platform)
    for _ in range(4):
        await asyncio.gather(*(one.run() for one in pair))
    assert {(await first.publication(id)).state for id in IDS} == {S.PUBLISHED}
    assert len(platform.posts) == 4
    assert len(await asked(first)) == 1


async def test_an_uploader_and_a_keeper_that_find_it_at_once_ask_once(
    pair: tuple[World, World], platform: DeskFake
) -> None:
    first, second = pair
    await due(first, platform)
    await vault_of(first).change(CHANNEL, lambda row: row.with_(renew_at=datetime.now(UTC)))
    await asyncio.gather(first.run(2), second.publishing.keeper.tick())
    for one in pair:
        await one.publishing.keeper.tick()
    assert len(await asked(first)) == 1
    assert (await channel_of(first)).paused


async def test_of_two_posts_whose_answer_was_lost_one_asks(
    pair: tuple[World, World], platform: DeskFake, network: FakeNetwork, clock: SkippingClock
) -> None:
    """The platform is asked about both, and takes the token no more."""
    first, _ = pair
    await sign_in(first, platform.desk, CHANNEL)
    network.faults.append(Fault("after", r"POST .*/posts/", times=2, happens=lambda _call: platform.desk.revoke("ada")))
    network.faults.append(Fault("after", r"POST .*/posts/", times=1))
    for id in IDS[:2]:
        await first.create(await first.command(id, CHANNEL, f"Video {id[:1]}"))
    for _ in range(4):
        await asyncio.gather(*(one.run() for one in pair))
    for one in (*pair, *pair):
        await one.publishing.keeper.tick()
    assert len(await asked(first)) == 1
    await mend(first, platform)
    for _ in range(200):
        await asyncio.gather(*(one.run() for one in pair))
        states = [(await first.publication(id)).state for id in IDS[:2]]
        if set(states) == {S.PUBLISHED}:
            break
        clock.skip(30.0)
    assert states == [S.PUBLISHED] * 2
    assert len(platform.posts) == 2
    assert len(await asked(first)) == 1


@pytest.mark.parametrize("keeper_first", [False, True])
async def test_what_was_armed_when_the_token_died_is_posted_afterwards_without_asking_again(
    pair: tuple[World, World], platform: DeskFake, tmp_path: Path, gateway: str, clock: SkippingClock,
    keeper_first: bool,
) -> None:  # fmt: skip
    """It is not known whether it was made, and the platform is asked first, which needs the token too."""

    def revoke_once(name: str) -> None:
        if name == "armed" and not armed:
            armed.append(name)
            platform.desk.revoke("ada")

    armed: list[str] = []
    first, _ = pair
    await sign_in(first, platform.desk, CHANNEL)
    await first.create(await first.command(IDS[0], CHANNEL, "Video 1"))
    async with open_access(tmp_path, gateway, clock, checkpoint=revoke_once) as arming:
        await arming.run()
    if keeper_first:
        await vault_of(first).change(CHANNEL, lambda row: row.with_(renew_at=datetime.now(UTC)))
        await first.publishing.keeper.tick()
    await first.run(2)
    state = (await first.publication(IDS[0])).state
    assert (state, len(await asked(first))) == (S.PENDING if keeper_first else S.ACTION_REQUIRED, 1)
    await mend(first, platform)
    for _ in range(60):
        clock.skip(30.0)
        await first.run()
        if (await first.publication(IDS[0])).state is S.PUBLISHED:
            break
    assert (await first.publication(IDS[0])).state is S.PUBLISHED
    assert (len(platform.posts), len(await asked(first))) == (1, 1)


async def test_whoever_dies_between_pausing_and_asking_is_made_up_for_once(
    pair: tuple[World, World], platform: DeskFake, tmp_path: Path, gateway: str, clock: SkippingClock
) -> None:
    first, _ = pair
    await due(first, platform, IDS[:2])
    process = subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
        [sys.executable, "-m", "tests.integration.publishing.access.dying_asker", str(tmp_path), gateway]
    )
    assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    channel = await channel_of(first)
    assert (channel.paused, channel.asker is not None, await asked(first)) == (True, True, [])
    # Its lease still runs: it might ask any moment, for all that anybody knows.
    await first.publishing.keeper.tick()
    assert await asked(first) == []
    await first.publishing.void_leases()
    for _ in range(2):
        await asyncio.gather(*(one.publishing.keeper.tick() for one in (*pair, *pair)))
        await asyncio.gather(*(one.run() for one in pair))
    assert await asked(first) == ["channel.action_required"]
    assert (await channel_of(first)).asker is None
    assert {(await first.publication(id)).state for id in IDS[:2]} == {S.SCHEDULED}
    await mend(first, platform)
    for _ in range(3):
        await first.run()
    assert {(await first.publication(id)).state for id in IDS[:2]} == {S.PUBLISHED}
    assert len(platform.posts) == 2


async def test_somebody_who_lets_it_go_on_ends_the_asking(pair: tuple[World, World], platform: DeskFake) -> None:
    first, _ = pair
    await due(first, platform, IDS[:1])
    await first.run(2)
    assert (await channel_of(first)).asker is not None
    await first.publishing.service.edit_channel(RITA, CHANNEL, ChannelEdit(paused=False))
    channel = await channel_of(first)
    assert (channel.paused, channel.asker) == (False, None)
    await first.publishing.keeper.tick()
    assert len(await asked(first)) == 1
