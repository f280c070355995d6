"""Seeing that a worker has died: what it renews stands still for a whole lease.

Any number of processes may watch, each by its own monotonic clock; what they conclude is written by compare-and-set on
the mark that stood still.
"""

from collections.abc import Mapping

from video_manager.ports import Clock

Mark = tuple[int, int]
"""Attempt and renewals: a living worker changes it."""


class LeaseWatch:
    def __init__(self, lease_seconds: float, clock: Clock) -> None:
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._looked_at = clock.monotonic()
        self._seen: dict[str, tuple[Mark, float]] = {}

    def expired(self, marks: Mapping[str, Mark]) -> list[str]:
        """One look at everything that is claimed now: the ids whose mark has stood still for a lease.

        After a gap between looks nobody is blamed: the store was away, so that no worker could renew either, or this
        process was held up. The lease counts anew from then.
        """
        now = self._clock.monotonic()
        if now - self._looked_at > self._lease_seconds / 2:
            self._seen = {}
        self._looked_at = now
        seen = {}
        for id, mark in marks.items():
            known = self._seen.get(id)
            seen[id] = known if known is not None and known[0] == mark else (mark, now)
        self._seen = seen
        return [id for id, (_, since) in seen.items() if now - since >= self._lease_seconds]
