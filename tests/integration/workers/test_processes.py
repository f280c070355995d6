"""The process runner by itself: what happens when this side dies, and that a noisy child never blocks."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from video_manager.adapters.process_groups import end_group
from video_manager.adapters.processes import ProcessRunner
from video_manager.errors import PermanentError, RetryableError
from video_manager.ports import PluginCall

PLUGINS = Path(__file__).parent / "plugins"

PARENT = """
import asyncio, sys
from pathlib import Path
from video_manager.adapters.processes import ProcessRunner
from video_manager.ports import PluginCall
payload = {"generator": "card", "options": {"seconds": 3000, "width": 1280, "height": 720}, "seed": 1, "title": "",
           "plugin_folder": sys.argv[1]}
def report(progress, stage):
    if progress > 0:
        print("rendering", flush=True)
asyncio.run(ProcessRunner().run(PluginCall("render", payload, Path(sys.argv[2])), report))
"""


# Frees half a gigabyte when it ends, which takes the kernel longer than its parent's end.
LEADER = """
import os, time
if os.fork() == 0:
    memory = bytearray(500 * 1024 * 1024)
    print(os.getpid(), flush=True)
time.sleep(60)
"""


def call(folder: Path, generator: str, options: dict[str, object]) -> PluginCall:
    payload = {"generator": generator, "options": options, "seed": 1, "title": "", "plugin_folder": str(PLUGINS)}
    return PluginCall("render", payload, folder)


def test_killing_the_worker_kills_all_it_started(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(PLUGINS), str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"rendering\n"
    group = _about(tmp_path, parent.pid)
    assert len(group) >= 2, "the host and ffmpeg"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 2
    while (alive := [process for process in group if _is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert alive == []


@pytest.mark.parametrize("interruptions", [0, 2])
async def test_the_end_of_a_group_is_the_end_of_all_of_it(interruptions: int) -> None:
    leader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LEADER, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert leader.stdout is not None
    other = int(await leader.stdout.readline())
    ending = asyncio.ensure_future(end_group(leader))
    for _ in range(interruptions):
        await asyncio.sleep(0)
        ending.cancel()
    await asyncio.wait({ending})
    assert not _is_alive(other)
    assert ending.cancelled() == (interruptions > 0)


async def test_the_render_is_nicer_than_the_server(tmp_path: Path) -> None:
    task = asyncio.create_task(ProcessRunner().run(call(tmp_path, "faulty", {"fault": "sleep"}), lambda *_: None))
    async with asyncio.timeout(10):
        while not (hosts := _about_parent(os.getpid())) or _nice(hosts[0]) == _nice(os.getpid()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert _nice(hosts[0]) == _nice(os.getpid()) + 10
    started = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - started < 1
    assert not _is_alive(hosts[0])


async def test_errors_keep_their_kind(tmp_path: Path) -> None:
    with pytest.raises(RetryableError) as raised:
        await ProcessRunner().run(call(tmp_path, "faulty", {"fault": "retry"}), lambda *_: None)
    assert raised.value.retry_after_seconds == 0.1


async def test_a_broken_plugin_folder_is_a_clear_failure(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "mine.py").write_text("import nosuchmodule")
    wrong = call(tmp_path, "card", {})
    broken = PluginCall("render", {**wrong.payload, "plugin_folder": str(plugins)}, tmp_path)
    with pytest.raises(PermanentError, match=r"mine\.py cannot be loaded"):
        await ProcessRunner().run(broken, lambda *_: None)


async def test_progress_never_goes_back_and_ends_with_the_answer(tmp_path: Path) -> None:
    seen: list[float] = []
    answer = await ProcessRunner().run(
        call(tmp_path, "card", {"seconds": 60}), lambda fraction, stage: seen.append(fraction)
    )
    assert seen == sorted(seen)
    assert Path(answer["video"]["path"]).is_relative_to(tmp_path)


async def test_no_file_descriptors_are_left_open(tmp_path: Path) -> None:
    async def once(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(PermanentError):
            await ProcessRunner().run(call(folder, "faulty", {"fault": "permanent"}), lambda *_: None)

    await once(0)
    before = _open_descriptors()
    for number in range(1, 3):
        await once(number)
    assert _open_descriptors() <= before


def _open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _stat(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()


def _nice(process: int) -> int:
    return int(_stat(process)[16])


def _is_alive(process: int) -> bool:
    try:
        return _stat(process)[0] != "Z"
    except OSError:
        return False


def _matching(words: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if words in line:
                found.append(int(entry.name))
    return found


def _about_parent(parent: int) -> list[int]:
    return _matching(f"--parent {parent}")


def _about(folder: Path, parent: int) -> list[int]:
    return sorted({*_about_parent(parent), *_matching(str(folder))} - {parent})
