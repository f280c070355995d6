"""Virtual hosts on a RabbitMQ that somebody else started: AMQP itself cannot make them, so another way in is needed."""

import base64
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from urllib.parse import unquote, urlsplit

from tests.servers.rabbitmq import RabbitMQ

API_VARIABLE = "VIDEO_MANAGER_TEST_RABBITMQ_API_URL"
"""Its management interface, for example http://127.0.0.1:15672."""
_SECONDS = 60


class ForeignRabbitMQ:
    """By its management interface when one is named, else by rabbitmqctl, which reaches a server on this machine."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._api = os.environ.get(API_VARIABLE)
        self._user = unquote(self._parts.username or "guest")

    def fault(self) -> str | None:
        """Why no virtual hosts can be made there."""
        if self._api or shutil.which("rabbitmqctl"):
            return None
        return f"no virtual host can be made on the server of {RabbitMQ.variable}: set {API_VARIABLE}"

    def add_vhost(self, name: str) -> str:
        if self._api:
            self._ask("PUT", f"vhosts/{name}", b"{}")
            everything = b'{"configure": ".*", "write": ".*", "read": ".*"}'
            self._ask("PUT", f"permissions/{name}/{self._user}", everything)
        else:
            _control("add_vhost", name)
            _control("set_permissions", "-p", name, self._user, ".*", ".*", ".*")
        return self._parts._replace(path=f"/{name}").geturl()

    def remove_vhost(self, name: str) -> None:
        if self._api:
            self._ask("DELETE", f"vhosts/{name}", None)
        else:
            _control("delete_vhost", name)

    def _ask(self, method: str, path: str, body: bytes | None) -> None:
        secret = base64.b64encode(f"{self._user}:{unquote(self._parts.password or 'guest')}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310 - the address is the developer's own
            f"{self._api}/api/{path}", data=body, method=method,
            headers={"Authorization": f"Basic {secret}", "Content-Type": "application/json"},
        )  # fmt: skip
        try:
            urllib.request.urlopen(request, timeout=_SECONDS).close()  # noqa: S310 - as above
        except urllib.error.URLError as error:
            raise RuntimeError(f"{API_VARIABLE}: {method} {path} failed: {error}") from error


def _control(*arguments: str) -> None:
    done = subprocess.run(
        ["rabbitmqctl", "-q", *arguments], capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"rabbitmqctl {arguments[0]} failed: {done.stdout}{done.stderr}".strip())
