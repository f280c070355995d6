"""`.venv/bin/python -m tests.chaos --videos 200 --kills 200`: the long killing campaign, on servers of its own."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import Plan, run_campaign
from tests.chaos.private_servers import private_servers


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--keep", type=Path, help="A new folder for everything that is left, logs too.")
    arguments = parser.parse_args()
    plan = Plan(videos=arguments.videos, kills=arguments.kills, seed=arguments.seed)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = arguments.keep or Path(temporary)
        with private_servers(folder / "servers") as (servers, addresses):
            report = run_campaign(folder / "cluster", addresses, servers, plan)
    print(report)  # noqa: T201 - this program's result
    return 0 if report.verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
