"""A real OAuth 2 server (oauth2-mock-server, from npm), which agrees to everything at once."""

import shutil
from pathlib import Path
from typing import ClassVar

from tests.servers import upload_servers
from tests.servers.server import Command
from tests.servers.upload_servers import NodeServer

SOURCES = Path(__file__).resolve().parent / "oauth"


class OAuthServer(NodeServer):
    name: ClassVar[str] = "oauth2-mock-server"
    program: ClassVar[str] = "server.mjs"

    def _command(self) -> Command:
        node, program = shutil.which("node") or "node", find_modules() / self.program
        return Command([node, str(program), str(self.folder), self._kept("port")["port"]], {})


def find_modules() -> Path:
    return upload_servers.find_modules(SOURCES)


def install() -> None:
    upload_servers.install(SOURCES)
