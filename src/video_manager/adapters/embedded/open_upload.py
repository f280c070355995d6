"""The file of one unfinished upload while a piece of it arrives. Blocking; run in threads."""

import fcntl
import os
from pathlib import Path

from video_manager.adapters.embedded.sqlite import sync_folder
from video_manager.errors import Conflict


class OpenUpload:
    """Opened for appending at exactly `offset`, else Conflict; also while another connection is sending."""

    def __init__(self, path: Path, offset: int) -> None:
        self._name = path.name
        create = os.O_CREAT if offset == 0 else 0
        try:
            self._descriptor = os.open(path, os.O_WRONLY | create | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise Conflict(f"upload {path.name!r} has 0 bytes, not {offset}: continue from there") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._expect(offset)
            if offset == 0:
                sync_folder(path.parent)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise Conflict(f"upload {path.name!r} is being sent by another connection: wait or end that one") from error
        except BaseException:
            os.close(self._descriptor)
            raise

    def _expect(self, offset: int) -> None:
        length = os.lseek(self._descriptor, 0, os.SEEK_END)
        if length != offset:
            raise Conflict(f"upload {self._name!r} has {length} bytes, not {offset}: continue from there")

    def write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> int:
        """Make durable what was written; the upload's length."""
        try:
            os.fsync(self._descriptor)
            return os.fstat(self._descriptor).st_size
        finally:
            os.close(self._descriptor)
