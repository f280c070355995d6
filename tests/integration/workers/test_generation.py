"""The generation worker with real processes, files and ffmpeg."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.workers.conftest import Works

from video_manager.contracts.commands import Render
from video_manager.domain.job import JobState
from video_manager.domain.video import MediaRole, Suggestion

ENDED = (JobState.FINISHED, JobState.FAILED)


async def test_a_render_is_claimed_reported_and_stored(works: Works, tmp_path: Path) -> None:
    service = await works.start_generation()
    id = await works.render("card", {"seconds": 90, "tone": 440})
    job = await works.desk.until(id, *ENDED)
    assert job.state is JobState.FINISHED, job.error
    assert job.result is not None
    video, captions = job.result.files
    assert (video.role, video.name, video.content_type) == (MediaRole.SOURCE, "source.mp4", "video/mp4")
    assert (video.width, video.height, video.frame_rate) == (180, 320, "30/1")
    assert video.duration_seconds == pytest.approx(90.0, abs=0.1)
    assert (captions.role, captions.content_type) == (MediaRole.CAPTIONS, "text/vtt")
    stored = await works.files.stat(video.id)
    assert stored is not None
    assert (stored.sha256, stored.size_bytes) == (video.sha256, video.size_bytes)
    assert job.result.suggested == Suggestion(title="Card one", tags=("test",))
    assert job.result.facts == {"tone_hertz": 440}
    assert any(hint.stage == "drawing the card" and hint.progress > 0 for hint in works.hints)
    await works.until_idle(service)
    assert works.work_folders() == []


async def test_a_repeated_command_runs_nothing_twice(works: Works) -> None:
    service = await works.start_generation()
    id = await works.render("card", {})
    await works.desk.until(id, *ENDED)
    await works.until_idle(service)
    await works.desk.claim(id, "test")
    assert works.desk.calls.count(f"finish {id}") == 1


async def test_slots_bound_the_renders_and_none_is_forgotten(works: Works) -> None:
    service = await works.start_generation(slots=1)
    most = 0
    ids = [await works.render("card", {"seconds": 1}, video=f"v{number}") for number in range(3)]
    ids += [await works.render("faulty", {"fault": "raise"}, video="w1")]
    while any(works.desk.jobs[id].state not in ENDED for id in ids):
        claimed = sum(job.state is JobState.CLAIMED for job in works.desk.jobs.values())
        most = max(most, claimed)
        await asyncio.sleep(0.01)
    assert most == 1
    assert service.worker.running <= 1
    assert [works.desk.jobs[id].state for id in ids] == [JobState.FINISHED] * 3 + [JobState.FAILED]


async def test_cancelling_ends_ffmpeg_and_the_folder_within_a_second(works: Works) -> None:
    service = await works.start_generation()
    id = await works.render("card", {"seconds": 3000, "width": 1280, "height": 720})
    await works.desk.until_progress(id)
    (folder,) = works.work_folders()
    assert _processes_about(folder)
    started = time.monotonic()
    await works.cancel(id)
    await works.until_idle(service)
    assert time.monotonic() - started < 1.0
    assert _processes_about(folder) == []
    assert works.work_folders() == []
    assert works.desk.jobs[id].state is JobState.CANCELLED


async def test_a_lost_lease_stops_the_render(works: Works) -> None:
    """Also when the hint is lost, the next renewal tells."""
    service = await works.start_generation()
    id = await works.render("card", {"seconds": 3000})
    await works.desk.until_progress(id)
    await works.desk.cancel(id)
    await works.until_idle(service, seconds=2)
    assert works.work_folders() == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("raise", ["ZeroDivisionError: seven by nothing", "in render"]),
        ("permanent", ["this text cannot be spoken", "the tool said so"]),
        ("die", ["SIGABRT", "last words"]),
        ("exit", ["SystemExit"]),
        ("flood", ["flooded"]),
        ("missing", ["there is no such file"]),
        ("outside", ["outside its work folder"]),
        ("nonsense", ["options.fault"]),
        ("secret", ["sesame None"]),
    ],
)
async def test_a_failing_plugin_says_why(
    works: Works, fault: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDEO_MANAGER_SESSION_SECRET", "none of its business")
    service = await works.start_generation()
    id = await works.render("faulty", {"fault": fault})
    job = await works.desk.until(id, *ENDED)
    assert job.state is JobState.FAILED
    assert job.error is not None
    for word in words:
        assert word in job.error
    assert len(job.error) <= 4000
    await works.until_idle(service)
    assert works.work_folders() == []


async def test_killing_the_child_is_a_clear_failure(works: Works) -> None:
    await works.start_generation()
    id = await works.render("faulty", {"fault": "sleep"})
    await works.desk.until_progress(id)
    (child,) = _hosts(os.getpid())
    os.kill(child, signal.SIGKILL)
    job = await works.desk.until(id, *ENDED)
    assert job.error is not None
    assert "SIGKILL" in job.error
    assert "out of memory?" in job.error


async def test_what_a_plugin_started_ends_with_it(works: Works) -> None:
    service = await works.start_generation()
    id = await works.render("faulty", {"fault": "spawn"})
    while not list((works.root / "work").rglob("spawned")):  # noqa: ASYNC110 - made by another process
        await asyncio.sleep(0.02)
    (host,) = _hosts(os.getpid())
    started = _children(host)
    assert started
    await works.cancel(id)
    await works.until_idle(service)
    assert not any(_is_alive(process) for process in started)


async def test_a_retryable_failure_is_tried_three_times(works: Works) -> None:
    await works.start_generation()
    id = await works.render("faulty", {"fault": "retry"})
    for _ in range(2):
        await works.desk.until(id, JobState.CLAIMED)
        await works.desk.until(id, JobState.QUEUED)
        await works.send(Render(generator="faulty", job_id=id, video_id="v1", version=1), id)
    job = await works.desk.until(id, *ENDED)
    assert works.desk.calls.count(f"give_back {id}") == 2
    assert job.error is not None
    assert "the voice service is busy" in job.error


async def test_a_lost_answer_to_finish_does_no_harm(works: Works) -> None:
    service = await works.start_generation()
    works.desk.answers_to_lose = 2
    id = await works.render("card", {"seconds": 1})
    job = await works.desk.until(id, *ENDED)
    await works.until_idle(service)
    assert works.desk.calls.count(f"finish {id}") == 3
    assert job.result is not None
    assert all([await works.files.stat(file.id) for file in job.result.files])


async def test_files_of_an_unwanted_result_are_removed(works: Works) -> None:
    """Cancelled while it was being stored: nobody names these files."""
    service = await works.start_generation()
    id = await works.render("card", {"seconds": 1})
    await works.desk.until(id, JobState.CLAIMED)
    works.desk.jobs[id] = works.desk.jobs[id].with_(attempt=99)
    await works.until_idle(service)
    assert [file async for file in works.files.list()] == []


async def test_a_handed_through_source_is_copied_inside_the_store(works: Works) -> None:
    await works.start_generation()
    first = await works.desk.until(await works.render("card", {"seconds": 1}), *ENDED)
    assert first.result is not None
    source = first.result.files[0]
    id = await works.render("hand-through", {"file": source.id}, video="v2", sources=[source.id])
    job = await works.desk.until(id, *ENDED)
    assert job.result is not None, job.error
    (copy,) = job.result.files
    assert copy.id != source.id
    assert (copy.sha256, copy.name) == (source.sha256, "source.mp4")
    assert await works.files.stat(source.id) is not None


async def test_a_source_that_is_gone_fails_by_name(works: Works) -> None:
    await works.start_generation()
    id = await works.render("hand-through", {"file": "nosuchfile"}, sources=["nosuchfile"])
    job = await works.desk.until(id, *ENDED)
    assert "nosuchfile" in (job.error or "")


async def test_shutdown_gives_running_work_back(works: Works) -> None:
    service = await works.start_generation()
    id = await works.render("card", {"seconds": 3000})
    await works.desk.until_progress(id)
    (folder,) = works.work_folders()
    await works.stop()
    assert works.desk.jobs[id].state is JobState.QUEUED
    assert service.worker.running == 0
    assert _processes_about(folder) == []
    assert works.work_folders() == []


async def test_leftovers_of_a_killed_worker_are_swept(works: Works) -> None:
    left = works.root / "work" / "v9.1.render.1-abc"
    (left / "work").mkdir(parents=True)
    (left / ".owner").touch()
    await works.start_generation()
    assert works.work_folders() == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_fails_this_job_alone(works: Works, small_disk: Path) -> None:
    works.root = small_disk
    service = await works.start_generation()
    full = await works.desk.until(await works.render("faulty", {"fault": "fill disk"}), *ENDED)
    assert full.state is JobState.FAILED
    assert "free some space" in (full.error or "").lower()
    await works.until_idle(service)
    by_ffmpeg = await works.render("card", {"seconds": 600, "width": 1280, "height": 720}, video="v2")
    full = await works.desk.until(by_ffmpeg, *ENDED)
    assert "free some space" in (full.error or "").lower()
    fine = await works.desk.until(await works.render("card", {"seconds": 1}, video="v3"), *ENDED)
    assert fine.state is JobState.FINISHED


# ---- looking at processes ---------------------------------------------------------------------------------


def _command_lines() -> dict[int, str]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def _processes_about(folder: Path) -> list[int]:
    return [process for process, line in _command_lines().items() if str(folder) in line]


def _hosts(parent: int) -> list[int]:
    return [
        process
        for process, line in _command_lines().items()
        if "video_manager.plugins.host" in line and f"--parent {parent}" in line
    ]


def _children(parent: int) -> list[int]:
    found = []
    for process in _command_lines():
        try:
            status = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(status[1]) == parent:
            found.append(process)
    return found


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
