"""A PostgreSQL server of one test module alone, which may be killed, stopped and started again."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest

START_SECONDS = 60.0
"""A bound against hanging."""
PASSWORD = "priv@te/word"
ADDRESS_PASSWORD = "priv%40te%2Fword"


class PrivatePostgresql:
    """`address` names its database `postgres`. As root, the server runs as the user postgres, which it insists on."""

    def __init__(self) -> None:
        self._user = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        self._folder = Path(tempfile.mkdtemp(prefix="vm-postgresql-"))
        if self._user:
            shutil.chown(self._folder, "postgres", "postgres")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = int(listener.getsockname()[1])
        self.address = f"postgresql://owner:{ADDRESS_PASSWORD}@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None
        (self._folder / "password").write_text(PASSWORD)
        self._run(
            "initdb", "--no-sync", "--username=owner", f"--pwfile={self._folder / 'password'}", "--auth=scram-sha-256",
            "--encoding=UTF8", "--locale=C", f"--pgdata={self._folder / 'data'}",
        )  # fmt: skip

    def start(self) -> None:
        """Returns when it answers."""
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:  # the killed one's children still end
                self.begin_start()
            assert time.monotonic() < deadline, (self._folder / "log").read_text()[-3000:]
            time.sleep(0.05)

    def begin_start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_program("postgres"), "-D", self._folder / "data", "-h", "127.0.0.1", "-p", str(self.port),
                 "-k", "", "-c", "fsync=off", "-c", "max_connections=20"],
                stdout=log, stderr=log, cwd=self._folder, **self._user,
            )  # fmt: skip

    def kill(self) -> None:
        """SIGKILL of the server; its processes for single connections end at once by themselves."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """It keeps its connections, and answers nothing."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def remove(self) -> None:
        if self._process is not None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _pids(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]

    def _answers(self) -> bool:
        async def ask() -> bool:
            try:
                connection = await asyncpg.connect(self.address, timeout=5)
            except (OSError, asyncpg.PostgresError):
                return False
            await connection.close()
            return True

        return asyncio.run(ask())

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(program), *arguments], cwd=self._folder, check=False, capture_output=True, **self._user
        )
        assert done.returncode == 0, done.stderr.decode()


def _program(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    path = shutil.which(name) or (str(found[-1]) if found else None)
    if path is None:
        pytest.skip(f"no {name}: the PostgreSQL server is not installed here")
    return path
