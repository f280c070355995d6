"""Fixtures of the contract suites. Each suite runs once per backend of its `backends.py`: add one there, and it is held
to the whole contract."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL_DISK_BYTES = 6 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip(f"FULL DISK NOT TESTED: mounting a small tmpfs needs root ({mounted.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def lines_until_killed(module: str, *arguments: str, after_seconds: float) -> list[str]:
    """Run a module of the tests as a process, kill -9 it so many seconds after its first line, and return the complete
    lines it wrote: what it was told is durable."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first, f"{module} ended before its first line"
        time.sleep(after_seconds)
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()
        assert child.wait() == -signal.SIGKILL, f"{module} ended by itself before it was killed"
    return [line for line in (first + rest).split("\n")[:-1] if line]


@pytest.fixture
def kill_after() -> Callable[..., list[str]]:
    """`lines_until_killed` at a random moment within 0.3 s."""
    dice = random.Random()

    def run(module: str, *arguments: str) -> list[str]:
        return lines_until_killed(module, *arguments, after_seconds=dice.uniform(0.0, 0.3))

    return run


@pytest.fixture(params=[3, pytest.param(6, marks=pytest.mark.long)], ids="{} kills".format)
def kills(request: pytest.FixtureRequest) -> int:
    """How many processes are killed, one after the other."""
    number: int = request.param
    return number
