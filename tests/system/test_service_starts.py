"""`run SERVICE` with something wrong: it names the setting, what was found, and ends with its own exit code."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.servers.processes import free_port
from tests.system.cluster import SERVICES, RunningCluster, Servers, empty_servers
from tests.tcp_proxy import TcpProxy

WRONG_SETTINGS = 4
NOT_REACHABLE = 3
NOWHERE = "127.0.0.1:1"


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    with empty_servers() as servers:
        yield servers


def run(service: str, folder: Path, servers: Servers, *arguments: str, **settings: str) -> tuple[int, str]:
    """The exit code and what was said. A service that starts after all is ended by the time limit, and fails."""
    cluster = RunningCluster(folder, servers, connect_seconds="1", port=str(free_port()), **settings)
    done = subprocess.run(
        [sys.executable, "-m", "video_manager", "run", service, *arguments], env=cluster.environment,
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def other_host(url: str, host: str) -> str:
    parts = urlsplit(url)
    user = parts.netloc.rpartition("@")[0]
    return parts._replace(netloc=f"{user}@{host}" if user else host).geturl()


def other_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"nobody:wrong-secret@{parts.netloc.rpartition('@')[2]}").geturl()


CASES: dict[str, tuple[str, Callable[[Servers], Servers], int, str]] = {
    "mongodb without its database": (
        "manager", lambda s: replace(s, mongodb=urlsplit(s.mongodb)._replace(path="/").geturl()), WRONG_SETTINGS,
        "VIDEO_MANAGER_MONGODB_URL",
    ),
    "mongodb that is no address": (
        "manager", lambda s: replace(s, mongodb="mongo//x"), WRONG_SETTINGS, "VIDEO_MANAGER_MONGODB_URL"
    ),
    "mongodb that does not answer": (
        "manager", lambda s: replace(s, mongodb=other_host(s.mongodb, NOWHERE)), NOT_REACHABLE,
        "VIDEO_MANAGER_MONGODB_URL",
    ),
    "rabbitmq with wrong credentials": (
        "manager", lambda s: replace(s, rabbitmq=other_user(s.rabbitmq)), WRONG_SETTINGS,
        "VIDEO_MANAGER_RABBITMQ_URL",
    ),
    "rabbitmq without the virtual host": (
        "manager", lambda s: replace(s, rabbitmq=urlsplit(s.rabbitmq)._replace(path="/no-such-host").geturl()),
        WRONG_SETTINGS, "VIDEO_MANAGER_RABBITMQ_URL",
    ),
    "rabbitmq that does not answer": (
        "manager", lambda s: replace(s, rabbitmq=other_host(s.rabbitmq, NOWHERE)), NOT_REACHABLE,
        "VIDEO_MANAGER_RABBITMQ_URL",
    ),
    "postgresql with wrong credentials": (
        "analytics", lambda s: replace(s, warehouse=other_user(s.warehouse)), WRONG_SETTINGS,
        "VIDEO_MANAGER_WAREHOUSE_URL",
    ),
    "postgresql that does not answer": (
        "analytics", lambda s: replace(s, warehouse=other_host(s.warehouse, NOWHERE)), NOT_REACHABLE,
        "VIDEO_MANAGER_WAREHOUSE_URL",
    ),
}  # fmt: skip


SHORT = ("mongodb without its database", "rabbitmq with wrong credentials", "postgresql that does not answer")


@pytest.mark.parametrize(
    "case", [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in CASES]
)
def test_a_wrong_server_is_named(case: str, servers: Servers, tmp_path: Path) -> None:
    service, spoil, code, setting = CASES[case]
    found, said = run(service, tmp_path, spoil(servers))
    assert found == code, said
    assert setting in said
    assert "Traceback" not in said
    assert "wrong-secret" not in said
    password = urlsplit(servers.warehouse).password
    assert password is None or password not in said


def test_an_unknown_generator_is_named(servers: Servers, tmp_path: Path) -> None:
    code, said = run("generation", tmp_path, servers, "--generator", "unicorn")
    assert code == WRONG_SETTINGS, said
    assert "unicorn" in said
    assert "test-card" in said
    assert "Traceback" not in said


def test_gateways_share_their_secret(servers: Servers, tmp_path: Path) -> None:
    cluster = RunningCluster(tmp_path, servers)
    environment = {name: value for name, value in cluster.environment.items() if "SESSION_SECRET" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "video_manager", "run", "gateway"], env=environment, capture_output=True, text=True,
        timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == WRONG_SETTINGS
    assert "VIDEO_MANAGER_SESSION_SECRET" in done.stderr


async def test_a_start_waits_for_a_broker_that_comes_later(tmp_path: Path, servers: Servers) -> None:
    """The address is right, and nobody is there yet: as when everything starts at once."""
    async with TcpProxy(urlsplit(servers.rabbitmq).port or 5672) as proxy:
        await proxy.refuse()
        others = dict.fromkeys(SERVICES, 0) | {"manager": 1}
        cluster = RunningCluster(tmp_path, replace(servers, rabbitmq=proxy.through(servers.rabbitmq)), others)
        cluster.start()
        try:
            (manager,) = cluster.processes
            while "cannot be reached" not in manager.log():
                assert manager.alive, manager.log()
                await asyncio.sleep(0.1)
            await proxy.accept()
            await asyncio.to_thread(cluster.wait_ready)
            assert await asyncio.to_thread(manager.stop) == 0
        finally:
            cluster.kill()
