"""Backup and restore, also while the databases are written to."""

import json
import multiprocessing
import sqlite3
import tarfile
import threading
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Cli

from video_manager.cli.archive import read_archive, write_archive
from video_manager.cli.exits import CommandError
from video_manager.publishing.access.keyring import Keyring, keys_of, new_key

KEY = new_key()


@pytest.fixture
def filled(data_dir: Path) -> Path:
    """A data folder with a database in use, files, a secret, and what belongs to the process alone."""
    with sqlite3.connect(data_dir / "documents.sqlite") as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE t (n INTEGER)")
        database.execute("INSERT INTO t VALUES (42)")
    database.close()
    (data_dir / "files" / "ab").mkdir(parents=True)
    (data_dir / "files" / "ab" / "one").write_bytes(b"video" * 1000)
    (data_dir / "files" / "empty").touch()
    (data_dir / "session-secret").write_text("s" * 64)
    (data_dir / "session-secret").chmod(0o600)
    (data_dir / "credential-keys").write_text(f"{KEY}\n")
    (data_dir / "credential-keys").chmod(0o600)
    (data_dir / "sealed").write_text(Keyring([KEY]).seal("a-channel", {"token": "t"}))
    (data_dir / "lock").touch()
    (data_dir / "server.json").write_text("{}")
    (data_dir / "work" / "job").mkdir(parents=True)
    (data_dir / "work" / "job" / "frame.png").write_bytes(b"x")
    return data_dir


def test_a_backup_comes_back_as_it_was(filled: Path, tmp_path: Path) -> None:
    amount = write_archive(filled, tmp_path / "backup.tar")
    restored = tmp_path / "restored"
    assert read_archive(tmp_path / "backup.tar", restored) == amount
    assert {path.relative_to(restored).as_posix() for path in restored.rglob("*") if path.is_file()} == {
        "credential-keys", "documents.sqlite", "files/ab/one", "files/empty", "sealed", "session-secret",
    }  # fmt: skip
    assert (restored / "files/ab/one").read_bytes() == b"video" * 1000
    assert (restored / "session-secret").stat().st_mode & 0o777 == 0o600
    assert restored.stat().st_mode & 0o077 == 0
    with sqlite3.connect(restored / "documents.sqlite") as database:
        assert database.execute("SELECT n FROM t").fetchall() == [(42,)]
    database.close()


def test_what_was_encrypted_can_be_opened_after_a_restore(filled: Path, tmp_path: Path) -> None:
    write_archive(filled, tmp_path / "backup.tar")
    restored = tmp_path / "restored"
    read_archive(tmp_path / "backup.tar", restored)
    assert (restored / "credential-keys").stat().st_mode & 0o777 == 0o600
    keyring = Keyring(keys_of((), restored))
    assert keyring.open("a-channel", (restored / "sealed").read_text()) == {"token": "t"}


def test_a_backup_is_for_its_owner_and_leaves_nothing_behind(filled: Path, tmp_path: Path) -> None:
    (filled / ".backup-killed").mkdir()
    write_archive(filled, tmp_path / "backup.tar")
    assert (tmp_path / "backup.tar").stat().st_mode & 0o777 == 0o600
    assert list(filled.glob(".backup-*")) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.tar", "data"]


def test_all_databases_are_saved_as_of_one_instant(data_dir: Path, tmp_path: Path) -> None:
    """A writer puts a number into one database after the other: none may be ahead of or behind its neighbours."""
    names = [f"{number}.sqlite" for number in range(8)]
    for name in names:
        with sqlite3.connect(data_dir / name) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("CREATE TABLE t (n INTEGER)")
        database.close()
    stop = threading.Event()
    writer = threading.Thread(target=_count_up, args=([data_dir / name for name in names], stop))
    writer.start()
    try:
        for turn in range(10):
            write_archive(data_dir, tmp_path / f"{turn}.tar")
    finally:
        stop.set()
        writer.join()
    totals = []
    for turn in range(10):
        restored = tmp_path / f"restored-{turn}"
        read_archive(tmp_path / f"{turn}.tar", restored)
        counts = [_count(restored / name) for name in names]
        assert counts == sorted(counts, reverse=True)
        assert counts[0] - counts[-1] <= 1, f"these are of different instants: {counts}"
        totals.append(counts[0])
    assert totals[-1] > totals[0], "the writer went on meanwhile"


