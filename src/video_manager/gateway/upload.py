"""One file on its way here."""

import mimetypes
import re
from dataclasses import dataclass
from datetime import timedelta

from video_manager.domain.model import Frozen, Instant
from video_manager.ports import CollectionSpec

UPLOADS = CollectionSpec("uploads", indexed=("created_by", "created_at", "expires_at", "completed_at"))

HANDOVER = timedelta(seconds=5)
"""After a service asked for a finished file it has so long to store a document that names it."""

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")


class Upload(Frozen):
    """One file on its way here. Its id is the id of the finished file too, and what options name as their source.
    How many bytes have come is known by the file store alone, so that a crash cannot make the two disagree."""

    id: str
    name: str
    content_type: str
    length_bytes: int
    created_by: str
    created_at: Instant
    expires_at: Instant
    """Unfinished: the end of waiting for more bytes. Finished: the end of waiting for a video that uses it."""
    completed_at: Instant | None = None
    sha256: str | None = None
    used_at: Instant | None = None
    """When a service last asked for the file; from the first time on, that service decides how long it stays."""
    result_of: str | None = None
    """The job whose result a worker elsewhere says this is: it goes with that job, so it can be no other's."""


@dataclass(frozen=True)
class UploadView:
    upload: Upload
    offset_bytes: int


def clean_file_name(name: str) -> str:
    """The last part of a path, without what could harm a terminal, a header or a page."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip()[:200] or "file"


def clean_content_type(given: str | None, name: str) -> str:
    """What the sender says, or what the name suggests."""
    normal = (given or "").partition(";")[0].strip().lower()
    return normal if _TYPE.fullmatch(normal) else mimetypes.guess_type(name)[0] or "application/octet-stream"
