"""Where the bytes of the file store lie, and the steps that make them visible. Blocking; run in threads.

    objects/ab/cd/<id>   complete files, read-only; that one is here is what makes it exist
    facts/ab/cd/<id>     size, sha256 and time of each, as JSON; can be found out again from the object
    uploads/<id>         the pieces of unfinished uploads
    temporary/<random>   files being written, locked by their writer for as long as it lives

`ab/cd` come from the hash of the id. A file is written to `temporary`, made durable, and then linked to its name: a
process that dies in between leaves a temporary file that the next start removes.
"""

import errno
import fcntl
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ValidationError

from video_manager.adapters.disk import FULL_DISK
from video_manager.adapters.embedded.sqlite import sync_folder
from video_manager.adapters.file_ids import checked_id
from video_manager.errors import AlreadyExists, NotFound
from video_manager.ports import StoredFile

CHUNK_BYTES = 1 << 20

_NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP})
"""Another file system, one that has no hard links, or a kernel that forbids this one."""


class _Facts(BaseModel):
    size_bytes: int
    sha256: str
    created_at: datetime


class FileLayout:
    """The folders under `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._objects = root / "objects"
        self._facts = root / "facts"
        self._uploads = root / "uploads"
        self._temporary = root / "temporary"

    def prepare(self) -> None:
        """Make the folders, and remove what writers that died have left."""
        for folder in (self._objects, self._facts, self._uploads, self._temporary):
            folder.mkdir(parents=True, exist_ok=True)
        sync_folder(self.root)
        for left in self._temporary.iterdir():
            with left.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue  # another process is writing it
                left.unlink()

    def object_path(self, id: str) -> Path:
        return self._objects / _spread(id)

    def upload_path(self, upload_id: str) -> Path:
        return self._uploads / checked_id(upload_id)

    def open_temporary(self) -> tuple[int, Path]:
        """A new, locked file for writing: its descriptor and path."""
        path = self._temporary / uuid.uuid4().hex
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor, path

    def stat(self, id: str) -> StoredFile | None:
        path = self.object_path(id)
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        facts = self._read_facts(id)
        if facts is None or facts.size_bytes != status.st_size:
            facts = self._write_facts(id, sha256_of(path), status.st_size, datetime.fromtimestamp(status.st_ctime, UTC))
        return StoredFile(id, facts.size_bytes, facts.sha256, facts.created_at)

    def adopt(self, source: Path, id: str, sha256: str) -> StoredFile:
        """Make a durable file on this file system visible under `id`; its own name disappears. Raises AlreadyExists."""
        target = self.object_path(id)
        if target.exists():
            raise AlreadyExists(f"file {id!r} is stored already")
        source.chmod(0o444)
        _make_folder(target.parent, self._objects)
        _link(source, target, id)
        # Facts only now, and removed before their object: then they never speak of other bytes.
        facts = self._write_facts(id, sha256, target.stat().st_size, datetime.now(UTC))
        sync_folder(target.parent)
        source.unlink(missing_ok=True)
        return StoredFile(id, facts.size_bytes, facts.sha256, facts.created_at)

    def share(self, id: str, new_id: str) -> StoredFile | None:
        """A second name for the same bytes: files never change, and each name is deleted by itself. None where the
        file system has no links."""
        known = self.stat(id)
        if known is None:
            raise NotFound(f"there is no file {id!r}")
        target = self.object_path(new_id)
        _make_folder(target.parent, self._objects)
        try:
            target.hardlink_to(self.object_path(id))
        except FileExistsError as error:
            raise AlreadyExists(f"file {new_id!r} is stored already") from error
        except OSError as error:
            if error.errno in _NO_LINKS:
                return None
            raise
        facts = self._write_facts(new_id, known.sha256, known.size_bytes, datetime.now(UTC))
        sync_folder(target.parent)
        return StoredFile(new_id, facts.size_bytes, facts.sha256, facts.created_at)

    def remove(self, id: str) -> int | None:
        """How many bytes that frees (0 while they have another name); None when there is no such file."""
        path = self.object_path(id)
        self._facts.joinpath(_spread(id)).unlink(missing_ok=True)
        try:
            status = path.stat()
            path.unlink()
        except FileNotFoundError:
            return None
        sync_folder(path.parent)
        return status.st_size if status.st_nlink == 1 else 0

    def listed(self) -> Iterator[StoredFile]:
        """All complete files; without sha256 where the facts are lost, so that a listing reads no video."""
        for path in _files_below(self._objects):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            facts = self._read_facts(path.name)
            # The time of the last link: never earlier than when the file came here.
            created_at = facts.created_at if facts else datetime.fromtimestamp(status.st_ctime, UTC)
            yield StoredFile(path.name, status.st_size, facts.sha256 if facts else "", created_at)

    def measure(self) -> tuple[int, int]:
        """How many complete files, and how many bytes objects, uploads and temporary files take on the disk. Bytes
        with two names count once."""
        files = used_bytes = 0
        seen: set[int] = set()
        for folder in (self._objects, self._uploads, self._temporary):
            for path in _files_below(folder):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                files += folder is self._objects
                if status.st_ino not in seen:
                    seen.add(status.st_ino)
                    used_bytes += status.st_size
        return files, used_bytes

    def _read_facts(self, id: str) -> _Facts | None:
        """None when they are missing or were cut short by a power cut."""
        try:
            return _Facts.model_validate_json((self._facts / _spread(id)).read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def _write_facts(self, id: str, sha256: str, size_bytes: int, created_at: datetime) -> _Facts:
        """Not synced, and left out when the disk is full: facts that are lost are found out again."""
        facts = _Facts(size_bytes=size_bytes, sha256=sha256, created_at=created_at)
        target = self._facts / _spread(id)
        temporary = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, temporary = self.open_temporary()
            with os.fdopen(descriptor, "wb") as file:
                file.write(facts.model_dump_json().encode())
                file.flush()
                temporary.rename(target)
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            if error.errno not in FULL_DISK:
                raise
        return facts


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """`target` becomes the same bytes as `source`, replacing what was there; a copy only across file systems."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            shutil.copyfile(source, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def same_file_system(path: Path, folder: Path) -> bool:
    return path.stat().st_dev == folder.stat().st_dev


def _spread(id: str) -> Path:
    digest = hashlib.sha256(checked_id(id).encode()).hexdigest()
    return Path(digest[:2], digest[2:4], id)


def _make_folder(folder: Path, top: Path) -> None:
    """Make it with its parents up to `top`; those that are new survive a power cut."""
    if folder == top or folder.is_dir():
        return
    _make_folder(folder.parent, top)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def _link(source: Path, target: Path, id: str) -> None:
    """A rename that never replaces."""
    try:
        target.hardlink_to(source)
    except FileExistsError as error:
        raise AlreadyExists(f"file {id!r} is stored already") from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        source.rename(target)


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)
