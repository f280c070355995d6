"""scripts/services as a person calls it, and what chaos tests do to its servers."""

import fcntl
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests import services
from tests.servers import installing, processes
from tests.servers.fleet import KINDS, Fleet, missing_variable, new_folder, sweep
from tests.servers.mongodb import MongoDB
from tests.servers.server import Server, ServerFailed

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "scripts" / "services"


@pytest.fixture
def folder() -> Iterator[Path]:
    path = new_folder()
    yield path
    Fleet(path).stop()


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in KINDS:
        monkeypatch.delenv(kind.variable, raising=False)
        monkeypatch.delenv(missing_variable(kind), raising=False)


def call(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """With the standard library alone (-I -S), as before anything is installed."""
    return subprocess.run(
        [sys.executable, "-I", "-S", PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=120,
        env=os.environ | environment,
    )  # fmt: skip


def start(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return call("start", *names, "--folder", folder)


def need(kind: type[Server]) -> None:
    """Skip as the fixtures do, so that the reason is told once and the same."""
    with services.private_server(kind):
        pass


# ---- the program ----------------------------------------------------------------------------------------


def test_started_used_again_killed_and_stopped(folder: Path) -> None:
    """All three at once: their addresses, a second start, one that was killed, and nothing left in the end."""
    started = start(folder)
    if started.returncode == 3:
        pytest.skip(started.stderr.strip())
    assert started.returncode == 0, started.stderr
    exports = re.findall(r"^export (VIDEO_MANAGER_TEST_\w+_URL)=(.+)$", started.stdout, re.MULTILINE)
    addresses = {name: shlex.split(value)[0] for name, value in exports}
    assert sorted(addresses) == sorted(kind.variable for kind in KINDS)
    assert all("127.0.0.1" in address for address in addresses.values())
    before = {kind: processes.marked(folder / kind.name.lower()) for kind in KINDS}
    assert all(before.values())

    assert start(folder).stdout == started.stdout
    assert call("env", "--folder", folder).stdout == started.stdout
    assert {kind: processes.marked(folder / kind.name.lower()) for kind in KINDS} == before, "the same processes"
    assert call("status", "--folder", folder).stdout.count("ready") == 3

    Fleet(folder).server(MongoDB).kill()
    assert "MongoDB     not running" in call("status", "--folder", folder).stdout
    assert start(folder).stdout == started.stdout, "on its port again"

    every = set().union(*(processes.marked(folder / kind.name.lower()) for kind in KINDS))
    assert call("stop", "--folder", folder).returncode == 0
    assert processes.wait_until_ended(every, 0) == set()
    assert not folder.exists()
    assert call("stop", "--folder", folder).returncode == 0
    assert call("status", "--folder", folder).returncode == 3


def test_two_starts_at_once_start_one(folder: Path) -> None:
    need(MongoDB)
    command = [sys.executable, str(PROGRAM), "start", "mongodb", "--folder", str(folder)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert said[0] == said[1] != ""
    assert len(processes.marked(folder / "mongodb")) == 1


def test_a_start_waits_for_a_stop_and_then_begins_anew(folder: Path) -> None:
    """It held on to the lock of a folder that was removed meanwhile."""
    need(MongoDB)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, str(PROGRAM), "start", "mongodb", "--folder", str(folder)]
        waiting = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while not any(f"{waiting.pid} " in line for line in _waiting_locks()):
            assert waiting.poll() is None
        (folder / "lock").unlink()
    assert "MONGODB" in waiting.communicate(timeout=120)[0]
    assert (folder / "lock").exists()


def _waiting_locks() -> list[str]:
    return [line for line in Path("/proc/locks").read_text().splitlines() if "->" in line]


def test_what_a_killed_owner_left_is_swept(folder: Path) -> None:
    need(MongoDB)
    owner = subprocess.Popen(["sleep", "600"])
    assert call("start", "mongodb", "--folder", folder, "--owner", str(owner.pid)).returncode == 0
    sweep()
    (server,) = processes.marked(folder / "mongodb")
    owner.kill()
    owner.wait()
    sweep()
    assert not processes.is_running(server)
    assert not folder.exists()


def test_a_server_of_somebody_else_is_used_and_left_alone(folder: Path) -> None:
    done = call("start", "postgresql", "--folder", folder, VIDEO_MANAGER_TEST_POSTGRES_URL="postgresql://elsewhere/")
    assert done.stdout == "export VIDEO_MANAGER_TEST_POSTGRES_URL=postgresql://elsewhere/\n"
    assert "VIDEO_MANAGER_TEST_POSTGRES_URL names one" in done.stderr
    assert not (folder / "postgresql").exists()


def test_a_missing_program_is_told_with_what_to_do(folder: Path) -> None:
    done = call("start", "rabbitmq", "--folder", folder, PATH=str(folder))  # no Erlang, and no apt-get either
    assert done.returncode == 3
    assert "WARNING: no RabbitMQ, so its tests are SKIPPED" in done.stderr
    assert "sudo apt-get install rabbitmq-server" in done.stderr
    assert "VIDEO_MANAGER_TEST_RABBITMQ_URL" in done.stderr
    assert "export VIDEO_MANAGER_TEST_RABBITMQ_MISSING=" in done.stdout


def test_a_wrongly_named_release_fails(folder: Path) -> None:
    done = call("start", "rabbitmq", "--folder", folder, VIDEO_MANAGER_TEST_RABBITMQ_HOME="/nowhere")
    assert done.returncode == 1
    assert "VIDEO_MANAGER_TEST_RABBITMQ_HOME names /nowhere" in done.stderr


def test_a_missing_server_skips_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_TEST_MONGODB_MISSING", "no wheel for this machine")
    services._find.cache_clear()
    with pytest.raises(pytest.skip.Exception, match="no MongoDB: no wheel for this machine"):
        services.server_url(MongoDB)
    services._find.cache_clear()


def test_a_server_that_does_not_start_shows_its_log(folder: Path) -> None:
    need(MongoDB)
    server = MongoDB(folder / "mongodb")
    server.folder.mkdir()
    (server.folder / "data").write_text("no folder")
    server.start()
    with pytest.raises(ServerFailed, match=r"MongoDB in .* ended while it was starting. The end of .*log:\n  \| "):
        server.wait_ready()


# ---- installing -------------------------------------------------------------------------------------------


def test_packages_start_no_services_while_they_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(installing, "_POLICY", policy)
    with installing._no_service_starts():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()
    policy.write_text("the machine owner's")
    with installing._no_service_starts():
        pass
    assert policy.read_text() == "the machine owner's"


# ---- handles for chaos ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_killed_paused_and_back_on_the_same_port(kind: type[Server]) -> None:
    with services.private_server(kind) as server:
        url, first = server.url, processes.marked(server.folder)
        server.pause()
        assert {_state(process) for process in processes.marked(server.folder)} == {"T"}
        server.resume()
        server.wait_ready()
        server.kill()
        assert processes.wait_until_ended(first, 0) == set()
        assert not server.is_running()
        server.start()
        server.wait_ready()
        assert server.url == url
        assert kind(server.folder).is_ready(), "another handle sees the same"
        assert not processes.marked(server.folder) & first
        server.stop()
        assert processes.marked(server.folder) == set()
    assert not server.folder.exists()


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_leftover_of_a_killed_starter_makes_room(folder: Path) -> None:
    """Killed after it had started the server and before it noted that."""
    need(MongoDB)
    server = MongoDB(folder / "mongodb")
    server.start()
    server.wait_ready()
    (leftover,) = processes.marked(server.folder)
    (server.folder / "process").unlink()
    later = MongoDB(server.folder)
    later.start()
    later.wait_ready()
    assert not processes.is_running(leftover)
    later.kill()
    server.kill()


# ---- something empty for each test ------------------------------------------------------------------------


async def test_databases_and_virtual_hosts_are_empty_and_removed() -> None:
    import aio_pika
    import pymongo

    client_of = pymongo.MongoClient[dict[str, Any]]
    with (
        services.mongodb_database() as first, services.mongodb_database() as second,
        client_of(first) as one, client_of(second) as two,
    ):  # fmt: skip
        one.get_default_database().things.insert_one({"seen": 1})
        assert two.get_default_database().list_collection_names() == []
        gone = one.get_default_database().name
    with client_of(first) as client:
        assert gone not in client.list_database_names()

    with services.rabbitmq_vhost() as address:
        connection = await aio_pika.connect(address)
        channel = await connection.channel()
        await channel.declare_queue("work", durable=True)
        await connection.close()
    with pytest.raises(aio_pika.exceptions.AMQPError):
        await aio_pika.connect(address)


async def test_postgres_databases_are_copies_of_their_template() -> None:
    import asyncpg  # type: ignore[import-untyped]  # it ships no types

    with services.postgres_database() as template:
        name = template.rpartition("/")[2]
        connection = await asyncpg.connect(template.replace("+asyncpg", ""))
        await connection.execute("CREATE TABLE things (seen int)")
        await connection.close()
        with services.postgres_database(name) as copy:
            connection = await asyncpg.connect(copy.replace("+asyncpg", ""))
            assert await connection.fetch("SELECT * FROM things") == []
        # removed with the connection that was still open
        with pytest.raises(asyncpg.PostgresError):
            await asyncpg.connect(copy.replace("+asyncpg", ""))
        connection.terminate()
