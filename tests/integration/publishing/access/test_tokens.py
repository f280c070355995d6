"""A rotating platform: the former refresh token dies with its first use: renewing twice cuts a channel off."""

import asyncio
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.integration.publishing.access.access_world import (
    OWNER,
    SkippingClock,
    open_access,
    renewal,
    sign_in,
    tokens_of,
    vault_of,
)
from tests.integration.publishing.conftest import World

from video_manager.adapters.clock import SystemClock
from video_manager.errors import ActionRequiredError, RetryableError
from video_manager.fakes.desk import Desk
from video_manager.fakes.network import FakeNetwork, Fault
from video_manager.plugins.api import Token
from video_manager.publishing.access.tokens import RENEWAL_SECONDS, RETRY_SECONDS
from video_manager.publishing.access.vault import Secrets

HOUR = 3600.0


def renewals(network: FakeNetwork) -> int:
    return sum(call.path == "/token" for call in network.calls)


@pytest.mark.parametrize(("age", "calls"), [(0.0, 0), (0.79 * HOUR, 0), (0.81 * HOUR, 1), (2 * HOUR, 1)])
async def test_a_token_is_renewed_from_four_fifths_of_its_life_on(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock, age: float, calls: int
) -> None:
    token = await sign_in(world, desk, age_seconds=age)
    got = await tokens_of(world, clock).token(OWNER, renewal(world, clock))
    assert renewals(network) == calls
    assert (got == token.access) is (calls == 0)
    kept = (await vault_of(world).get(OWNER)).token
    assert kept is not None
    assert kept.access == got
    assert kept.refresh in desk.refresh


async def test_many_processes_at_once_renew_once(
    tmp_path: Path, world: World, desk: Desk, network: FakeNetwork, gateway: str
) -> None:
    clock = SystemClock()
    await sign_in(world, desk, age_seconds=2 * HOUR)
    async with open_access(tmp_path, gateway, clock) as second, open_access(tmp_path, gateway, clock) as third:
        worlds = [world, second, third]
        processes = [(tokens_of(one, clock), renewal(one, clock)) for one in worlds for _ in range(3)]
        got = await asyncio.gather(*(tokens.token(OWNER, renew) for tokens, renew in processes))
    assert renewals(network) == 1
    assert set(got) <= set(desk.access)
    assert len(set(got)) == 1


async def test_a_refused_token_is_renewed_once_by_all_who_used_it(
    world: World, desk: Desk, network: FakeNetwork
) -> None:
    clock = SystemClock()
    token = await sign_in(world, desk)
    tokens, renew = tokens_of(world, clock), renewal(world, clock)
    got = await asyncio.gather(*(tokens.token(OWNER, renew, refused=token.access) for _ in range(5)))
    assert renewals(network) == 1
    assert {token.access} & set(got) == set()


