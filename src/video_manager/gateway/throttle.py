"""Slows down guessing: after too many failed sign-ins from one address within a minute, that address waits."""

import ipaddress
from collections import OrderedDict, deque

from video_manager.errors import TooManyRequests
from video_manager.ports import Clock

_WINDOW_SECONDS = 60.0
_MAX_ADDRESSES = 10_000


class SignInThrottled(TooManyRequests):
    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"too many failed sign-ins; try again in {max(1, round(retry_after_seconds))} seconds")
        self.retry_after_seconds = retry_after_seconds


class Throttle:
    """Counts in this process only: several gateways allow several times as much, which is still slow."""

    def __init__(self, clock: Clock, attempts_per_minute: int) -> None:
        self._clock = clock
        self._limit = attempts_per_minute
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()

    def begin(self, address: str) -> None:
        """Count an attempt before it is checked, so that many at once cannot slip through. Raises SignInThrottled."""
        now = self._clock.monotonic()
        attempts = self._attempts.setdefault(_network(address), deque())
        self._attempts.move_to_end(_network(address))
        while attempts and attempts[0] <= now - _WINDOW_SECONDS:
            attempts.popleft()
        if len(attempts) >= self._limit:
            raise SignInThrottled(attempts[0] + _WINDOW_SECONDS - now)
        attempts.append(now)
        while len(self._attempts) > _MAX_ADDRESSES:
            self._attempts.popitem(last=False)

    def forgive(self, address: str) -> None:
        """The last attempt was right: it does not count."""
        attempts = self._attempts.get(_network(address))
        if attempts:
            attempts.pop()


def _network(address: str) -> str:
    """IPv6 hosts choose freely within their /64, so that counts as one address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
