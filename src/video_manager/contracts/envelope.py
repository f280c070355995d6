"""The envelope of every message: CloudEvents-like facts around a typed body."""

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from video_manager.domain.model import Instant, derived_id


class Body(BaseModel):
    """Base of message bodies: ids and small facts, never bytes. Unknown fields of later versions are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: ClassVar[str]
    """The message type; a body whose type depends on a field overrides `message_type`."""

    def message_type(self) -> str:
        return type(self).type


class Envelope(BaseModel):
    """`subject` is the id of the aggregate it is about. `correlation_id` is the same along one video's way;
    `causation_id` is the message that caused this one. Commands and events differ only in their names."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    type: str
    source: str
    time: Instant
    subject: str
    correlation_id: str
    causation_id: str | None = None
    priority: int = Field(default=5, ge=0, le=9)
    data: dict[str, Any] = {}


def envelope(
    body: Body, *, source: str, subject: str, now: datetime | None = None, cause: Envelope | None = None,
    correlation_id: str | None = None, id_from: tuple[str | int, ...] | None = None, priority: int = 5,
) -> Envelope:  # fmt: skip
    """Wrap a body. `id_from` derives the id from its cause, so that doing the same twice says it once."""
    kind = body.message_type()
    return Envelope(
        id=derived_id(kind, *id_from) if id_from is not None else uuid.uuid4().hex,
        type=kind,
        source=source,
        time=now or datetime.now(UTC),
        subject=subject,
        correlation_id=correlation_id or (cause.correlation_id if cause else subject),
        causation_id=cause.id if cause else None,
        priority=priority,
        data=body.model_dump(mode="json"),
    )
