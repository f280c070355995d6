"""Ids of stored files."""

import re

from video_manager.errors import InvalidInput

_ID = re.compile(r"[A-Za-z0-9._-]{1,120}")


def checked_id(id: str) -> str:
    """Raises InvalidInput for an id that could be anything but one plain file name."""
    if not _ID.fullmatch(id) or not id.strip("."):
        raise InvalidInput.field("id", f"{id!r} is no file id: 1 to 120 letters, digits, dots, dashes or underscores")
    return id
