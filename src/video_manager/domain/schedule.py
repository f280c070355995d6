"""When a channel posts: its slots, its distances and caps, and what becomes of times that were missed.

A slot is a wall-clock time in the channel's zone. A distance or cap says when a post may go out beside others:
`Others.opening` finds the first moment that keeps them all.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, model_validator

from video_manager.domain.model import Frozen
from video_manager.domain.wall_clock import instant_of, zone_of
from video_manager.errors import InvalidInput

SLOT_HORIZON_DAYS = 366
"""How far ahead a free slot is looked for."""
MOST_MINUTES = 7 * 24 * 60
_DAY = timedelta(days=1)
_LONGEST_DAY = timedelta(hours=49)
"""How long two instants of one local day may lie apart, with all that zones have done."""


def _known_zone(name: str) -> str:
    try:
        zone_of(name)
    except InvalidInput as error:
        raise ValueError(error.errors[0].reason) from error
    return name


ZoneName = Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_known_zone)]


class Weekday(StrEnum):
    """In the order of `date.weekday`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_WEEKDAYS = tuple(Weekday)


class MissedRule(StrEnum):
    """What becomes of a publication whose time passed while nothing could go out."""

    PUBLISH_NOW = "publish_now"
    NEXT_SLOT = "next_slot"
    ASK = "ask"


class PostingSlot(Frozen):
    """A time at which the channel posts, every week."""

    weekday: Weekday
    time: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["18:00"])
    """On the clock of the channel's zone."""


class PostingPolicy(Frozen):
    """The defaults hold nothing back. The platform's own pace is kept besides."""

    zone: ZoneName = Field("UTC", description="The IANA zone of slots and days.")
    slots: tuple[PostingSlot, ...] = Field((), max_length=200, description="Where `next_slot` puts a publication.")
    min_distance_minutes: int = Field(0, ge=0, le=MOST_MINUTES, description="Between two posts of the channel.")
    max_per_day: int | None = Field(None, ge=1, le=1000, description="Posts of the channel on one day of the zone.")
    missed: MissedRule = Field(
        MissedRule.PUBLISH_NOW, description="For a time that passed while the system was down or the channel paused."
    )
    hand_over: bool = Field(
        False,
        description="Platforms that can keep the time themselves publish by themselves, also while this system is "
        "off; the video is uploaded soon after the approval.",
    )
    grace_minutes: int = Field(30, ge=0, le=MOST_MINUTES, description="So late counts as in time.")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if len(set(self.slots)) != len(self.slots):
            raise ValueError("each slot may be named once")
        if self.missed is MissedRule.NEXT_SLOT and not self.slots:
            raise ValueError("missed: next_slot needs posting slots")
        return self


class Pace(Frozen):
    """What a platform takes of one account before it refuses or hides posts."""

    max_per_24_hours: int | None = None
    min_distance_minutes: int = 0


# ---- slots --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SlotTime:
    """A slot on one day. `written` is the wall-clock time with its zone, as publications keep it."""

    at: datetime
    written: str


def slot_times(policy: PostingPolicy, after: datetime) -> Iterator[SlotTime]:
    """The slots after an instant, in order, over the horizon. One that the clock skips is at the next valid instant,
    one that it shows twice at the first; slots that fall together are one."""
    place, last = ZoneInfo(policy.zone), after
    times: dict[Weekday, list[str]] = {}
    for slot in sorted(policy.slots, key=lambda slot: slot.time):
        times.setdefault(slot.weekday, []).append(slot.time)
    first = after.astimezone(place).date()
    for offset in range(SLOT_HORIZON_DAYS):
        day = first + timedelta(days=offset)
        for time in times.get(_WEEKDAYS[day.weekday()], ()):
            local = f"{day.isoformat()}T{time}"
            at = instant_of(local, policy.zone)
            if at > last:
                last = at
                yield SlotTime(at, f"{local} {policy.zone}")


def free_slot(
    policy: PostingPolicy, limits: "Limits", after: datetime, taken: Collection[datetime]
) -> SlotTime | None:  # fmt: skip
    """The first slot at which nothing else goes out and which keeps distance and caps; None within the horizon."""
    others = Others(taken, limits)
    return next(
        (slot for slot in slot_times(policy, after) if slot.at not in taken and not others.against(slot.at)), None
    )


