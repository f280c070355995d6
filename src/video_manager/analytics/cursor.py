"""The cursor of the publications' list: the sorting it belongs to, and the last row seen."""

import base64
import binascii
import json

from video_manager.domain.metrics import Metric
from video_manager.errors import InvalidInput


def write_cursor(sort: Metric | None, descending: bool, value: float, id: str) -> str:
    text = json.dumps([sort, descending, value, id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, sort: Metric | None, *, descending: bool) -> tuple[float, str]:
    """Raises InvalidInput for a cursor that this list, sorted this way, did not give out."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise _wrong() from error
    match parts:
        case [by, down, float() | int() as value, str(id)] if (by, down) == (sort, descending):
            return float(value), id
    raise _wrong()


def _wrong() -> InvalidInput:
    return InvalidInput.field("cursor", "is not one this list gave out; start again without a cursor")
