"""A MongoDB server of one test alone, which may be killed, paused, started again, and started with other flags."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.servers.fleet import new_folder
from tests.servers.installing import ensure_programs
from tests.servers.mongodb import MongoDB
from tests.servers.server import Command, ServerMissing

PASSWORD = "priv@te/word"
ADDRESS_PASSWORD = "priv%40te%2Fword"


class PrivateMongodb(MongoDB):
    """Keeps its port and its data over restarts."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.flags: tuple[str, ...] = ()

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def address(self, *options: str, user: str = "") -> str:
        """That of its database `studio`."""
        return mongodb_address(self.port, *options, user=user)

    def _command(self) -> Command:
        command = super()._command()
        return Command([*command.arguments, *self.flags], command.environment, command.user)


@contextmanager
def private_mongodb() -> Iterator[PrivateMongodb]:
    """It serves on entering, and nothing of it is left on leaving."""
    try:
        ensure_programs(MongoDB)
    except ServerMissing as error:
        pytest.skip(f"MONGODB NOT KILLED: {error}")
    folder = new_folder()
    server = PrivateMongodb(folder / "mongodb")
    try:
        server.restart()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder)


def mongodb_address(port: int, *options: str, user: str = "") -> str:
    given = "&".join(("directConnection=true", *options))
    return f"mongodb://{user}127.0.0.1:{port}/studio?{given}"
