"""RabbitMQ, MongoDB and PostgreSQL for tests: an empty database, virtual host or whole server for whoever asks.

A test takes a fixture (`mongodb_url`, `rabbitmq_url`, `postgres_url`; `module_...` shares one among a file's tests), or
uses the functions below as context managers. Servers come from ./test or the environment (scripts/services); without
either the first test that needs one starts it, and it stays for the next run. Where there can be none, the test is
skipped and says why.
"""

import asyncio
import functools
import os
import shutil
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import pytest
from tests.servers import foreign_rabbitmq
from tests.servers.fleet import Fleet, default_folder, missing_variable, new_folder
from tests.servers.installing import ensure_programs
from tests.servers.mongodb import MongoDB
from tests.servers.postgres import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server, ServerMissing

PROGRAM = Path(__file__).resolve().parents[1] / "scripts" / "services"
FOLDER_VARIABLE = "VIDEO_MANAGER_TEST_SERVICES"
OWNER_VARIABLE = "VIDEO_MANAGER_TEST_SERVICES_OWNER"
"""Where the servers of this run live, and the process with which they end; ./test sets both."""
_MISSING = 3
PREFIX = "vmt_"
AnyServer = TypeVar("AnyServer", bound=Server)


# ---- addresses of the servers -----------------------------------------------------------------------------


def server_url(kind: type[Server]) -> str:
    """The address of a running server of that kind. Skips the test when there can be none, fails it when one that
    is there does not start."""
    found = _find(kind)
    if found.url is None:
        report = pytest.skip if found.missing else pytest.fail
        report(f"no {kind.name}: {found.reason}")
    return found.url


class _Found:
    def __init__(self, url: str | None = None, reason: str = "", *, missing: bool = False) -> None:
        self.url, self.reason, self.missing = url, reason, missing


@functools.cache  # one attempt in this process, also when there is none
def _find(kind: type[Server]) -> _Found:
    if url := os.environ.get(kind.variable):
        return _Found(url)
    if reason := os.environ.get(missing_variable(kind)):
        return _Found(reason=reason, missing=True)
    command = [sys.executable, str(PROGRAM), "start", kind.name.lower(), "--folder", str(_fleet().folder)]
    if owner := os.environ.get(OWNER_VARIABLE):
        command += ["--owner", owner]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return _Found(_fleet().server(kind).url)
    return _Found(reason=done.stderr.strip(), missing=done.returncode == _MISSING)


def _fleet() -> Fleet:
    return Fleet(Path(os.environ.get(FOLDER_VARIABLE) or default_folder()))


# ---- something empty on them ------------------------------------------------------------------------------


@contextmanager
def mongodb_database() -> Iterator[str]:
    """The address of a new database, removed afterwards."""
    import pymongo  # here, as below: most runs need none of the drivers

    server, name = server_url(MongoDB), _new_name()
    try:
        yield _with_path(server, name)
    finally:
        with pymongo.MongoClient[dict[str, Any]](server, serverSelectionTimeoutMS=10_000) as client:
            client.drop_database(name)


@contextmanager
def rabbitmq_vhost() -> Iterator[str]:
    """The address of a new virtual host, removed afterwards with all its queues and connections: 20 and 40 ms."""
    url, name = server_url(RabbitMQ), _new_name()
    ours = _fleet().server(RabbitMQ)
    if isinstance(ours, RabbitMQ) and ours.is_running() and ours.url == url:
        add, remove = ours.add_vhost, ours.remove_vhost
    else:
        foreign = foreign_rabbitmq.ForeignRabbitMQ(url)
        if (fault := foreign.fault()) is not None:
            pytest.skip(fault)
        add, remove = foreign.add_vhost, foreign.remove_vhost
    address = add(name)
    try:
        yield address
    finally:
        remove(name)


@contextmanager
def postgres_database(template: str = "template1") -> Iterator[str]:
    """The address of a new database, removed afterwards with its connections. `template` names the database of which
    it is a copy, for example one that has the tables already; nobody may be connected to that one."""
    server, name = server_url(PostgreSQL), _new_name()
    _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield _with_path(server, name)
    finally:
        _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def private_server(kind: type[AnyServer]) -> Iterator[AnyServer]:
    """A server of this test alone, which it may pause, kill and start again: it serves on entering, and nothing of it
    is left on leaving. One that the environment names does not do: it is not ours to kill."""
    try:
        ensure_programs(kind)
    except ServerMissing as error:
        pytest.skip(str(error))
    folder = new_folder()
    server = kind(folder / kind.name.lower())
    try:
        server.start()
        server.wait_ready()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


def _new_name() -> str:
    return f"{PREFIX}{os.getpid()}_{uuid.uuid4().hex[:12]}"


def _with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def _execute(server: str, statement: str) -> None:
    import asyncpg  # type: ignore[import-untyped]  # it ships no types

    async def run() -> None:
        connection = await asyncpg.connect(server.replace("+asyncpg", ""), timeout=10)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    _run(run)


def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """To its end, also when called while this thread runs an event loop."""
    errors: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:  # noqa: BLE001 - handed on below, to the thread that waits
            errors.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]


# ---- fixtures ---------------------------------------------------------------------------------------------


@pytest.fixture
def mongodb_url() -> Iterator[str]:
    """An empty database."""
    with mongodb_database() as url:
        yield url


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """An empty virtual host."""
    with rabbitmq_vhost() as url:
        yield url


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """An empty database."""
    with postgres_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_mongodb_url() -> Iterator[str]:
    with mongodb_database() as url:
        yield url


@pytest.fixture(scope="module")
def module_rabbitmq_url() -> Iterator[str]:
    with rabbitmq_vhost() as url:
        yield url


@pytest.fixture(scope="module")
def module_postgres_url() -> Iterator[str]:
    with postgres_database() as url:
        yield url
