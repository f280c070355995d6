"""The cluster profile as it is deployed: every service a process of its own, on real servers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.no_tls import NO_TLS
from tests.servers.processes import free_port
from tests.services import mongodb_database, postgres_database, rabbitmq_vhost
from tests.system.conftest import PASSWORD, START_SECONDS

CREDENTIAL_KEY = "a" * 43 + "="
SERVICES = ("gateway", "studio", "manager", "generation", "processing", "publishing", "notifications", "analytics")


@dataclass(frozen=True)
class Servers:
    """Addresses, each with a database or virtual host for this system alone."""

    mongodb: str
    rabbitmq: str
    warehouse: str

    @property
    def settings(self) -> dict[str, str]:
        return {"mongodb_url": self.mongodb, "rabbitmq_url": self.rabbitmq, "warehouse_url": self.warehouse}


@contextmanager
def empty_servers() -> Iterator[Servers]:
    """An empty database and virtual host on the servers of the test run, removed afterwards."""
    with mongodb_database() as mongodb, rabbitmq_vhost() as rabbitmq, postgres_database() as warehouse:
        yield Servers(mongodb, rabbitmq, warehouse)


class ServiceProcess:
    """One `video-manager run SERVICE`."""

    def __init__(self, service: str, folder: Path, environment: Mapping[str, str], arguments: tuple[str, ...]) -> None:
        self.service = service
        self.arguments = arguments
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = folder / f"{service}-{self.port}.log"
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = False

    def start(self) -> None:
        self._asked = False
        command = [sys.executable, "-m", "video_manager", "run", self.service, *self.arguments]
        environment = {**self._environment, "VIDEO_MANAGER_PORT": str(self.port)}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5, verify=NO_TLS).status_code == 200
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        """`kill -9`, as a machine that loses power would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def ask_to_end(self) -> None:
        """Once: a second signal would meet an interpreter that is ending and no longer takes any."""
        if self.alive and not self._asked:
            self._asked = True
            os.kill(self.pid, signal.SIGTERM)

    def stop(self, seconds: float = 60) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        self.ask_to_end()
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""


class RunningCluster:
    """All services over one set of servers. `counts` says how many processes of a service there are (1)."""

    def __init__(
        self, folder: Path, servers: Servers, counts: Mapping[str, int] | None = None, **settings: str
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.servers = servers
        values = {
            "profile": "cluster", "data_dir": str(self.data_dir), "admin_password": PASSWORD,
            "session_secret": "s" * 40, "credential_keys": CREDENTIAL_KEY, "public_url": "http://127.0.0.1:8800",
            "published_dir": str(folder / "published"), "sample_video": "false",
            **servers.settings, **settings,
        }  # fmt: skip
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIDEO_MANAGER_")},
            **{f"VIDEO_MANAGER_{name.upper()}": value for name, value in values.items()},
        }
        counts = counts or {}
        self.processes = [self._process(service) for service in SERVICES for _ in range(counts.get(service, 1))]
        if front := self.of("studio") or self.of("gateway"):
            self.environment["VIDEO_MANAGER_PUBLIC_URL"] = front[0].url

    def _process(self, service: str, *arguments: str) -> ServiceProcess:
        return ServiceProcess(service, self.folder, self.environment, arguments)

    def add(self, service: str, *arguments: str) -> ServiceProcess:
        """One more process; not started yet."""
        self.processes.append(self._process(service, *arguments))
        return self.processes[-1]

    def start(self) -> "RunningCluster":
        self.folder.mkdir(parents=True, exist_ok=True)
        for process in self.processes:
            process.start()
        return self

    def wait_ready(self, seconds: float = START_SECONDS) -> "RunningCluster":
        deadline = time.monotonic() + seconds
        waiting = list(self.processes)
        while waiting:
            for process in list(waiting):
                assert process.alive, f"{process.service} ended with {process.exit_code}:\n{process.log()[-3000:]}"
                if process.is_ready():
                    waiting.remove(process)
            if waiting and time.monotonic() > deadline:
                logs = "\n".join(f"--- {one.service}\n{one.log()[-1500:]}" for one in waiting)
                raise AssertionError(f"not ready after {seconds} s: {[one.service for one in waiting]}\n{logs}")
            time.sleep(0.05)
        return self

    def of(self, service: str) -> list[ServiceProcess]:
        return [process for process in self.processes if process.service == service]

    @property
    def url(self) -> str:
        """Pages and API."""
        return (self.of("studio") or self.of("gateway"))[0].url

    def client(self, timeout: float = 10, service: str = "gateway") -> httpx.Client:
        """Signed in as this machine's owner."""
        token = (self.data_dir / "cli-token").read_text().strip()
        return httpx.Client(
            base_url=f"{self.of(service)[0].url}/api/v1", headers={"Authorization": f"Bearer {token}"},
            timeout=timeout, verify=NO_TLS,
        )  # fmt: skip

    def stop(self) -> dict[str, int]:
        """Exit codes by service and port."""
        for process in self.processes:
            process.ask_to_end()
        return {f"{process.service}-{process.port}": process.stop() for process in self.processes}

    def kill(self) -> None:
        for process in self.processes:
            if process.alive:
                process.kill()

    def logs(self) -> str:
        return "\n".join(f"--- {process.service}\n{process.log()}" for process in self.processes)
