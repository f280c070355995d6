"""What all domain objects share: frozen, strict pydantic models and ids derived from their cause."""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator

_NAMESPACE = uuid.UUID("6f0f3f0a-52d9-4f8e-9d58-0f4a8f3c7b11")


def _aware(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("the time needs a zone, for example 2026-11-22T15:00:00Z")
    try:
        value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error
    return value


Instant = Annotated[datetime, AfterValidator(_aware)]
"""A point in time, always with its zone."""


class Frozen(BaseModel):
    """Base of all domain objects: immutable, and unknown fields are refused. So are infinite numbers, which JSON has
    no way to say; among free-form options they are stored as null."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ser_json_inf_nan="null")

    @model_validator(mode="before")
    @classmethod
    def _drop_computed(cls, data: Any) -> Any:
        """Computed fields are stored so that they can be searched; they are computed again when read."""
        if isinstance(data, dict) and cls.model_computed_fields:
            return {name: value for name, value in data.items() if name not in cls.model_computed_fields}
        return data

    def with_(self, **changes: Any) -> Self:
        """A validated copy with these fields changed."""
        return self.model_validate({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})


def derived_id(*cause: str | int) -> str:
    """The same cause gives the same id, so that a repeated message inserts nothing twice."""
    return uuid.uuid5(_NAMESPACE, "/".join(str(part) for part in cause)).hex
