"""How many videos the whole system moves, on the laptop's engines and on the cluster's, beside the bare engines.

    PYTHONPATH=src python benchmarks/throughput.py [--lives 500] [--paced 250] [--skip laptop] [--profile FILE]

A life is a video from request to published: rendered, processed, approved and published by parts that do nothing, so
that what is left is manager, bus and documents. On the cluster the manager is a process of its own (`run manager`)
with servers of this run alone; people, workers and publishing share another. On the laptop all are in one process.
First the lives come at the target's rate, for the time that messages wait; then as fast as it goes, for the rate.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - the line above is needed for what follows
import pymongo  # noqa: E402
from lives import floors, naps  # noqa: E402
from lives.ages import Hop, opened_with_ages, percentile, read  # noqa: E402
from lives.crowd import PLUGINS, Crowd, Ran, crowd  # noqa: E402
from lives.processor_time import processor_seconds  # noqa: E402
from tests.servers import processes  # noqa: E402
from tests.servers.mongodb import MongoDB  # noqa: E402
from tests.servers.postgres import PostgreSQL  # noqa: E402
from tests.servers.rabbitmq import RabbitMQ  # noqa: E402
from tests.services import private_server  # noqa: E402
from tests.system.cluster import Servers  # noqa: E402
from tests.system.conftest import free_port  # noqa: E402

from video_manager.bootstrap.services import Service  # noqa: E402
from video_manager.collector import keep_what_is_built  # noqa: E402
from video_manager.settings import PREFIX, Settings, read_settings  # noqa: E402

PER_MINUTE = 500
"""The target: lives of one manager."""
HOP_MILLISECONDS = 50
FASTER = 1.9
WARM_UP = 100
"""Lives before anything is measured: modules that are loaded late, connections, plans of queries."""
REST_SECONDS = 3.0
"""After them, for what they leave behind."""
_PARTS = 6
_LISTENING_SECONDS = 60.0


@dataclass(frozen=True)
class Measured:
    """One profile's lives at the target's rate and as fast as it goes; `spent` are processor seconds of the latter."""

    paced: Ran
    full: Ran
    hops: list[Hop]
    spent: Mapping[str, float]

    def waits(self, queue: str | None = None) -> list[float]:
        """Seconds that messages were under way at the target's rate."""
        ran = self.paced
        return [
            one.seconds for one in self.hops if ran.began <= one.at <= ran.ended and queue in (None, one.queue)
        ]  # fmt: skip

    def waits_by_time(self, parts: int) -> list[list[float]]:
        """The same in equal parts of that time, one after the other: whether it gets slower as more is stored."""
        ran, found = self.paced, [list[float]() for _ in range(parts)]
        for one in self.hops:
            if ran.began <= one.at <= ran.ended:
                part = int((one.at - ran.began) / (ran.ended - ran.began) * parts)
                found[min(part, parts - 1)].append(one.seconds)
        return found


# ---- the two profiles -----------------------------------------------------------------------------------


def settings_of(folder: Path, **more: Any) -> Settings:
    return read_settings(
        data_dir=folder, plugin_folder=PLUGINS, sample_video=False, max_open_jobs=10_000, log_level="WARNING", **more
    )


async def measure_laptop(folder: Path, given: argparse.Namespace) -> Measured:
    settings = settings_of(folder / "laptop")
    async with opened_with_ages(settings) as (adapters, ages):
        ours = frozenset({Service.MANAGER, Service.PUBLISHING})
        async with crowd(settings, adapters, ours) as people:
            await warm_up(people)
            paced = await people.run(given.paced, per_second=PER_MINUTE / 60)
            before = time.process_time()
            full = await people.run(given.lives)
            spent = {"all in one": time.process_time() - before}
    return Measured(paced, full, ages.hops, spent)


async def measure_cluster(folder: Path, given: argparse.Namespace, mongodb: MongoDB, rabbitmq: RabbitMQ) -> Measured:
    servers = {"mongodb_url": database(mongodb), "rabbitmq_url": rabbitmq.url}
    more = {
        "profile": "cluster",
        "credential_keys": "a" * 43 + "=",
        "public_url": "http://127.0.0.1",
        **servers,
        "warehouse_url": "postgresql://nobody@127.0.0.1/none",
    }  # nobody asks it
    settings = settings_of(folder / "people", **more)
    written = folder / "ages.json"
    with manager(folder, written, given.profile, more) as process:
        async with (
            opened_with_ages(settings) as (adapters, ages),
            crowd(settings, adapters, frozenset({Service.PUBLISHING})) as people,
        ):
            await warm_up(people)
            paced = await people.run(given.paced, per_second=PER_MINUTE / 60)
            parts = {
                    "manager": [process.pid], "people, workers, publishing": [os.getpid()],
                    "MongoDB": processes.marked(mongodb.folder), "RabbitMQ": processes.marked(rabbitmq.folder),
                }  # fmt: skip
            before = {name: processor_seconds(ids) for name, ids in parts.items()}
            full = await people.run(given.lives)
            spent = {name: processor_seconds(ids) - before[name] for name, ids in parts.items()}
    return Measured(paced, full, ages.hops + read(written), spent)


async def warm_up(people: Crowd) -> None:
    await people.run(WARM_UP)
    keep_what_is_built()  # as every service does when it has started
    await asyncio.sleep(REST_SECONDS)