async def test_a_renewer_that_died_is_replaced(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    await vault_of(world).change(OWNER, lambda row: row.with_(renewer="a dead process", renewals=row.renewals + 1))
    before = clock.monotonic()
    assert await tokens_of(world, clock).token(OWNER, renewal(world, clock)) in desk.access
    assert clock.monotonic() - before > 2 * RENEWAL_SECONDS
    assert renewals(network) == 1


async def test_while_somebody_renews_early_the_former_token_does(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    token = await sign_in(world, desk, age_seconds=0.9 * HOUR)
    await vault_of(world).change(OWNER, lambda row: row.with_(renewer="another", renewals=row.renewals + 1))
    assert await tokens_of(world, clock).token(OWNER, renewal(world, clock)) == token.access
    assert renewals(network) == 0


async def test_a_silent_platform_is_asked_again_later_and_the_living_token_is_used(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    token = await sign_in(world, desk, age_seconds=0.9 * HOUR)
    network.faults.append(Fault("answer", r"/token", status=503, times=2))
    tokens, renew = tokens_of(world, clock), renewal(world, clock)
    assert [await tokens.token(OWNER, renew) for _ in range(4)] == [token.access] * 4
    assert renewals(network) == 1
    clock.skip(RETRY_SECONDS + 1)
    assert await tokens.token(OWNER, renew) == token.access
    clock.skip(RETRY_SECONDS + 1)
    assert await tokens.token(OWNER, renew) != token.access
    assert renewals(network) == 3


async def test_a_silent_platform_and_a_dead_token_are_a_matter_of_time(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    network.faults.append(Fault("before", r"/token"))
    with pytest.raises(RetryableError):
        await tokens_of(world, clock).token(OWNER, renewal(world, clock))
    assert await tokens_of(world, clock).token(OWNER, renewal(world, clock)) in desk.access


async def test_a_lost_answer_with_the_new_token_needs_a_person_who_hears_why(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    network.faults.append(Fault("after", r"/token"))
    tokens, renew = tokens_of(world, clock), renewal(world, clock)
    with pytest.raises(RetryableError):
        await tokens.token(OWNER, renew)
    with pytest.raises(ActionRequiredError, match=r"connect the channel again .*no answer"):
        await tokens.token(OWNER, renew)
    # Whoever connects again is asked for nothing else.
    await sign_in(world, desk)
    assert await tokens.token(OWNER, renew) in desk.access


async def test_a_process_killed_between_the_answer_and_storing_it_needs_a_person_who_hears_why(
    tmp_path: Path, world: World, desk: Desk, network: FakeNetwork, gateway: str, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    started: list[subprocess.Popen[bytes]] = []
    network.faults.append(Fault("after", r"/token", happens=lambda _call: started[0].send_signal(signal.SIGKILL)))
    started.append(
        subprocess.Popen(  # noqa: ASYNC220 - it is waited for in a thread
            [sys.executable, "-m", "tests.integration.publishing.access.dying_renewer", str(tmp_path), gateway]
        )
    )
    assert await asyncio.to_thread(started[0].wait, 60) == -signal.SIGKILL
    row = await vault_of(world).load(OWNER)
    assert row is not None
    assert row.value.renewer
    with pytest.raises(ActionRequiredError, match=r"connect the channel again .*no answer"):
        await tokens_of(world, clock).token(OWNER, renewal(world, clock))
    assert len(desk.spent) == 1


async def test_who_asked_may_give_up_and_the_new_token_is_stored_all_the_same(
    world: World, desk: Desk, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    tokens, renew = tokens_of(world, clock), renewal(world, clock)
    begun = asyncio.Event()

    async def slow(token: Token | None) -> Token:
        new = await renew(token)
        begun.set()
        await asyncio.sleep(0.05)
        return new

    asking = asyncio.create_task(tokens.token(OWNER, slow))
    await begun.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await tokens.close()
    kept = (await vault_of(world).get(OWNER)).token
    assert kept is not None
    assert kept.access in desk.access
    assert kept.refresh in desk.refresh


async def test_connected_anew_while_renewing_the_persons_token_stays(
    world: World, desk: Desk, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    tokens, renew = tokens_of(world, clock), renewal(world, clock)
    brought: list[Token] = []

    async def overtaken(token: Token | None) -> Token:
        new = await renew(token)
        brought.append(await sign_in(world, desk, account="bob"))
        return new

    assert await tokens.token(OWNER, overtaken) == brought[0].access
    assert (await vault_of(world).get(OWNER)).token == brought[0]


async def test_a_platform_that_refuses_the_refresh_token_needs_a_person(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    desk.revoke("ada")
    with pytest.raises(ActionRequiredError, match=r"refused the connection: invalid_grant .*connect the channel"):
        await tokens_of(world, clock).token(OWNER, renewal(world, clock))
    assert renewals(network) == 1


async def test_a_token_that_ends_at_once_does_not_ask_for_ever(world: World, desk: Desk, clock: SkippingClock) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    now = datetime.now(UTC)
    asked = 0

    async def ended(_token: Token | None) -> Token:
        nonlocal asked
        asked += 1
        return Token("over", expires_at=now)

    assert await tokens_of(world, clock).token(OWNER, ended) == "over"
    assert asked == 1


async def test_a_channel_that_was_deleted_meanwhile_keeps_nothing(
    world: World, desk: Desk, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)

    async def gone(_token: Token | None) -> Token:
        await vault_of(world).remove(OWNER)
        return Token("new")

    with pytest.raises(ActionRequiredError):
        await tokens_of(world, clock).token(OWNER, gone)


async def test_too_many_renewals_are_a_later_time(
    world: World, desk: Desk, network: FakeNetwork, clock: SkippingClock
) -> None:
    await sign_in(world, desk, age_seconds=2 * HOUR)
    network.faults.append(Fault("answer", r"/token", status=429, body={"error": "slow"}, headers={"Retry-After": "7"}))
    with pytest.raises(RetryableError, match="429"):
        await tokens_of(world, clock).token(OWNER, renewal(world, clock))


async def test_sealed_secrets_have_no_token_for_nobody(world: World, clock: SkippingClock) -> None:
    """A publisher that signs in by itself gets its first token here."""

    async def first(token: Token | None) -> Token:
        assert token is None
        return Token("first")

    await vault_of(world).put(OWNER, Secrets(options={"password": "x"}), clock.now())
    assert await tokens_of(world, clock).token(OWNER, first) == "first"
    assert (await vault_of(world).get(OWNER)).options == {"password": "x"}
