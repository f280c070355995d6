"""What the services say about their readiness while something is wrong, and afterwards."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import httpx
from tests.no_tls import NO_TLS
from tests.system.cluster import RunningCluster, ServiceProcess

NOTICE_SECONDS = 120.0
"""A bound against hanging: the machine may be busy with other things."""
_ANSWER_SECONDS = 30.0


class Readiness:
    """Asks all processes at once, because one that misses a dependency takes seconds for its answer."""

    def __init__(self, cluster: RunningCluster) -> None:
        self._processes = cluster.processes

    def wait_until_gone(self, dependencies: Iterable[str]) -> None:
        """Until every process that uses them has said that they are unavailable, each of them at least once."""
        wanted = set(dependencies)
        waiting = {process.url: (process, set(wanted)) for process in self._processes}
        deadline = time.monotonic() + NOTICE_SECONDS
        while waiting:
            for url, states in self._look([process for process, _ in waiting.values()]).items():
                process, missing = waiting[url]
                missing -= {name for name in missing if states.get(name, "unavailable") == "unavailable"}
                if not missing:
                    del waiting[url]
                else:
                    assert time.monotonic() < deadline, f"{process.service} does not miss {missing}: {states}"

    def wait_until_ready(self) -> float:
        """Until every process says that it is ready. Returns the seconds that took."""
        began = time.monotonic()
        while not all(process.is_ready() for process in self._processes):
            assert time.monotonic() < began + NOTICE_SECONDS, f"not ready again: {self._look(self._processes)}"
            time.sleep(0.1)
        return time.monotonic() - began

    @staticmethod
    def _look(processes: list[ServiceProcess]) -> dict[str, dict[str, str]]:
        """The states of the dependencies by the process's address; none of a process that gave no answer."""
        with ThreadPoolExecutor(len(processes)) as pool:
            return {url: states for url, states in pool.map(_dependencies, processes) if states}


def _dependencies(process: ServiceProcess) -> tuple[str, dict[str, str]]:
    answer = httpx.get(f"{process.url}/health/ready", timeout=_ANSWER_SECONDS, verify=NO_TLS)
    body = answer.json()
    assert answer.status_code == (200 if body["status"] == "ok" else 503), body
    states: dict[str, str] = body["dependencies"]
    return process.url, states
