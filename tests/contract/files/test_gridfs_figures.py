"""The benchmark runs, and shows its figures beside those of the raw driver; they decide nothing here."""

import subprocess
import sys
from pathlib import Path

from tests.servers.mongodb import MongoDB
from tests.services import server_url

ROOT = Path(__file__).parents[3]


def test_figures_of_a_small_file() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "grid_files.py"), server_url(MongoDB), "16", "1"],
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")}, timeout=200, check=False,
    )  # fmt: skip
    print(done.stdout)  # noqa: T201 - seen with pytest -rP
    assert done.returncode == 0, done.stderr
    for name in ("write: put", "write: AsyncGridFSBucket", "read: read", "read: GridOut.read", "read: p95"):
        assert name in done.stdout
