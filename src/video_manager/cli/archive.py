"""The backup file: a tar of the data folder with a manifest of every file's sha256, all as of one moment.

The data folder may be in use. Its video files never change once they are there, so hard links keep them; they are
linked before and after the databases are copied, so that none that a database names is missing. All databases are
copied as they stood at one instant: a message is never gone from one and not yet in the other.
"""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from video_manager import __version__
from video_manager.cli.exits import CommandError, Exit

MANIFEST = "manifest.json"
CONTENT = "data/"
FORMAT = 1
_SQLITE_MAGIC = b"SQLite format 3\0"
_SQLITE_SIDES = ("-wal", "-shm", "-journal")
LOCK_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Amount:
    files: int
    size_bytes: int


# ---- writing ------------------------------------------------------------------------------------------


def write_archive(data_dir: Path, target: Path) -> Amount:
    """Write the backup under `target`, complete or not at all. Raises CommandError."""
    part = target.with_name(f".{target.name}.part")
    try:
        with _staging(data_dir) as stage:
            _collect(data_dir, stage)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                amount = _write_tar(stage, file)
                file.flush()
                os.fsync(file.fileno())
        part.replace(target)
    except sqlite3.Error as error:
        raise CommandError(f"a database in {data_dir} cannot be copied: {error}", Exit.FAILED) from error
    except OSError as error:
        raise CommandError(f"the backup could not be written: {error}", Exit.FAILED) from error
    finally:
        part.unlink(missing_ok=True)
    return amount


@contextmanager
def _staging(data_dir: Path) -> Iterator[Path]:
    """A folder on the same file system, so that hard links work. What a killed backup left goes first."""
    for old in data_dir.glob(".backup-*"):
        shutil.rmtree(old)
    stage = Path(tempfile.mkdtemp(prefix=".backup-", dir=data_dir))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _collect(data_dir: Path, stage: Path) -> None:
    databases = [path for path in _files(data_dir) if _is_database(path)]
    _link_files(data_dir, stage, databases)
    _copy_databases(databases, data_dir, stage)
    _link_files(data_dir, stage, databases)


def _files(data_dir: Path) -> list[Path]:
    found = []
    for folder, names, files in os.walk(data_dir):
        if Path(folder) == data_dir:
            names[:] = [name for name in names if not _is_of_process(name)]
        saved = [name for name in files if Path(folder) != data_dir or not _is_of_process(name)]
        found += [path for name in saved if (path := Path(folder, name)).is_file() and not path.is_symlink()]
    return sorted(found)


def _is_of_process(name: str) -> bool:
    """Whether this, at the top of the data folder, belongs to a running process alone."""
    return name in ("lock", "server.json", "work") or name.endswith(".lock") or name.startswith(".backup-")


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC
    except FileNotFoundError:
        return False


def _link_files(data_dir: Path, stage: Path, databases: list[Path]) -> None:
    left_out = {f"{path}{side}" for path in databases for side in ("", *_SQLITE_SIDES)}
    for path in _files(data_dir):
        copy = stage / path.relative_to(data_dir)
        if str(path) in left_out or copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, copy)
        except FileNotFoundError:
            continue  # gone since it was listed, so nothing names it any more
        except OSError:  # a file system without hard links
            shutil.copy2(path, copy)


def _copy_databases(databases: list[Path], data_dir: Path, stage: Path) -> None:
    """Hold every writer off for as long as it takes to pin one instant in all databases, then copy at leisure."""
    with ExitStack() as opened:
        readers = [(path, opened.enter_context(_open(path))) for path in databases]
        with ExitStack() as held:
            for path in databases:
                writer = held.enter_context(_open(path))
                writer.execute("BEGIN IMMEDIATE")
            for _, reader in readers:
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        for path, reader in readers:
            copy = stage / path.relative_to(data_dir)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with _open(copy) as target:
                reader.backup(target)
            shutil.copymode(path, copy)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def _write_tar(stage: Path, file: IO[bytes]) -> Amount:
    entries: dict[str, dict[str, int | str]] = {}
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in _files(stage):
            name = path.relative_to(stage).as_posix()
            with path.open("rb") as content:
                reader = _Hashing(content)
                info = tar.gettarinfo(arcname=CONTENT + name, fileobj=content)
                info.type, info.linkname = tarfile.REGTYPE, ""  # two names of one file are saved twice
                info.size = os.fstat(content.fileno()).st_size
                tar.addfile(info, reader)
            entries[name] = {"size": info.size, "sha256": reader.digest.hexdigest()}
        text = json.dumps({"format": FORMAT, "version": __version__, "files": entries}).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text)
        tar.addfile(info, io.BytesIO(text))
    return Amount(len(entries), sum(int(entry["size"]) for entry in entries.values()))


class _Hashing(io.RawIOBase):
    """Passes a file's bytes on and hashes exactly those."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


# ---- reading ------------------------------------------------------------------------------------------


def read_archive(source: Path, data_dir: Path) -> Amount:
    """Put the backup into `data_dir`, which must be missing or empty. Everything is unpacked and checked beside it
    first, then takes its place in one step. Raises CommandError."""
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise CommandError(f"{data_dir} is not empty; name an empty folder by VIDEO_MANAGER_DATA_DIR, or move it away")
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{data_dir.name}.restore-", dir=data_dir.parent))
    try:
        amount = _unpack(source, stage)
        if data_dir.exists():
            data_dir.rmdir()
        (stage / CONTENT).rename(data_dir)
    except (tarfile.TarError, EOFError) as error:
        raise CommandError(f"{source} is no whole backup: {error}", Exit.FAILED) from error
    except OSError as error:
        raise CommandError(f"the backup could not be put back: {error}", Exit.FAILED) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return amount


def _unpack(source: Path, stage: Path) -> Amount:
    (stage / CONTENT).mkdir(mode=0o700)
    with tarfile.open(source, mode="r:") as tar:
        tar.extractall(stage, filter="data")
    try:
        manifest = json.loads((stage / MANIFEST).read_text(encoding="utf-8"))
        entries = manifest["files"]
        known = manifest["format"] == FORMAT
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{source} has no manifest: it is cut off, or not a backup of ours", Exit.FAILED) from error
    if not known:
        raise CommandError(f"{source} was written by a newer release ({manifest.get('version')}); use that one")
    found = {path.relative_to(stage / CONTENT).as_posix(): path for path in _files(stage / CONTENT)}
    wrong = sorted(set(entries) ^ set(found))
    wrong += [name for name, path in found.items() if name in entries and _sha256(path) != entries[name]["sha256"]]
    if wrong:
        raise CommandError(f"{source} is damaged; these files are not as they were saved: {', '.join(wrong[:5])}",
                           Exit.FAILED)  # fmt: skip
    return Amount(len(entries), sum(int(entry["size"]) for entry in entries.values()))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
