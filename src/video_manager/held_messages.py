"""Messages that nobody is bound to yet: each waits longer after every try, and the others go on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from video_manager.contracts.envelope import Envelope
from video_manager.ports import Clock, Unsent

LONGEST_HOLD_SECONDS = 60.0
"""A message nobody is bound to is tried again at least this often."""

Key = tuple[str, str, str]
"""Collection, document and message id."""

_log = logging.getLogger(__name__)


def key_of(document: Unsent, message: Envelope) -> Key:
    return document.collection, document.id, message.id


@dataclass(frozen=True)
class _Hold:
    until: float
    tries: int
    written_at: datetime


class HeldMessages:
    """What could not be routed, and when it is tried again."""

    def __init__(self, clock: Clock, first_seconds: float) -> None:
        self._clock = clock
        self._first_seconds = first_seconds
        self._holds: dict[Key, _Hold] = {}

    def __len__(self) -> int:
        return len(self._holds)

    def __contains__(self, key: Key) -> bool:
        return key in self._holds

    @property
    def documents(self) -> int:
        """How many documents have such a message."""
        return len({key[:2] for key in self._holds})

    def waits(self, key: Key) -> bool:
        """Whether it is held and its next try has not come."""
        hold = self._holds.get(key)
        return hold is not None and hold.until > self._clock.monotonic()

    def hold(self, document: Unsent, message: Envelope, reason: Exception) -> None:
        key = key_of(document, message)
        tries = self._holds[key].tries + 1 if key in self._holds else 1
        delay = min(2.0 ** min(tries - 1, 10) * self._first_seconds, LONGEST_HOLD_SECONDS)
        self._holds[key] = _Hold(self._clock.monotonic() + delay, tries, message.time)
        _log.warning(
            "message %s (%s) of %s in %s waits, next try in %.0f s: %s",
            message.id, message.type, document.id, document.collection, delay, reason,
        )  # fmt: skip

    def release(self, key: Key) -> None:
        """It was sent."""
        self._holds.pop(key, None)

    def keep_only(self, waiting: Sequence[Unsent], before: datetime | None) -> None:
        """Forget what another process has sent meanwhile. `waiting` are all documents that waited before `before`."""
        keys = {key_of(document, message) for document in waiting for message in document.messages}
        self._holds = {
            key: hold
            for key, hold in self._holds.items()
            if key in keys or (before is not None and hold.written_at >= before)
        }