@contextmanager
def manager(
    folder: Path, ages: Path, profile: str | None, more: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """`run manager` in a process of its own, until it has declared its queue; ended in order afterwards."""
    values = {
        **more, "data_dir": str(folder / "manager"), "plugin_folder": str(PLUGINS), "port": str(free_port()),
        "log_level": "WARNING",
    }  # fmt: skip
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
    command = [sys.executable, str(ROOT / "benchmarks" / "lives" / "manager.py"), str(ages)]
    process = subprocess.Popen([*command, *([profile] if profile else [])], env=environment)
    try:
        wait_until_listening(int(values["port"]), process)
        yield process
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()


def wait_until_listening(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _LISTENING_SECONDS
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("the manager did not start")
        time.sleep(0.1)


def database(mongodb: MongoDB, name: str = "lives") -> str:
    return mongodb.url.replace("/?", f"/{name}?")


def ended_video(url: str) -> dict[str, Any]:
    """The body of a video at the end of its life, as it was stored."""
    with pymongo.MongoClient[dict[str, Any]](url) as client:
        found = client.get_default_database()["videos"].find_one({"body.state": "approved"})
    assert found is not None  # noqa: S101 - the lives have just ended
    body: dict[str, Any] = found["body"]
    return body


# ---- what is printed ------------------------------------------------------------------------------------


def show_lives(name: str, measured: Measured) -> None:
    full = measured.full
    print(f"\n{name}")
    print(f"  lives a minute, as fast as it goes  {full.lives / full.seconds * 60:10,.0f}   (goal: {PER_MINUTE})")
    changes = full.writes / full.seconds
    print(f"  state changes a second              {changes:10,.0f}   ({full.writes / full.lives:.1f} a life)")
    print(f"  processor milliseconds a life       {sum(measured.spent.values()) / full.lives * 1000:10.1f}")
    for part, seconds in measured.spent.items():
        share = seconds / full.seconds
        print(f"    {part:<34}{seconds / full.lives * 1000:10.1f}   ({share:.0%} of a core)")
    print(f"  messages under way at {measured.paced.lives / measured.paced.seconds * 60:.0f} lives a minute, ms")
    print(f"    {'queue':<22}{'messages':>10}{'p50':>10}{'p99':>10}{'longest':>10}")
    for queue in [*sorted({one.queue for one in measured.hops}), None]:
        waits = measured.waits(queue)
        if waits:
            figures = [percentile(waits, 0.5), percentile(waits, 0.99), max(waits)]
            shown = "".join(f"{figure * 1000:>10.1f}" for figure in figures)
            goal = f"   (goal: p99 under {HOP_MILLISECONDS})" if queue is None else ""
            print(f"    {queue or 'all':<22}{len(waits):>10}{shown}{goal}")
    parts = (percentile(waits, 0.99) for waits in measured.waits_by_time(_PARTS))
    print(f"    p99 by time, in {_PARTS} parts: " + " ".join(f"{part * 1000:.1f}" for part in parts))


def show_floors(
    mongodb: Mapping[str, floors.Rates], broker: floors.BrokerRates, sqlite: Mapping[str, float], body_bytes: int
) -> None:
    print(f"\nthe bare engines, a second (a video's body: {body_bytes:,} bytes)      alone   {floors.AT_ONCE} at once")
    for name, found in mongodb.items():
        print(f"  PyMongo {name:<52}{found.alone:>8,.0f}{found.at_once:>13,.0f}")
    print(f"  aio-pika publish, confirmed{broker.alone:>41,.0f}{broker.at_once:>13,.0f}")
    print(f"  aio-pika publish and consume, acknowledged{broker.through:>39,.0f}")
    hops = [percentile(broker.hops, share) * 1000 for share in (0.5, 0.99)]
    print(f"  aio-pika, from publish to consumer, p50 and p99, ms{hops[0]:>17.1f}{hops[1]:>13.1f}")
    for name, per_second in sqlite.items():
        print(f"  sqlite3 {name:<52}{per_second:>8,.0f}")


def show_naps(taken: Mapping[int, float]) -> None:
    print(f"\n{naps.JOBS} renders of 1.5 s that use no processor, workers with one slot each")
    for workers, seconds in taken.items():
        print(f"  {workers} worker{'s' if workers > 1 else ' '}                            {seconds:10.1f} s")
    print(f"  as fast                             {taken[1] / taken[2]:10.2f} times (goal: {FASTER})")


def measure(folder: Path, given: argparse.Namespace) -> None:
    if "laptop" not in given.skip:
        show_lives(
            "laptop: SQLite and the embedded bus, all in one process", asyncio.run(measure_laptop(folder, given))
        )
    with private_server(MongoDB) as mongodb, private_server(RabbitMQ) as rabbitmq:
        if "cluster" not in given.skip:
            measured = asyncio.run(measure_cluster(folder, given, mongodb, rabbitmq))
            show_lives("cluster: MongoDB-wire server and RabbitMQ, the manager a process", measured)
            if "floors" not in given.skip:
                body = ended_video(database(mongodb))
                bare = asyncio.run(floors.mongodb(database(mongodb, "bare"), body))
                broker = asyncio.run(floors.rabbitmq(rabbitmq.url, b"x" * 700, PER_MINUTE / 60 * 15))
                show_floors(bare, broker, floors.sqlite(folder, body), len(json.dumps(body)))
        if "naps" not in given.skip:
            with private_server(PostgreSQL) as postgresql:
                servers = Servers(database(mongodb, "naps"), rabbitmq.url, postgresql.url)
                show_naps(naps.seconds_by_workers(folder / "naps", servers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lives", type=int, default=500, help="as fast as it goes (%(default)s)")
    parser.add_argument("--paced", type=int, default=250, help="at the target's rate (%(default)s)")
    parser.add_argument("--skip", nargs="*", default=[], choices=["laptop", "cluster", "floors", "naps"])
    parser.add_argument("--profile", help="run the manager under cProfile, which leaves its statistics there")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # ends the servers and processes, too
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        measure(Path(folder), parser.parse_args())


if __name__ == "__main__":
    main()
