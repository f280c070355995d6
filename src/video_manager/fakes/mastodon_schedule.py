"""What a Mastodon server is to post at a time: its scheduled statuses, as app/models/scheduled_status.rb has them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LEAST_AHEAD_SECONDS = 300.0
"""Since 4.3 a nearer time is refused; before, the post was made at once."""
MOST, MOST_A_DAY = 300, 25
MOST_IN_A_PAGE = 40


class Unplannable(Exception):
    """The server does not take a time, in its words."""


@dataclass
class Planned:
    """`given` is what the status was posted with, `media` those of its attachments."""

    id: str
    at: datetime
    given: Mapping[str, Any]
    media: list[dict[str, Any]]


class Schedule:
    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._last = 0
        self.planned: dict[str, Planned] = {}

    def add(self, at: str, given: Mapping[str, Any], media: list[dict[str, Any]]) -> Planned:
        """Raises Unplannable."""
        self._last += 1
        made = Planned(str(self._last), self._moment(at), given, media)
        self.planned[made.id] = made
        return made

    def move(self, planned: Planned, at: str) -> None:
        """Raises Unplannable."""
        planned.at = self._moment(at)

    def _moment(self, at: str) -> datetime:
        moment = datetime.fromisoformat(at).astimezone(UTC)
        if moment.timestamp() <= self._now() + LEAST_AHEAD_SECONDS:
            raise Unplannable("Scheduled at The scheduled date must be in the future")
        if len(self.planned) >= MOST:
            raise Unplannable(f"You have exceeded the limit of {MOST} scheduled posts")
        if sum(one.at.date() == moment.date() for one in self.planned.values()) >= MOST_A_DAY:
            raise Unplannable(f"You have exceeded the limit of {MOST_A_DAY} scheduled posts for today")
        return moment

    def page(self, most: int, before: str | None) -> list[Planned]:
        """Those made last come first."""
        newest = sorted(self.planned.values(), key=lambda one: -int(one.id))
        older = [one for one in newest if before is None or int(one.id) < int(before)]
        return older[: min(most, MOST_IN_A_PAGE)]

    def holds(self, media: str) -> bool:
        return any(one["id"] == media for planned in self.planned.values() for one in planned.media)

    def due(self) -> Iterator[Planned]:
        """Take out those whose time has come."""
        for one in sorted(self.planned.values(), key=lambda one: one.at):
            if one.at.timestamp() <= self._now():
                del self.planned[one.id]
                yield one
