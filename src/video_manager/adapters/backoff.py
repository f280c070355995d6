"""How long a message that failed waits until its next attempt, and whether that counts."""

import random
from dataclasses import dataclass

from video_manager.errors import RetryableError, StorageFull, Unavailable

_STORE_AWAY = 4
"""Messages wait for a store as if this was their fourth failure: 8 s at most, by the usual delays."""


@dataclass(frozen=True)
class Backoff:
    """Delays between attempts: doubled from the first to the longest, with up to a quarter of jitter."""

    first_seconds: float = 1.0
    longest_seconds: float = 300.0

    def delay_seconds(self, failed_attempts: int) -> float:
        plain = min(self.first_seconds * 2.0 ** min(failed_attempts - 1, 30), self.longest_seconds)
        return plain * random.uniform(0.75, 1.0)  # noqa: S311 - no secret

    def after(self, error: Exception, attempts: int) -> tuple[int, float]:
        """After an attempt that followed `attempts` failed ones: how many have failed now, and the delay in seconds. A
        store that is away or full says nothing about the message: however long that lasts, it is none of its failures.
        """
        if isinstance(error, Unavailable | StorageFull):
            return attempts, self.delay_seconds(_STORE_AWAY)
        named = error.retry_after_seconds if isinstance(error, RetryableError) else None
        return attempts + 1, named if named is not None else self.delay_seconds(attempts + 1)
