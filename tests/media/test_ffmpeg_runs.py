"""ffmpeg as a child: progress, words of failure, cancellation, and never outliving its parent."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from video_manager.errors import PermanentError, SettingsError, StorageFull
from video_manager.media.ffmpeg import FfmpegTool, ffmpeg_command, run_ffmpeg
from video_manager.media.ffmpeg_binary import FFMPEG_SETTING, ffmpeg_path, missing_capabilities

ENDLESS = ["-f", "lavfi", "-i", "testsrc2=s=1280x720:d=600", "-c:v", "libx264"]


def _is_alive(process_id: int) -> bool:
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _endless_children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == parent and b"ffmpeg" in command.split(b"\0")[0] and b"d=600" in command:
                found.append(int(entry.name))
    return found


async def test_progress_rises_to_one_and_the_log_is_returned(tmp_path: Path) -> None:
    reports: list[tuple[float, str]] = []
    log = await FfmpegTool(lambda fraction, stage: reports.append((fraction, stage))).ffmpeg(
        ["-f", "lavfi", "-i", "testsrc2=s=640x360:d=8", "-c:v", "libx264", str(tmp_path / "out.mp4")],
        total_seconds=8,
        stage="encoding",
    )
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert {stage for _, stage in reports} == {"encoding"}
    assert "testsrc2" in log


async def test_failure_says_which_file_and_keeps_ffmpegs_words(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"No such file or directory.*missing\.mp4") as caught:
        await run_ffmpeg(["-i", str(tmp_path / "missing.mp4"), str(tmp_path / "out.mp4")])
    assert "missing.mp4" in (caught.value.log_excerpt or "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
async def test_full_disk_is_told_apart() -> None:
    with pytest.raises(StorageFull):
        await run_ffmpeg(["-f", "lavfi", "-i", "testsrc2=d=2", "-f", "rawvideo", "/dev/full"])


async def test_cancelling_kills_ffmpeg_at_once(tmp_path: Path) -> None:
    task = asyncio.create_task(run_ffmpeg([*ENDLESS, str(tmp_path / "out.mp4")]))
    while not (children := _endless_children(os.getpid())):  # noqa: ASYNC110 - another process has no event
        await asyncio.sleep(0.02)
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 1
    assert not any(_is_alive(child) for child in children)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux")
def test_ffmpeg_dies_with_its_parent_and_is_niced(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from video_manager.media.ffmpeg import run_ffmpeg\n"
        f"asyncio.run(run_ffmpeg({[*ENDLESS, str(tmp_path / 'out.mp4')]!r}))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        deadline = time.monotonic() + 20
        while not (children := _endless_children(parent.pid)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert os.getpriority(os.PRIO_PROCESS, children[0]) >= 10
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + 2
        while _is_alive(children[0]):
            assert time.monotonic() < deadline, "ffmpeg outlived its parent"
            time.sleep(0.02)
    finally:
        parent.kill()


def test_the_shipped_ffmpeg_can_do_everything_needed() -> None:
    assert missing_capabilities(ffmpeg_path()) == []


def test_stdin_is_only_read_when_an_input_names_it() -> None:
    assert "-nostdin" in ffmpeg_command(["-i", "in.mp4", "out.mp4"])
    assert "-nostdin" not in ffmpeg_command(["-i", "pipe:0", "out.mp4"])


@pytest.mark.parametrize(("program", "words"), [("/nowhere/ffmpeg", "no program"), ("/bin/true", "lacks")])
def test_an_unfit_ffmpeg_setting_stops_with_words(monkeypatch: pytest.MonkeyPatch, program: str, words: str) -> None:
    ffmpeg_path.cache_clear()
    monkeypatch.setenv(FFMPEG_SETTING, program)
    try:
        with pytest.raises(SettingsError, match=words):
            ffmpeg_path()
    finally:
        ffmpeg_path.cache_clear()
