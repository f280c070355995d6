"""RabbitMQ out of the system's package, with a node of its own.

It boots in a half to a third of the usual time, because it sees only the libraries that the server itself needs: while
booting it looks into every module of every library it finds, and searches each of their folders for each module.
"""

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import ClassVar

from tests.servers.server import Command, Server, ServerFailed, ServerMissing

PACKAGE = "rabbitmq-server"
HOME_VARIABLE = "VIDEO_MANAGER_TEST_RABBITMQ_HOME"
"""Names an unpacked release of RabbitMQ that is used instead of the system's, for example a newer one."""
USER = "vm"
_NAME = re.compile(r"[a-z0-9_]+")
_UNHEARD_SECONDS = 60.0
_PORTS = ("port", "names", "distribution")
_BESIDES = {"cuttlefish", "rabbitmq_prelaunch", "jsx", "getopt"}
"""Needed for the configuration, which the server's own list does not say."""


class RabbitMQ(Server):
    name: ClassVar[str] = "RabbitMQ"
    variable: ClassVar[str] = "VIDEO_MANAGER_TEST_RABBITMQ_URL"

    @property
    def url(self) -> str:
        kept = self._kept(*_PORTS)
        return f"amqp://{USER}:{kept['password']}@127.0.0.1:{kept['port']}/"

    @property
    def _node(self) -> str:
        return f"vm{self._kept(*_PORTS)['port']}@localhost"

    def _prepare(self) -> None:
        kept = self._kept(*_PORTS)
        (self.folder / "home").mkdir(exist_ok=True)
        cookie = self.folder / "home" / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(re.sub("[^A-Za-z0-9]", "x", kept["password"]), encoding="ascii")
            cookie.chmod(0o400)
        (self.folder / "enabled_plugins").write_text("[].\n", encoding="ascii")
        (self.folder / "advanced.config").write_text(
            f'[{{rabbit, [{{default_user, <<"{USER}">>}}, {{default_pass, <<"{kept["password"]}">>}}]}}].\n',
            encoding="ascii",
        )
        _link_libraries(find_home(), self.folder / "program")

    def _command(self) -> Command:
        return Command([str(self.folder / "program" / "sbin" / "rabbitmq-server")], self._environment())

    def _environment(self) -> dict[str, str]:
        kept = self._kept(*_PORTS)
        return {
            "HOME": str(self.folder / "home"),
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": kept["port"],
            "RABBITMQ_DIST_PORT": kept["distribution"],
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": kept["names"],
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_ALLOW_INPUT": "1",  # the server replaces the script, so that no second process stands around it
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                f"-noinput +S {min(os.cpu_count() or 1, 4)} -kernel inet_dist_use_interface {{127,0,0,1}}",
        }  # fmt: skip

    def _answers(self) -> bool:
        """It listens for clients after everything else has started."""
        try:
            with socket.create_connection(("127.0.0.1", int(self._kept(*_PORTS)["port"])), timeout=2) as connection:
                connection.sendall(b"AMQP\0\0\x09\x01")
                return connection.recv(7)[:1] == b"\x01"
        except OSError:
            return False

    # ---- virtual hosts ------------------------------------------------------------------------------------

    def add_vhost(self, name: str) -> str:
        """A new virtual host. Returns its address."""
        quoted = _quoted(name)
        self._evaluate(
            f'ok = rabbit_vhost:add({quoted}, <<"test">>), ok = rabbit_auth_backend_internal:set_permissions('
            f'<<"{USER}">>, {quoted}, <<".*">>, <<".*">>, <<".*">>, <<"test">>)'
        )
        return f"{self.url}{name}"

    def remove_vhost(self, name: str) -> None:
        """With all its queues and connections."""
        self._evaluate(f'ok = rabbit_vhost:delete({_quoted(name)}, <<"test">>)')

    def _evaluate(self, code: str) -> None:
        """Ask the node directly, by the small C program that Erlang brings: 10 ms, where rabbitmqctl takes seconds."""
        program = shutil.which("erl_call")
        if program is None:
            command: list[str | Path] = [find_home() / "sbin" / "rabbitmqctl", "-n", self._node, "eval", f"{code}."]
            given = None
        else:
            cookie = (self.folder / "home" / ".erlang.cookie").read_text(encoding="ascii")
            command = [program, "-sname", self._node, "-c", cookie, "-e"]
            given = f"{code}, done.\n"
        environment = {"PATH": os.environ.get("PATH", os.defpath), **self._environment()}
        deadline = time.monotonic() + _UNHEARD_SECONDS
        while True:
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, check=False, env=environment, timeout=60
            )
            # A busy node may not answer erl_call's greeting in time: then nothing was asked yet.
            if "failed to connect to node" not in done.stdout + done.stderr or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if done.returncode != 0 or (given is not None and "{ok, done}" not in done.stdout):
            raise ServerFailed(f"RabbitMQ refused {code}: {done.stdout}{done.stderr}")


def find_home() -> Path:
    """The release that is named, or the system's. Raises ServerMissing, and ServerFailed for a wrong name."""
    if named := os.environ.get(HOME_VARIABLE):
        if not (Path(named) / "sbin" / "rabbitmq-server").is_file():
            raise ServerFailed(f"{HOME_VARIABLE} names {named}, which holds no sbin/rabbitmq-server")
        return Path(named).resolve()
    if shutil.which("erl") is None:
        raise ServerMissing(f"there is no Erlang: sudo apt-get install {PACKAGE}")
    for home in sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"), reverse=True):
        if (home / "sbin" / "rabbitmq-server").is_file():
            return home
    raise ServerMissing(f"there is no RabbitMQ server: sudo apt-get install {PACKAGE}")


def _link_libraries(home: Path, program: Path) -> None:
    """A folder like the release's with only what the server needs."""
    libraries = {path.name.rpartition("-")[0]: path for path in (home / "plugins").iterdir() if path.is_dir()}
    needed, waiting = set[str](), {"rabbit"} | _BESIDES
    while waiting:
        name = waiting.pop()
        if name in needed or name not in libraries:
            continue  # Erlang's own
        needed.add(name)
        waiting |= _applications(libraries[name] / "ebin" / f"{name}.app")
    shutil.rmtree(program, ignore_errors=True)
    (program / "plugins").mkdir(parents=True)
    shutil.copytree(home / "sbin", program / "sbin")  # the scripts take the folder above their own for the release's
    (program / "escript").symlink_to(home / "escript")
    for name in needed:
        (program / "plugins" / libraries[name].name).symlink_to(libraries[name])


def _applications(description: Path) -> set[str]:
    found = re.search(r"\{\s*applications\s*,\s*\[([^\]]*)\]", description.read_text(encoding="utf-8"))
    return set(re.findall(r"[a-z][a-z0-9_]*", found[1])) if found else set()


def _quoted(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r}: the name of a virtual host for tests is of a-z, 0-9 and _")
    return f'<<"{name}">>'
