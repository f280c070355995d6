"""What is done to a running cluster, and how long it takes to recover."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tests.system.cluster import RunningCluster, ServiceProcess

SERVER_SHARE = 0.12
"""Of the kills: a server takes all services with it, a service only itself."""


class Server(Protocol):
    """See tests/servers: RabbitMQ, the MongoDB-wire server, PostgreSQL."""

    @property
    def name(self) -> str: ...

    def kill(self) -> None: ...

    def start(self) -> object: ...


@dataclass(frozen=True)
class Recovery:
    """From the kill until the victim is ready again; of a server, until every service is."""

    victim: str
    seconds: float


@dataclass
class _Wounded:
    victim: str
    killed_at: float
    healthy: Callable[[], bool]
    look_at: float = 0.0


@dataclass
class Harm:
    """Kills at random, and does what Kubernetes would: starts what is down again."""

    cluster: RunningCluster
    servers: Sequence[Server]
    rng: random.Random
    kills: dict[str, int] = field(default_factory=dict)
    recoveries: list[Recovery] = field(default_factory=list)
    unasked_exits: list[str] = field(default_factory=list)
    """Processes that ended by themselves: allowed while a server is down, told in the report."""
    _wounded: list[_Wounded] = field(default_factory=list)

    def kill_one(self) -> str:
        """A server now and then, a service otherwise. Returns its name."""
        if self.servers and self.rng.random() < SERVER_SHARE:
            return self.kill_server(self.rng.choice(list(self.servers)))
        return self.kill_service(self.rng.choice([process for process in self.cluster.processes if process.alive]))

    def kill_service(self, process: ServiceProcess) -> str:
        process.kill()
        self._note(process.service, process.is_ready)
        return process.service

    def kill_server(self, server: Server) -> str:
        server.kill()
        self._note(server.name, lambda: all(process.is_ready() for process in self.cluster.processes))
        server.start()
        return server.name

    def tend(self) -> None:
        """Start the dead, and see who has recovered. Call it often."""
        for process in self.cluster.processes:
            if not process.alive:
                if process.exit_code not in (None, -9):
                    self.unasked_exits.append(f"{process.service}: exit {process.exit_code}")
                process.start()
        now = time.monotonic()
        for wounded in list(self._wounded):
            if now >= wounded.look_at:
                wounded.look_at = now + 0.25
                if wounded.healthy():
                    self._wounded.remove(wounded)
                    self.recoveries.append(Recovery(wounded.victim, time.monotonic() - wounded.killed_at))

    @property
    def all_well(self) -> bool:
        return not self._wounded and all(process.alive for process in self.cluster.processes)

    def _note(self, victim: str, healthy: Callable[[], bool]) -> None:
        self.kills[victim] = self.kills.get(victim, 0) + 1
        self._wounded = [one for one in self._wounded if one.victim != victim or one.healthy is not healthy]
        self._wounded.append(_Wounded(victim, time.monotonic(), healthy))
