"""Messages for the contract suites."""

from datetime import UTC, datetime

from video_manager.contracts.envelope import Envelope


def message(id: str, type: str = "version.created", *, priority: int = 5, time: datetime | None = None) -> Envelope:
    return Envelope(
        id=id, type=type, source="test", time=time or datetime.now(UTC), subject="s", correlation_id="s",
        priority=priority, data={"n": 1},
    )  # fmt: skip
