"""A start whose last part fails is no start."""

import subprocess
import sys
from pathlib import Path

from tests.servers.processes import free_port

PROGRAM = """
from video_manager.bootstrap import serve
from video_manager.bootstrap.system import System
from video_manager.settings import read_settings

async def fail(_system):
    raise RuntimeError("a mistake of ours")

System.finish_start = fail
serve(read_settings(data_dir=FOLDER, port=PORT, sample_video=False))
"""


def test_a_mistake_in_the_last_part_of_a_start_ends_the_process(tmp_path: Path) -> None:
    """In a process of its own: the studio can be put together only once in one."""
    program = PROGRAM.replace("FOLDER", repr(str(tmp_path / "data"))).replace("PORT", str(free_port()))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert "a mistake of ours" in done.stderr