def _count_up(paths: list[Path], stop: threading.Event) -> None:
    databases = [sqlite3.connect(path, timeout=30, isolation_level=None) for path in paths]
    for database in databases:
        database.execute("PRAGMA synchronous = OFF")
    number = 0
    while not stop.is_set():
        for database in databases:
            database.execute("INSERT INTO t VALUES (?)", (number,))
        number += 1
    for database in databases:
        database.close()


def _count(path: Path) -> int:
    database = sqlite3.connect(path)
    try:
        return int(database.execute("SELECT count(*) FROM t").fetchone()[0])
    finally:
        database.close()


def test_a_file_that_a_database_names_is_never_missing(data_dir: Path, tmp_path: Path) -> None:
    """A process writes a file, then its row, again and again, as the product does."""
    stop = multiprocessing.get_context("spawn").Event()
    writer = multiprocessing.get_context("spawn").Process(target=_write_files, args=(str(data_dir), stop))
    writer.start()
    try:
        while not (data_dir / "ready").exists():
            pass
        for turn in range(3):
            write_archive(data_dir, tmp_path / f"{turn}.tar")
    finally:
        stop.set()
        writer.join()
    for turn in range(3):
        restored = tmp_path / f"restored-{turn}"
        read_archive(tmp_path / f"{turn}.tar", restored)
        rows = sqlite3.connect(restored / "documents.sqlite")
        named = {row[0] for row in rows.execute("SELECT name FROM t")}
        rows.close()
        assert named
        assert named <= {path.name for path in (restored / "files").iterdir()}


def _write_files(folder: str, stop: "threading.Event") -> None:
    data_dir = Path(folder)
    (data_dir / "files").mkdir()
    database = sqlite3.connect(data_dir / "documents.sqlite", timeout=30, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("CREATE TABLE t (name TEXT)")
    number = 0
    while not stop.is_set():
        (data_dir / "files" / f"f{number}").write_text("x")
        database.execute("INSERT INTO t VALUES (?)", (f"f{number}",))
        number += 1
        if number == 50:
            (data_dir / "ready").touch()
    database.close()


# ---- what is refused ------------------------------------------------------------------------------------


def test_a_folder_with_something_in_it_is_left_alone(filled: Path, tmp_path: Path) -> None:
    write_archive(filled, tmp_path / "backup.tar")
    with pytest.raises(CommandError, match="is not empty"):
        read_archive(tmp_path / "backup.tar", filled)


@pytest.mark.parametrize("kept", [100, 3000, 12000, 16000])
def test_a_backup_that_was_cut_off_is_refused(filled: Path, tmp_path: Path, kept: int) -> None:
    write_archive(filled, tmp_path / "backup.tar")
    whole = (tmp_path / "backup.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:kept])
    restored = tmp_path / "restored"
    with pytest.raises(CommandError):
        read_archive(tmp_path / "cut.tar", restored)
    assert not restored.exists()
    assert list(tmp_path.glob(".restored*")) == []


def test_a_changed_byte_is_found(filled: Path, tmp_path: Path) -> None:
    write_archive(filled, tmp_path / "backup.tar")
    content = (tmp_path / "backup.tar").read_bytes()
    (tmp_path / "backup.tar").write_bytes(content.replace(b"videovideo", b"videoVideo", 1))
    with pytest.raises(CommandError, match="files/ab/one"):
        read_archive(tmp_path / "backup.tar", tmp_path / "restored")


def test_a_foreign_tar_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "foreign.tar", "w") as tar:
        tar.add(__file__, "data/x")
    with pytest.raises(CommandError, match="no manifest"):
        read_archive(tmp_path / "foreign.tar", tmp_path / "restored")


def test_a_tar_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(__file__, "data/../../../evil")
    with pytest.raises(CommandError):
        read_archive(tmp_path / "evil.tar", tmp_path / "inside" / "restored")
    assert not (tmp_path / "evil").exists()


def test_the_commands_say_how_much(cli: Cli, filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = tmp_path / "b.tar"
    assert "6 files" in cli("backup", str(backup)).err
    assert cli("backup", str(backup)).code == 2, "an older backup is never overwritten"
    assert cli("backup", str(filled / "inside.tar")).code == 2
    monkeypatch.setenv("VIDEO_MANAGER_DATA_DIR", str(tmp_path / "new"))
    assert "6 files" in cli("restore", str(backup)).err
    with tarfile.open(backup) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        assert json.load(manifest)["format"] == 1
