import pytest
from tests.fakes.clock import VirtualClock

from video_manager.gateway.throttle import SignInThrottled, Throttle


async def test_after_too_many_failures_an_address_waits_and_others_do_not() -> None:
    clock = VirtualClock()
    throttle = Throttle(clock, 3)
    for _ in range(3):
        throttle.begin("192.0.2.1")
        await clock.advance(10)
    with pytest.raises(SignInThrottled) as caught:
        throttle.begin("192.0.2.1")
    assert caught.value.retry_after_seconds == 30
    throttle.begin("192.0.2.2")
    await clock.advance(30)
    throttle.begin("192.0.2.1")


def test_a_right_password_is_forgiven() -> None:
    throttle = Throttle(VirtualClock(), 1)
    for _ in range(5):
        throttle.begin("192.0.2.1")
        throttle.forgive("192.0.2.1")


def test_one_network_of_ipv6_counts_as_one() -> None:
    throttle = Throttle(VirtualClock(), 1)
    throttle.begin("2001:db8::1")
    with pytest.raises(SignInThrottled):
        throttle.begin("2001:db8::ffff")
    throttle.begin("2001:db8:0:1::1")


def test_many_addresses_take_bounded_memory() -> None:
    throttle = Throttle(VirtualClock(), 1)
    for number in range(10_050):
        throttle.begin(f"host {number}")
    assert len(throttle._attempts) == 10_000
