"""Servers that a campaign may kill: they belong to it alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.mongodb import MongoDB
from tests.servers.postgres import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server
from tests.services import private_server
from tests.system.cluster import Servers


@contextmanager
def private_servers() -> Iterator[tuple[list[Server], Servers]]:
    """Running servers, and the addresses for a cluster. They are ended afterwards."""
    with (
        private_server(MongoDB) as mongodb,
        private_server(RabbitMQ) as rabbitmq,
        private_server(PostgreSQL) as postgresql,
    ):
        mongo_url = mongodb.url.replace("/?", "/campaign?")
        yield [mongodb, rabbitmq, postgresql], Servers(mongo_url, rabbitmq.url, postgresql.url)
