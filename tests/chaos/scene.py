"""A cluster whose servers and connections can be harmed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.chaos.batch import CALM
from tests.chaos.private_servers import PrivateServers, private_servers
from tests.chaos.wires import Wires, wires_to
from tests.system.cluster import RunningCluster

SMALL_COUNTS = {"studio": 0, "manager": 2}
"""Of processes: two where they share work by the documents alone, and nobody looks at pages."""


@dataclass(frozen=True)
class Scene:
    cluster: RunningCluster
    servers: PrivateServers
    wires: Wires
    rng: Random


@contextmanager
def running_scene(folder: Path, counts: Mapping[str, int], seed: int = 20261122) -> Iterator[Scene]:
    """Everything started and ready; all of it is ended afterwards."""
    with private_servers() as servers, wires_to(servers.addresses) as wires:
        cluster = RunningCluster(folder, wires.addresses, counts, **CALM)
        try:
            cluster.start().wait_ready()
            yield Scene(cluster, servers, wires, Random(seed))
        finally:
            cluster.kill()
