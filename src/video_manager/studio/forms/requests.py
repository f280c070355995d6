"""From what a person entered to a request body: pydantic's complaints become reasons at fields."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from video_manager.errors import FieldError, InvalidInput

BodyT = TypeVar("BodyT", bound=BaseModel)


def read_body(model: type[BodyT], values: Mapping[str, Any]) -> BodyT:
    """The body, or InvalidInput that names each wrong field by its dotted path."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        found = [
            FieldError(".".join(str(part) for part in item["loc"]), item["msg"].removeprefix("Value error, "))
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise InvalidInput("; ".join(f"{one.field}: {one.reason}" for one in found), found) from error
