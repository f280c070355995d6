"""Staying signed in while nothing is published, and being told in time where that cannot be."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.fakes.desk_platform import DeskFake
from tests.integration.publishing.access.access_world import SkippingClock, register_app, sign_in, vault_of
from tests.integration.publishing.conftest import RITA, World

from video_manager.contracts.envelope import Envelope
from video_manager.domain.channel import Channel
from video_manager.fakes.desk import Desk
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.plugins.api import Account, Token
from video_manager.publishing.access.vault import Secrets
from video_manager.publishing.channels import CHANNELS, Brought, ChannelEdit
from video_manager.repository import Repository

CHANNEL = "c" * 32
DAY = 86400.0


@pytest.fixture(autouse=True)
async def channel(world: World) -> None:
    await register_app(world)
    now = datetime.now(UTC)
    made = Channel(
        id=CHANNEL, name="Ada's", platform="deskgram", options={"section": "news"}, account_name="Ada's channel",
        account_id="ada", created_by="Rita", created_at=now, updated_at=now,
    )  # fmt: skip
    await Repository(world.documents, CHANNELS, Channel).add(made)


async def asked(world: World) -> list[Envelope]:
    unsent = [one for found in await world.documents.unsent(1000) for one in found.messages]
    return [one for one in unsent if one.type == "channel.action_required"]


async def now_is(world: World) -> Channel:
    return (await world.publishing.service.channels.get(RITA, CHANNEL)).value


async def test_a_token_that_nobody_uses_is_renewed_again_and_again(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, CHANNEL)
    for hour in range(1, 6):
        clock.skip(3000)
        network.skew_seconds = clock.skipped
        await world.publishing.keeper.tick()
        await world.publishing.keeper.tick()
        assert len(desk.spent) == hour
    assert not (await now_is(world)).paused


async def test_a_token_that_the_platform_takes_no_more_pauses_and_asks_once(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, CHANNEL, age_seconds=3000)
    desk.revoke("ada")
    for _ in range(3):
        await world.publishing.keeper.tick()
        clock.skip(3600)
    channel = await now_is(world)
    assert (channel.paused, "connect the channel again" in (channel.paused_reason or "")) == (True, True)
    event, *others = await asked(world)
    assert (others, event.data["paused"], event.data["name"], event.subject) == ([], True, "Ada's", CHANNEL)
    assert sum(call.path == "/token" for call in network.calls) == 1


async def test_a_silent_platform_pauses_nothing(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, CHANNEL, age_seconds=3000)
    network.faults.append(Fault("answer", r"/token", status=503, times=5))
    for _ in range(6):
        await world.publishing.keeper.tick()
        clock.skip(61)
    assert not (await now_is(world)).paused
    assert len(desk.spent) == 1


async def test_who_alone_can_renew_is_told_ten_days_before_and_once(world: World, clock: SkippingClock) -> None:
    """LinkedIn: 60 days, and no refresh token for most."""
    now = clock.now()
    token = Token("sixty-days", expires_at=now + timedelta(days=60))
    await vault_of(world).put(CHANNEL, Secrets(token=token, obtained_at=now), now)
    clock.skip(49.9 * DAY)
    await world.publishing.keeper.tick()
    assert await asked(world) == []
    clock.skip(0.2 * DAY)
    for _ in range(3):
        await world.publishing.keeper.tick()
    (event,) = await asked(world)
    assert event.data["paused"] is False
    assert f"{now + timedelta(days=60):%Y-%m-%d}" in event.data["detail"]
    assert not (await now_is(world)).paused
    # Connected again in time: nothing more is said before the next ten days.
    later = clock.now()
    brought = Brought(
        Account("Ada's channel", None, "ada"),
        Secrets(token=Token("next", expires_at=later + timedelta(days=60)), obtained_at=later),
    )
    await world.publishing.service.channels.reconnect(RITA, CHANNEL, brought)
    await world.publishing.keeper.tick()
    clock.skip(51 * DAY)
    await world.publishing.keeper.tick()
    assert len(await asked(world)) == 2


async def test_an_end_that_does_not_move_is_told_once_whatever_is_renewed(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    """TikTok: the refresh token ends a year after the sign-in, however often the access token is renewed."""
    end = clock.now() + timedelta(days=9)
    token = await sign_in(world, desk, CHANNEL)
    desk.also = lambda _grant: {"refresh_expires_in": int((end - clock.now()).total_seconds())}
    kept = Secrets(
        token=Token(token.access, token.expires_at, token.refresh, end), obtained_at=clock.now() - timedelta(days=356)
    )
    await vault_of(world).put(CHANNEL, kept, clock.now())
    for _ in range(4):
        await world.publishing.keeper.tick()
        clock.skip(3500)
        network.skew_seconds = clock.skipped
    assert len(desk.spent) >= 3
    assert len(await asked(world)) == 1


async def test_what_was_never_saved_is_removed_and_nothing_else(
    world: World, platform: DeskFake, clock: SkippingClock
) -> None:
    await sign_in(world, platform.desk, CHANNEL)
    await sign_in(world, platform.desk, "never-saved")
    clock.skip(2 * DAY)
    assert await world.publishing.keeper.sweep() == 1
    vault = vault_of(world)
    assert [await vault.load(id) is None for id in ("never-saved", CHANNEL, "app-deskgram")] == [True, False, False]


async def test_a_key_that_is_gone_pauses_and_asks_and_its_return_mends(
    world: World, desk: Desk, clock: SkippingClock
) -> None:
    token = await sign_in(world, desk, CHANNEL, age_seconds=3000)
    row = await vault_of(world).load(CHANNEL)
    assert row is not None
    sealed = row.value.sealed
    await vault_of(world).change(CHANNEL, lambda it: it.with_(sealed=sealed[:-20] + "A" * 18 + "=="))
    await world.publishing.keeper.tick()
    assert "put the former key back" in ((await now_is(world)).paused_reason or "")
    assert len(await asked(world)) == 1
    await vault_of(world).change(CHANNEL, lambda it: it.with_(sealed=sealed))
    await world.publishing.service.edit_channel(RITA, CHANNEL, ChannelEdit(paused=False))
    kept = (await vault_of(world).get(CHANNEL)).token
    assert kept == token
