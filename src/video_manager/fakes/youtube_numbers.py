"""The audience of the fake YouTube: numbers made up from a video's id, the same whenever they are asked for, so that a
day keeps its numbers, days add up, and the two APIs agree."""

import functools
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Los_Angeles")
"""YouTube's days begin and end there."""
Tally = Counter[str]
"""What may be added up. Besides metrics: `seconds`, all that the views could have lasted, and `cents` of a dollar."""
_SEEN_DAYS = 217
"""After so many days even the most popular video has no views."""


@dataclass(frozen=True)
class _Audience:
    """How a video fares; the rates are for a thousand views."""

    first_day_views: int
    length_seconds: int
    watched_seconds: int
    engaged_views: int
    likes: int
    dislikes: int
    comments: int
    shares: int
    subscribers_gained: int
    subscribers_lost: int
    cents: int


def day_at(moment: float) -> date:
    """YouTube's day at this time (seconds since 1970)."""
    return datetime.fromtimestamp(moment, ZONE).date()


def days_of(video_id: str, since: float, first: date, last: date) -> Iterator[tuple[date, Tally]]:
    """The days between (both included) that have any views of a video that is public since then."""
    born = day_at(since)
    day, end = max(first, born), min(last, born + timedelta(days=_SEEN_DAYS))
    while day <= end:
        tally = _tally(video_id, (day - born).days)
        if tally:
            yield day, tally
        day += timedelta(days=1)


def statistics(video_id: str, since: float | None, now: float) -> dict[str, str]:
    """The Data API's counts, up to this moment. `since` None: it was never public."""
    total = Tally()
    if since is not None:
        for day, tally in days_of(video_id, since, date.min, day_at(now)):
            part = _passed(day, since, now)
            total.update({name: int(value * part) for name, value in tally.items()})
    return {
        "viewCount": str(total["views"]),
        "likeCount": str(total["likes"]),
        "commentCount": str(total["comments"]),
    }


def _passed(day: date, since: float, now: float) -> float:
    """How much of the day's time is over, of that in which the video is public."""
    begin, end = (datetime.combine(one, time.min, ZONE).timestamp() for one in (day, day + timedelta(days=1)))
    begin = max(begin, since)
    return min(1.0, (now - begin) / (end - begin))


def _tally(video_id: str, age_days: int) -> Tally:
    """Many views at first, then fewer; in the end days without any."""
    audience = _audience(video_id)
    swing = _between(70, 130, video_id, age_days)
    views = audience.first_day_views * swing // 100 // (1 + age_days**2 // 6)
    if not views:
        return Tally()
    return Tally(
        views=views,
        engagedViews=views * audience.engaged_views // 1000,
        likes=views * audience.likes // 1000,
        dislikes=views * audience.dislikes // 1000,
        comments=views * audience.comments // 1000,
        shares=views * audience.shares // 1000,
        subscribersGained=views * audience.subscribers_gained // 1000,
        subscribersLost=views * audience.subscribers_lost // 1000,
        estimatedMinutesWatched=views * audience.watched_seconds // 60,
        seconds=views * audience.length_seconds,
        cents=views * audience.cents // 1000,
    )


@functools.lru_cache(maxsize=1024)
def _audience(video_id: str) -> _Audience:
    length = _between(15, 180, video_id, "length")
    return _Audience(
        first_day_views=_between(400, 6000, video_id, "views"),
        length_seconds=length,
        watched_seconds=length * _between(35, 85, video_id, "watched") // 100,
        engaged_views=_between(550, 900, video_id, "engaged"),
        likes=_between(20, 60, video_id, "likes"),
        dislikes=_between(0, 3, video_id, "dislikes"),
        comments=_between(2, 8, video_id, "comments"),
        shares=_between(3, 12, video_id, "shares"),
        subscribers_gained=_between(1, 9, video_id, "gained"),
        subscribers_lost=_between(0, 2, video_id, "lost"),
        cents=_between(20, 300, video_id, "cents"),
    )


def _between(least: int, most: int, *of: object) -> int:
    """A number that depends on nothing but these."""
    digest = hashlib.sha256("\n".join(map(str, of)).encode()).digest()
    return least + int.from_bytes(digest[:8]) % (most - least + 1)
