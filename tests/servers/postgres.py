"""PostgreSQL out of the system's package. It refuses to run as root, so for root it runs as another user."""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

from tests.servers.server import Command, Server, ServerFailed, ServerMissing

PACKAGE = "postgresql"
USER = "vm"
_SETTINGS = """listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 200
shared_buffers = 64MB
fsync = on
synchronous_commit = on
jit = off
"""


class PostgreSQL(Server):
    name: ClassVar[str] = "PostgreSQL"
    variable: ClassVar[str] = "VIDEO_MANAGER_TEST_POSTGRES_URL"
    _stop_signal = signal.SIGINT  # ends the sessions of its clients

    @property
    def url(self) -> str:
        kept = self._kept("port")
        return f"postgresql+asyncpg://{USER}:{kept['password']}@127.0.0.1:{kept['port']}/postgres"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _prepare(self) -> None:
        if (self._data / "complete").exists():
            (self._data / "postmaster.pid").unlink(missing_ok=True)  # its process is gone for sure: see start
            return
        shutil.rmtree(self._data, ignore_errors=True)  # made by half
        self._data.mkdir(mode=0o700)
        secret = self._data.with_name("password")
        secret.touch(mode=0o600)
        secret.write_text(self._kept("port")["password"], encoding="utf-8")
        user = _other_user()
        if user is not None:
            shutil.chown(self._data, user, user)
            shutil.chown(secret, user, user)
        made = subprocess.run(
            [
                find_programs() / "initdb", "--pgdata", self._data, "--username", USER, "--pwfile", secret,
                "--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
            ],
            capture_output=True, text=True, check=False, user=user, group=user, extra_groups=[] if user else None,
            env={"PATH": os.defpath, "LANG": "C.UTF-8"}, cwd="/",
        )  # fmt: skip
        if made.returncode != 0:
            hint = f" The user {user} must be able to enter every folder above it." if user else ""
            raise ServerFailed(f"initdb failed in {self._data}.{hint}\n{made.stdout}{made.stderr}")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(_SETTINGS.format(port=self._kept("port")["port"]))
        (self._data / "complete").touch()

    def _command(self) -> Command:
        return Command([str(find_programs() / "postgres"), "-D", str(self._data)], {}, _other_user())

    def _answers(self) -> bool:
        command = [
            str(find_programs() / "pg_isready"),
            "-q",
            "-t",
            "2",
            "-h",
            "127.0.0.1",
            "-p",
            self._kept("port")["port"],
        ]
        return subprocess.run(command, check=False, env={"PGUSER": USER, "PGDATABASE": "postgres"}).returncode == 0


def find_programs() -> Path:
    """The folder of the newest one installed. Raises ServerMissing."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    if (found := shutil.which("initdb")) is not None:
        folders.append(Path(found).resolve().parent)
    for folder in reversed(folders):
        if all((folder / program).exists() for program in ("initdb", "postgres", "pg_isready")):
            return folder
    raise ServerMissing(f"there is no PostgreSQL server: sudo apt-get install {PACKAGE}")


def _other_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