# ---- distances and caps -------------------------------------------------------------------------------------


class Hold(StrEnum):
    """Why a post has to wait."""

    DISTANCE = "distance"
    DAY = "day"
    PLATFORM = "platform"


@dataclass(frozen=True)
class Limits:
    """The stricter of what the channel and its platform say."""

    distance: timedelta = timedelta(0)
    per_day: int | None = None
    per_24_hours: int | None = None
    zone: str = "UTC"

    @classmethod
    def of(cls, policy: PostingPolicy, pace: Pace) -> "Limits":
        minutes = max(policy.min_distance_minutes, pace.min_distance_minutes)
        return cls(timedelta(minutes=minutes), policy.max_per_day, pace.max_per_24_hours, policy.zone)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.distance) or self.per_day is not None or self.per_24_hours is not None

    @property
    def memory(self) -> timedelta:
        """How long a post counts."""
        days = _LONGEST_DAY if self.per_day is not None else _DAY if self.per_24_hours is not None else timedelta(0)
        return max(self.distance, days)

    def words(self, hold: Hold) -> str:
        """The rule, for people."""
        if hold is Hold.DISTANCE:
            return f"this channel posts at least {self.distance.total_seconds() / 60:g} minutes apart"
        if hold is Hold.DAY:
            return f"this channel posts at most {self.per_day} a day ({self.zone})"
        return f"the platform takes at most {self.per_24_hours} posts in 24 hours"


@dataclass(frozen=True)
class Opening:
    """When a post may go out, and what kept it from going earlier (None: nothing)."""

    at: datetime
    hold: Hold | None = None


class Others:
    """The posts beside which one is to go out: what went out and what has its time already."""

    def __init__(self, others: Collection[datetime], limits: Limits) -> None:
        self._limits = limits
        self._place = ZoneInfo(limits.zone)
        self._times = sorted(others)
        self._days = [self._day(one) for one in self._times] if limits.per_day is not None else []

    def _day(self, at: datetime) -> int:
        return at.astimezone(self._place).date().toordinal()

    def against(self, at: datetime) -> Hold | None:
        """The first limit that a post at this instant would break."""
        limits, near = self._limits, bisect_left(self._times, at)
        beside = self._times[max(near - 1, 0) : near + 1]
        if any(abs(at - other) < limits.distance for other in beside):
            return Hold.DISTANCE
        if limits.per_day is not None and self._days.count(self._day(at)) >= limits.per_day:
            return Hold.DAY
        if limits.per_24_hours is not None and self._crowds(at, limits.per_24_hours):
            return Hold.PLATFORM
        return None

    def _crowds(self, at: datetime, most: int) -> bool:
        """Whether so many of the others lie with `at` within less than 24 hours."""
        low, high = bisect_left(self._times, at - _DAY), bisect_left(self._times, at + _DAY)
        around = [other for other in self._times[low:high] if abs(other - at) < _DAY]
        return any(
            max(at, around[first + most - 1]) - min(at, around[first]) < _DAY for first in range(len(around) - most + 1)
        )

    def opening(self, wanted: datetime) -> Opening:
        """The first instant from `wanted` on that keeps all limits. It is `wanted`, or one at which a limit ends to
        hold: a distance or 24 hours after another post, or the next midnight of the zone."""
        hold = self.against(wanted)
        if hold is None:
            return Opening(wanted)
        ends = {other + self._limits.distance for other in self._times}
        if self._limits.per_24_hours is not None:
            ends |= {other + _DAY for other in self._times}
        if self._limits.per_day is not None:
            ends |= {self._midnight_after(day) for day in {*self._days, self._day(wanted)}}
        for end in sorted(ends):
            if end > wanted and self.against(end) is None:
                return Opening(end, hold)
        raise AssertionError("unreachable: after the last post and its day every limit has ended")

    def _midnight_after(self, day: int) -> datetime:
        following = datetime.fromordinal(day + 1)
        return instant_of(following, self._limits.zone)
