"""Raw payloads: platforms' answers and our own events as they came. Everything else can be made again from them."""

from datetime import datetime, timedelta
from typing import Any

from video_manager.contracts.envelope import Envelope
from video_manager.domain.metrics import RawPayload
from video_manager.domain.model import derived_id
from video_manager.ports import CollectionSpec

EVENT = "event"
METRICS = "metrics"

RAW_PAYLOADS = CollectionSpec("raw_payloads", indexed=("loaded", "kind", "source", "subject", "received_at"))


def raw_event(event: Envelope, now: datetime) -> RawPayload:
    return RawPayload(
        id=derived_id("raw", "event", event.id), kind=EVENT, source=event.type, subject=event.subject,
        received_at=now, payload=event.model_dump(mode="json"),
    )  # fmt: skip


def raw_metrics(
    platform: str, publication_id: str, taken_at: datetime, payload: dict[str, Any], slot_seconds: float
) -> RawPayload:
    """One a publication and slot: two collectors at once store it once."""
    slot = int(taken_at.timestamp() // max(slot_seconds, 0.001))
    return RawPayload(
        id=derived_id("raw", "metrics", publication_id, f"{slot_seconds:g}", slot), kind=METRICS, source=platform,
        subject=publication_id, received_at=taken_at, payload=payload,
    )  # fmt: skip


AGE_FACTORS = ((timedelta(days=2), 1), (timedelta(days=14), 10), (timedelta(days=90), 60))
"""Up to which age a post's numbers are taken how many times less often than a new one's."""

LONGEST_INTERVAL_SECONDS = 86400.0


def collect_interval(base_seconds: float, age: timedelta) -> float:
    """Seconds between two collections of a post of this age: old posts change slowly."""
    factor = next((factor for limit, factor in AGE_FACTORS if age < limit), None)
    if factor is None:
        return max(base_seconds, LONGEST_INTERVAL_SECONDS)
    return max(base_seconds, min(base_seconds * factor, LONGEST_INTERVAL_SECONDS))
