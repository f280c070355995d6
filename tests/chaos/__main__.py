"""`.venv/bin/python -m tests.chaos --videos 200 --kills 200`: the long killing campaign, on servers of its own.
`--fault NAME` (`all` for each in turn): a network fault during a batch instead."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.batch import Report
from tests.chaos.campaign import Plan, run_campaign
from tests.chaos.faults import FAULTS, faults_during_batch
from tests.chaos.private_servers import private_servers
from tests.chaos.scene import running_scene


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--videos", type=int, help="Of the batch: 200 for the campaign, 12 for a fault.")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--fault", choices=["all", *FAULTS])
    parser.add_argument("--seconds", type=float, help="How long a fault lasts, instead of its own time.")
    parser.add_argument("--keep", type=Path, help="A new folder for everything that is left, logs too.")
    arguments = parser.parse_args()
    clean = True
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = (arguments.keep or Path(temporary)) / "cluster"
        for report in (_campaign if arguments.fault is None else _faults)(folder, arguments):
            print(report, flush=True)  # noqa: T201 - this program's result
            clean = clean and report.is_clean
    return 0 if clean else 1


def _campaign(folder: Path, arguments: argparse.Namespace) -> Iterator[Report]:
    plan = Plan(videos=arguments.videos or 200, kills=arguments.kills, seed=arguments.seed)
    with private_servers() as servers:
        yield run_campaign(folder, servers.addresses, servers.all, plan)


def _faults(folder: Path, arguments: argparse.Namespace) -> Iterator[Report]:
    names = list(FAULTS) if arguments.fault == "all" else [arguments.fault]
    with running_scene(folder, Plan(0, 0).counts, arguments.seed) as scene:
        for name in names:
            yield faults_during_batch(scene, [name], arguments.videos or 12, arguments.seconds)


if __name__ == "__main__":
    sys.exit(main())
