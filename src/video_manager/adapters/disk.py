"""Files of this machine: a disk that is full, and reading without a second buffer."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from video_manager.errors import StorageFull

FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def full_disk_named(what: str) -> Iterator[None]:
    """Raises StorageFull for the operating system's ways to say so."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL_DISK:
            raise StorageFull(f"no space left for {what}: free some space, then try again") from error
        raise


def open_for_reading(path: Path) -> FileIO:
    """Unbuffered: chunks are large."""
    return path.open("rb", buffering=0)
