"""Servers that a campaign may kill: they belong to it alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.servers.mongodb import MongoDB
from tests.servers.postgres import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server
from tests.services import private_server
from tests.system.cluster import Servers


@dataclass(frozen=True)
class PrivateServers:
    mongodb: MongoDB
    rabbitmq: RabbitMQ
    postgresql: PostgreSQL

    @property
    def all(self) -> list[Server]:
        return [self.mongodb, self.rabbitmq, self.postgresql]

    @property
    def addresses(self) -> Servers:
        mongo_url = self.mongodb.url.replace("/?", "/campaign?")
        return Servers(mongo_url, self.rabbitmq.url, self.postgresql.url)


@contextmanager
def private_servers() -> Iterator[PrivateServers]:
    """Running servers. They are ended afterwards."""
    with (
        private_server(MongoDB) as mongodb,
        private_server(RabbitMQ) as rabbitmq,
        private_server(PostgreSQL) as postgresql,
    ):
        yield PrivateServers(mongodb, rabbitmq, postgresql)
