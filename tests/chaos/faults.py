"""Network faults, each during a batch of videos: nothing is killed, so that no process may end, and each must find its
way back by itself."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import ceil
from threading import Event, Thread

from tests.chaos.batch import Batch, Report
from tests.chaos.harm import Harm
from tests.chaos.readiness import Readiness
from tests.chaos.scene import Scene
from tests.integration.cluster.private_rabbitmq import PrivateRabbitMQ
from tests.tcp_proxy import Direction

WIRES = ("mongodb", "rabbitmq", "warehouse")
_MOST_BYTES = {"mongodb": 60_000, "rabbitmq": 8_000, "warehouse": 8_000}
"""After at most so many more a connection is cut: of what flows in a second or so of a busy system."""
_CUT_PAUSE_SECONDS = (0.2, 1.5)
_SILENCE_SECONDS = 40.0
"""Longer than it takes to notice."""
_STORE_DELAY_SECONDS = (0.025, 0.1)
"""In each direction: 50 to 200 ms for each request and its answer."""


@dataclass(frozen=True)
class Fault:
    """`effect` lasts while one is inside of it. `gone` are the dependencies that every process must call unavailable
    meanwhile; `seconds` is how long it lasts when it is given its time."""

    effect: Callable[[Scene], AbstractContextManager[None]]
    gone: tuple[str, ...] = ()
    seconds: float = 60.0


# ---- effects ----------------------------------------------------------------------------------------------


def _paused(name: str) -> Callable[[Scene], AbstractContextManager[None]]:
    @contextmanager
    def effect(scene: Scene) -> Iterator[None]:
        server = getattr(scene.servers, name)
        server.pause()
        try:
            yield
        finally:
            server.resume()

    return effect


@contextmanager
def _cuts(scene: Scene) -> Iterator[None]:
    """Again and again, in the middle of a request or of its answer."""
    with _meanwhile(lambda: _cut_one(scene)):
        yield


def _cut_one(scene: Scene) -> float:
    name = scene.rng.choice(WIRES)
    way = scene.rng.choice(list(Direction))
    scene.wires.cut_after(name, scene.rng.randint(1, _MOST_BYTES[name]), way)
    return scene.rng.uniform(*_CUT_PAUSE_SECONDS)


@contextmanager
def _meanwhile(step: Callable[[], float]) -> Iterator[None]:
    """Takes the step again and again, with the pause that it returns, in another thread."""
    ending = Event()
    failures: list[Exception] = []

    def work() -> None:
        try:
            while not ending.wait(step()):
                pass
        except Exception as error:  # noqa: BLE001 - handed on below, to the thread that waits
            failures.append(error)

    thread = Thread(target=work, name="harm")
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
    if failures:
        raise failures[0]


@contextmanager
def _slow_store(scene: Scene) -> Iterator[None]:
    with scene.wires.jitter("mongodb", scene.rng, _STORE_DELAY_SECONDS):
        yield


@contextmanager
def _silence(scene: Scene) -> Iterator[None]:
    """Now and then something on the way forgets all connections, and says so to nobody."""

    def forget() -> float:
        for name in WIRES:
            scene.wires.silence(name)
        return _SILENCE_SECONDS

    with _meanwhile(forget):
        yield


@contextmanager
def _refused(scene: Scene) -> Iterator[None]:
    for name in WIRES:
        scene.wires.refuse(name)
    try:
        yield
    finally:
        for name in WIRES:
            scene.wires.accept(name)


@contextmanager
def _broker_alarm(scene: Scene) -> Iterator[None]:
    """The broker is out of memory: it reads nothing more from connections that publish."""
    broker = PrivateRabbitMQ(scene.servers.rabbitmq.folder)
    broker.run_out_of_memory()
    try:
        yield
    finally:
        broker.have_memory_again()


FAULTS: Mapping[str, Fault] = {
    "broker-paused": Fault(_paused("rabbitmq"), gone=("bus",)),
    "store-paused": Fault(_paused("mongodb"), gone=("documents", "files"), seconds=30),
    "warehouse-paused": Fault(_paused("postgresql"), gone=("warehouse",), seconds=30),
    "cuts": Fault(_cuts),
    "silence": Fault(_silence, seconds=60),
    "slow-store": Fault(_slow_store),
    "refused": Fault(_refused, gone=("documents", "files", "bus", "warehouse"), seconds=20),
    "broker-alarm": Fault(_broker_alarm, gone=("bus",), seconds=20),
}


# ---- during a batch ---------------------------------------------------------------------------------------


def faults_during_batch(
    scene: Scene, names: Sequence[str], videos: int, seconds: float | None = None,
    afterwards: Callable[[], None] = lambda: None,
) -> Report:  # fmt: skip
    """One fault after the other, each for `seconds` (its own time) and at least until every process has noticed. Some
    videos are requested before the first, some while each of them lasts, and some when all is well again; then
    `afterwards` is called."""
    harm = Harm(scene.cluster, (), scene.rng)
    ready = Readiness(scene.cluster)
    parts = len(names) + 2
    lasted: list[str] = []
    with Batch(scene.cluster, harm, ceil(videos / parts), f"During {', '.join(names)}") as batch:
        batch.tend_until(lambda: batch.crowd.has_all, "the first requests were not acknowledged")
        for part, name in enumerate(names, 2):
            began = time.monotonic()
            with FAULTS[name].effect(scene):
                batch.crowd.wanted = ceil(videos * part / parts)
                ready.wait_until_gone(FAULTS[name].gone)
                ends_at = began + (FAULTS[name].seconds if seconds is None else seconds)
                batch.tend_until(lambda at=ends_at: time.monotonic() >= at, None)  # type: ignore[misc]  # bound now
            lasted.append(f"{name} for {time.monotonic() - began:.0f} s")
        recovered = f"all ready {ready.wait_until_ready():.1f} s after the fault"
        batch.crowd.wanted = videos
        afterwards()
        return batch.finish([", ".join(lasted)], lambda: [recovered])
