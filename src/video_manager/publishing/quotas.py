"""Counting what the platforms allow, so that nothing is begun that they would refuse."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from video_manager.domain.model import Frozen, Instant, derived_id
from video_manager.errors import LimitReached
from video_manager.plugins.api import Quota
from video_manager.ports import Clock, CollectionSpec
from video_manager.repository import Repository

QUOTAS = CollectionSpec("quotas")


class Spent(Frozen):
    at: Instant
    cost: int


class QuotaUse(Frozen):
    """What was taken of one quota, the oldest first; what lies before its window is forgotten."""

    id: str
    platform: str
    name: str
    channel_id: str | None
    spent: tuple[Spent, ...] = ()


class Quotas:
    def __init__(self, uses: Repository[QuotaUse], clock: Clock) -> None:
        self._uses = uses
        self._clock = clock

    async def spend(self, platform: str, channel_id: str, quota: Quota, cost: int = 1) -> None:
        """Take so much. Raises LimitReached that says when enough is free again."""
        id, owner = self._key(platform, channel_id, quota)
        await self._uses.add_if_absent(QuotaUse(id=id, platform=platform, name=quota.name, channel_id=owner))

        def take(use: QuotaUse) -> QuotaUse:
            now = self._clock.now()
            spent = within(use.spent, quota, now)
            if sum(one.cost for one in spent) + cost > quota.limit:
                until = free_at(spent, quota, cost, now)
                raise LimitReached(
                    f"{quota.limit} {quota.name} are used up; it goes on at {until:%Y-%m-%d %H:%M} UTC",
                    max(1.0, (until - now).total_seconds()),
                )
            return use.with_(spent=(*spent, Spent(at=now, cost=cost)))

        await self._uses.change(id, take)

    async def used(self, platform: str, channel_id: str, quota: Quota) -> int:
        """How much of it is taken now."""
        loaded = await self._uses.get(self._key(platform, channel_id, quota)[0])
        return 0 if loaded is None else sum(one.cost for one in within(loaded.value.spent, quota, self._clock.now()))

    @staticmethod
    def _key(platform: str, channel_id: str, quota: Quota) -> tuple[str, str | None]:
        owner = channel_id if quota.per_channel else None
        return derived_id("quota", platform, quota.name, owner or ""), owner


def window_start(quota: Quota, now: datetime) -> datetime:
    """Since when what was taken counts."""
    if quota.resets_in is None:
        return now - quota.window
    place = ZoneInfo(quota.resets_in)
    return datetime.combine(now.astimezone(place).date(), time(0), place)


def within(spent: tuple[Spent, ...], quota: Quota, now: datetime) -> tuple[Spent, ...]:
    start = window_start(quota, now)
    # What several processes took lies in the order of their clocks, or nearly so.
    return tuple(sorted((one for one in spent if one.at >= start), key=lambda one: one.at))


def free_at(spent: tuple[Spent, ...], quota: Quota, cost: int, now: datetime) -> datetime:
    """When `cost` more fits: at the zone's midnight, or when enough of the oldest has left the window."""
    if quota.resets_in is not None:
        place = ZoneInfo(quota.resets_in)
        tomorrow = now.astimezone(place).date() + timedelta(days=1)
        return datetime.combine(tomorrow, time(0), place).astimezone(now.tzinfo)
    left = sum(one.cost for one in spent)
    for one in spent:
        left -= one.cost
        if left + cost <= quota.limit:
            return one.at + quota.window
    return now + quota.window
