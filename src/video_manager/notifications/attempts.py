"""Attempts at one delivery: claimed before, recorded after. All on the document, so a crash forgets nothing."""

from datetime import datetime, timedelta

from video_manager.notifications.model import Delivery, DeliveryState, Health
from video_manager.notifications.stores import Stores
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import Loaded, instant_text

RETRY_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800)
"""The wait after each failed try; the last one repeats."""

GIVE_UP_AFTER = timedelta(days=1)
LONGEST_HOLD_SECONDS = 300


def hold_seconds(failures: int) -> int:
    """How long nothing is sent to a recipient after so many failures in a row (from 1)."""
    return min(1 << min(failures, 10), LONGEST_HOLD_SECONDS)


class Attempts:
    """`lease_seconds` is longer than any attempt takes: so long nobody else tries a claimed delivery."""

    def __init__(self, stores: Stores, clock: Clock, lease_seconds: float) -> None:
        self._stores = stores
        self._clock = clock
        self._lease_seconds = lease_seconds

    def held(self, health: Health) -> bool:
        return health.hold_until is not None and health.hold_until > self._clock.now()

    async def due(self, recipient_id: str, limit: int) -> list[Delivery]:
        """What is due for one recipient, the oldest first."""
        where = (
            Where("recipient_id", Op.EQ, recipient_id),
            Where("state", Op.EQ, DeliveryState.PENDING),
            Where("due_at", Op.LE, instant_text(self._clock.now())),
        )
        query = Query(where=where, order_by="created_at", limit=limit)
        return [loaded.value for loaded in await self._stores.deliveries.find(query)]

    async def claim(self, delivery: Delivery) -> Delivery | None:
        """The claimed delivery; None when another process was faster."""
        claimed: list[bool] = []

        def decide(current: Delivery) -> Delivery | None:
            now = self._clock.now()
            claimed[:] = [current.state is DeliveryState.PENDING and current.due_at <= now]
            if not claimed[0]:
                return None
            return current.with_(due_at=now + timedelta(seconds=self._lease_seconds), tries=current.tries + 1)

        loaded: Loaded[Delivery] = await self._stores.deliveries.change(delivery.id, decide)
        return loaded.value if claimed[0] else None

    async def succeed(self, delivery: Delivery, status: int | None = None) -> None:
        now = self._clock.now()
        await self._stores.deliveries.change(
            delivery.id,
            lambda current: current.with_(
                state=DeliveryState.SENT, ended_at=now, last_error=None, last_status=status
            ),
        )  # fmt: skip

    async def fail(
        self, delivery: Delivery, error: str, *, status: int | None = None, retry_after_seconds: float | None = None,
        final: bool = False,
    ) -> None:  # fmt: skip
        """Plan the next try, or give up when it is final or a day old."""
        now = self._clock.now()
        due_at = next_try(delivery.tries, now, retry_after_seconds)

        def decide(current: Delivery) -> Delivery:
            if final or now - current.created_at >= GIVE_UP_AFTER:
                return current.with_(
                    state=DeliveryState.FAILED, ended_at=now, last_error=error, last_status=status
                )  # fmt: skip
            # Never past the day: the last try is at its end.
            latest = max(now, current.created_at + GIVE_UP_AFTER)
            return current.with_(due_at=min(due_at, latest), last_error=error, last_status=status)

        await self._stores.deliveries.change(delivery.id, decide)


def next_try(tries: int, now: datetime, retry_after_seconds: float | None = None) -> datetime:
    wait = RETRY_SECONDS[min(max(tries, 1), len(RETRY_SECONDS)) - 1]
    return now + timedelta(seconds=max(wait, retry_after_seconds or 0))
