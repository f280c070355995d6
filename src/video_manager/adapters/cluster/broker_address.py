"""Where RabbitMQ is, and what its refusals mean in words that name the setting. The password never gets into a text."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aio_pika.exceptions import (
    AuthenticationError,
    ChannelPreconditionFailed,
    ConnectionClosed,
    IncompatibleProtocolError,
    InvalidFrameError,
    ProbableAuthenticationError,
    ProtocolSyntaxError,
)
from aiormq.exceptions import ChannelAccessRefused
from yarl import URL

from video_manager.errors import SettingsError, Unavailable, VideoManagerError

SETTING = "VIDEO_MANAGER_RABBITMQ_URL"
OLDEST = (3, 10)
"""Quorum queues expire messages and hand them on with confirms since this release."""

HEARTBEAT_SECONDS = 10
"""A connection without a sign of life is given up after three of these, unless the address names another
`heartbeat`. The server does so after two."""

_PORTS = {"amqp": 5672, "amqps": 5671}
_NOT_ALLOWED = 530
_EXAMPLE = "amqp://user:password@host:5672/video_manager"


@dataclass(frozen=True)
class BrokerAddress:
    url: URL = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "BrokerAddress":
        """Raises SettingsError."""
        try:
            url = URL(text)
        except ValueError as error:
            raise SettingsError(f"{SETTING} is no address of a RabbitMQ such as {_EXAMPLE}: {error}") from None
        if url.scheme not in _PORTS or not url.host:
            raise SettingsError(f"{SETTING} must begin with amqp:// or amqps:// and name a host, such as {_EXAMPLE}")
        query = {"heartbeat": str(HEARTBEAT_SECONDS), **url.query}
        return cls(url.with_port(url.port or _PORTS[url.scheme]).with_query(query))

    @property
    def virtual_host(self) -> str:
        return self.url.path.removeprefix("/") or "/"

    @property
    def user(self) -> str:
        return self.url.user or "guest"

    def __str__(self) -> str:
        return f"{self.url.host}:{self.url.port}"

    def check_server(self, properties: dict[str, Any]) -> None:
        """Raises SettingsError for a server that is no RabbitMQ, or too old."""
        product, version = str(properties.get("product", "a server")), str(properties.get("version", "?"))
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        if product != "RabbitMQ" or numbers < OLDEST:
            raise SettingsError(
                f"{SETTING}: at {self} answers {product} {version}; RabbitMQ {OLDEST[0]}.{OLDEST[1]} or later is needed"
            )

    def explained(self, error: BaseException) -> VideoManagerError:
        """Why no connection came about: SettingsError when waiting cannot help, else Unavailable."""
        if isinstance(error, VideoManagerError):
            return error
        if isinstance(error, ProbableAuthenticationError | AuthenticationError):
            return SettingsError(
                f"{SETTING}: RabbitMQ at {self} refuses user {self.user!r}: correct the user or the password "
                "(the user guest may sign in from the broker's own machine only)"
            )
        if _refuses_virtual_host(error):
            return SettingsError(
                f"{SETTING}: RabbitMQ at {self} does not let user {self.user!r} into virtual host "
                f"{self.virtual_host!r}: create it, permit the user, or name another one"
            )
        if isinstance(error.__cause__, ssl.SSLCertVerificationError):
            return SettingsError(
                f"{SETTING}: the certificate of {self} is not trusted ({error.__cause__.verify_message}): "
                "name the authority's file with ?cafile="
            )
        if isinstance(error, ProtocolSyntaxError | IncompatibleProtocolError):
            return SettingsError(f"{SETTING}: what answers at {self} does not speak AMQP 0-9-1: name RabbitMQ's port")
        return Unavailable(f"RabbitMQ at {self} ({SETTING}) cannot be reached: {_words(error)}")

    @contextmanager
    def permission(self) -> Iterator[None]:
        """Turn what the broker does not allow inside into SettingsError."""
        try:
            yield
        except ChannelAccessRefused as error:
            raise SettingsError(
                f"{SETTING}: user {self.user!r} lacks a permission in virtual host {self.virtual_host!r} of {self} "
                f"({_words(error)}): allow it to configure, write and read"
            ) from error
        except ChannelPreconditionFailed as error:
            raise SettingsError(
                f"{SETTING}: virtual host {self.virtual_host!r} of {self} holds something of the same name with other "
                f"arguments ({_words(error)}): let it run empty and delete it, or name another virtual host"
            ) from error


def _refuses_virtual_host(error: BaseException) -> bool:
    """Some releases of the driver give the broker's reason, others say only which answer they had expected."""
    if isinstance(error, InvalidFrameError):
        return "Connection.OpenOk" in str(error)
    return isinstance(error, ConnectionClosed) and error.args[:1] == (_NOT_ALLOWED,)


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
