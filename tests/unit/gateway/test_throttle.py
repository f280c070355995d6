from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fakes.clock import VirtualClock

from video_manager.adapters.embedded.documents import SqliteDocuments
from video_manager.gateway.throttle import SignInThrottled, Throttle


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    store = SqliteDocuments(tmp_path / "documents.sqlite")
    await store.open()
    yield store
    await store.close()


async def throttle_of(store: SqliteDocuments, limit: int, clock: VirtualClock | None = None) -> Throttle:
    throttle = Throttle(store, clock or VirtualClock(), limit)
    await throttle.open()
    return throttle


async def test_after_too_many_failures_an_address_waits_and_others_do_not(store: SqliteDocuments) -> None:
    clock = VirtualClock()
    throttle = await throttle_of(store, 3, clock)
    for _ in range(3):
        await throttle.begin("192.0.2.1")
        await clock.advance(10)
    with pytest.raises(SignInThrottled) as caught:
        await throttle.begin("192.0.2.1")
    assert caught.value.retry_after_seconds == 30
    await throttle.begin("192.0.2.2")
    await clock.advance(30)
    await throttle.begin("192.0.2.1")


async def test_a_right_password_is_forgiven(store: SqliteDocuments) -> None:
    throttle = await throttle_of(store, 1)
    for _ in range(5):
        await throttle.begin("192.0.2.1")
        await throttle.forgive("192.0.2.1")


async def test_one_network_of_ipv6_counts_as_one(store: SqliteDocuments) -> None:
    throttle = await throttle_of(store, 1)
    await throttle.begin("2001:db8::1")
    with pytest.raises(SignInThrottled):
        await throttle.begin("2001:db8::ffff")
    await throttle.begin("2001:db8:0:1::1")


async def test_old_attempts_take_no_room(store: SqliteDocuments) -> None:
    clock = VirtualClock()
    throttle = await throttle_of(store, 1, clock)
    for number in range(20):
        await throttle.begin(f"host {number}")
    await clock.advance(50)
    await throttle.begin("a late one")
    assert await throttle.sweep() == 0
    await clock.advance(11)
    assert await throttle.sweep() == 20
    assert await store.count("sign_in_attempts") == 1
