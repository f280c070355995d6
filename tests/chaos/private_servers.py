"""Servers that a campaign may kill: they belong to it alone."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers.mongodb import MongoDB
from tests.servers.postgres import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.server import Server
from tests.system.cluster import Servers


@contextmanager
def private_servers(folder: Path) -> Iterator[tuple[list[Server], Servers]]:
    """Running servers below `folder`, and the addresses for a cluster. They are stopped at the end."""
    mongodb, rabbitmq, postgresql = (
        MongoDB(folder / "mongodb"), RabbitMQ(folder / "rabbitmq"), PostgreSQL(folder / "postgresql"),
    )  # fmt: skip
    servers: list[Server] = [mongodb, rabbitmq, postgresql]
    with ExitStack() as stack:
        for server in servers:
            stack.callback(server.kill)
            server.start()
        for server in servers:
            server.wait_ready()
        mongo_url = mongodb.url.replace("/?", "/campaign?")
        yield servers, Servers(mongodb=mongo_url, rabbitmq=rabbitmq.url, warehouse=postgresql.url)
