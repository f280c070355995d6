"""Slows down guessing: after too many failed sign-ins from one address within a minute, that address waits."""

import contextlib
import ipaddress
from datetime import timedelta

from video_manager.domain.model import Frozen, Instant, derived_id
from video_manager.errors import NotFound, StaleRevision, TooManyRequests
from video_manager.ports import Clock, CollectionSpec, DocumentStore, Op, Query, Where
from video_manager.repository import Repository, instant_text

SIGN_IN_ATTEMPTS = CollectionSpec("sign_in_attempts", indexed=("last_at",))

_WINDOW = timedelta(seconds=60)
_SWEEP_BATCH = 500


class SignInThrottled(TooManyRequests):
    def __init__(self, retry_after_seconds: float) -> None:
        super().__init__(f"too many failed sign-ins; try again in {max(1, round(retry_after_seconds))} seconds")
        self.retry_after_seconds = retry_after_seconds


class Attempts(Frozen):
    """Of one address within the last minute. `id` derives from the address, which is not written down."""

    id: str
    at: tuple[Instant, ...]
    last_at: Instant


class Throttle:
    """Counts in the documents, so that several gateways allow no more than one."""

    def __init__(self, store: DocumentStore, clock: Clock, attempts_per_minute: int) -> None:
        self._attempts = Repository(store, SIGN_IN_ATTEMPTS, Attempts)
        self._clock = clock
        self._limit = attempts_per_minute

    async def open(self) -> None:
        await self._attempts.register()

    async def begin(self, address: str) -> None:
        """Count an attempt before it is checked, so that many at once cannot slip through. Raises SignInThrottled."""
        now = self._clock.now()

        def decide(before: Attempts) -> Attempts:
            recent = [at for at in before.at if at > now - _WINDOW]
            if len(recent) >= self._limit:
                raise SignInThrottled((recent[0] + _WINDOW - now).total_seconds())
            return before.with_(at=(*recent, now), last_at=now)

        first = Attempts(id=_id(address), at=(now,), last_at=now)
        while not await self._attempts.add_if_absent(first):
            try:
                await self._attempts.change(first.id, decide)
            except NotFound:
                continue  # swept in this moment
            return

    async def forgive(self, address: str) -> None:
        """The last attempt was right: it does not count."""
        try:
            await self._attempts.change(_id(address), lambda before: before.with_(at=before.at[:-1]))
        except NotFound:
            return

    async def sweep(self) -> int:
        """Remove what no longer counts; how many addresses."""
        over = Where("last_at", Op.LT, instant_text(self._clock.now() - _WINDOW))
        found = await self._attempts.find(Query((over,), order_by="last_at", limit=_SWEEP_BATCH))
        for row in found:
            # Only if nobody tried again since: the revision is compared.
            with contextlib.suppress(StaleRevision):
                await self._attempts.remove(row.value.id, row.revision)
        return len(found)


def _id(address: str) -> str:
    return derived_id("sign-in", _network(address))


def _network(address: str) -> str:
    """IPv6 hosts choose freely within their /64, so that counts as one address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
