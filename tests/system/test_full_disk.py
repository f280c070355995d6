"""A disk or a quota that is full: the one video fails in clear words, the rest goes on, and room made is room again."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.system.bad_media import MediaFolder, run_ffmpeg
from tests.system.conftest import RunningSystem, wait_for
from tests.system.driving import BARE, SMALL, Driver, Json, assert_problem

NOISE_SECONDS = 8
MIN_FREE_BYTES = 4_000_000
BALLAST = "ballast"


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of several megabytes that becomes about as large again when it is made right."""
    path = tmp_path_factory.mktemp("noise") / "noise.mkv"
    source = f"nullsrc=s=320x240:r=25:d={NOISE_SECONDS},geq=random(1)*255:128:128"
    run_ffmpeg("-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-q:v", "3", path)
    return path


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system of 60 MB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a full disk needs a small file system: run the tests as root to try it")
    folder = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a full disk needs a small file system, and none can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def running_on_small_disk(small_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    system = RunningSystem(
        tmp_path_factory.mktemp("system"), data_dir=str(small_disk / "data"), min_free_bytes=str(MIN_FREE_BYTES),
        render_slots="2",
    )  # fmt: skip
    system.data_dir = small_disk / "data"
    driver = Driver(system.start().wait_ready())
    yield driver
    driver.close()
    system.kill()


@pytest.fixture
def on_small_disk(running_on_small_disk: Driver, small_disk: Path) -> Iterator[Driver]:
    """With room on the disk, before a test and afterwards."""
    yield running_on_small_disk
    (small_disk / BALLAST).unlink(missing_ok=True)


def fill(folder: Path, leave_bytes: int) -> Path:
    """Take all of the disk but so much."""
    ballast = folder / BALLAST
    wanted = shutil.disk_usage(folder).free - leave_bytes
    piece = bytes(1 << 16)
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while wanted > 0:
            wanted -= file.write(piece[:wanted])
    return ballast


def own_video(driver: Driver, source: str) -> Json:
    return driver.request("upload", options={"source": source}, recipe=BARE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "leave_bytes",
    [pytest.param(1_000_000, id="ffmpeg", marks=pytest.mark.long), pytest.param(3_500_000, id="store")],
)
def test_a_full_disk_fails_that_video_alone(
    on_small_disk: Driver, small_disk: Path, noise: Path, leave_bytes: int
) -> None:
    """Whether ffmpeg meets the end of the disk, or the store what it keeps free for the databases."""
    driver = on_small_disk
    source = driver.send(noise)
    ballast = fill(small_disk, leave_bytes=MIN_FREE_BYTES + leave_bytes)
    unlucky = own_video(driver, source)
    settled = driver.settled(unlucky["id"])
    assert settled["state"] == "failed"
    error = settled["versions"][0]["error"]
    assert "disk is full" in error
    assert "ree some space" in error or "make room" in error
    assert error.lower().count("disk is full") == 1, "said twice"
    small = driver.made(title="Small enough", recipe=BARE)
    assert small["state"] == "in_review", "the rest goes on"
    ballast.unlink()
    again = driver.ok(driver.http.post(f"/videos/{unlucky['id']}/retry"))
    assert driver.settled(again["id"])["state"] == "in_review"


@pytest.mark.slow
def test_a_disk_without_a_single_byte(on_small_disk: Driver, small_disk: Path) -> None:
    """Nothing can be written: what is asked is refused in words, reading works, and afterwards all goes on."""
    driver = on_small_disk
    video = driver.made(recipe=BARE)
    ballast = fill(small_disk, leave_bytes=0)
    body = {"generator": "test-card", "title": "No room", "options": SMALL, "recipe": BARE}
    asked = driver.http.post("/videos", json=body)
    while asked.status_code == 202:  # the database had some room inside itself
        asked = driver.http.post("/videos", json=body)
    problem = assert_problem(asked, 507, "storage_full")
    assert "free" in problem["detail"]
    assert driver.video(video["id"])["state"] == "in_review"
    assert driver.bytes_of(video, "master")
    assert_problem(driver.announce(5000, "clip.mp4"), 507, "storage_full")
    ballast.unlink()
    assert driver.made(title="Room again", recipe=BARE)["state"] == "in_review"
    waiting = driver.ok(driver.http.get("/videos", params={"q": "No room", "limit": 200}))["items"]
    for left in waiting:
        assert driver.settled(left["id"])["state"] in ("in_review", "failed")
    assert driver.ok(driver.http.get("/dead-letters"))["items"] == []


@pytest.mark.slow
def test_deleting_needs_a_little_room_and_makes_much(on_small_disk: Driver, small_disk: Path) -> None:
    """The product never fills the disk that far itself; when others did, it says so, and goes on afterwards."""
    driver = on_small_disk
    before = driver.ok(driver.http.get("/storage"))["used_bytes"]
    video = driver.made()
    ballast = fill(small_disk, leave_bytes=0)
    answer = driver.http.delete(f"/videos/{video['id']}")
    if answer.status_code != 204:
        assert "free some space" in assert_problem(answer, 507, "storage_full")["detail"]
        with ballast.open("rb+") as file:
            file.truncate(ballast.stat().st_size - 500_000)
        assert driver.http.delete(f"/videos/{video['id']}").status_code == 204
    wait_for(lambda: driver.ok(driver.http.get("/storage"))["used_bytes"] <= before, 30, "its files stayed")


@pytest.mark.slow
def test_the_quota(start_system: Callable[..., RunningSystem], noise: Path, tmp_path: Path) -> None:
    size = noise.stat().st_size
    driver = Driver(start_system(storage_quota_bytes=str(size + 3_000_000), min_free_bytes="0"))
    source = driver.send(noise)
    before = driver.ok(driver.http.get("/storage"))
    assert before["used_bytes"] == size
    assert before["quota_bytes"] == size + 3_000_000
    unlucky = driver.settled(own_video(driver, source)["id"])
    assert unlucky["state"] == "failed"
    assert "No space left" in unlucky["versions"][0]["error"]
    assert "quota" in unlucky["versions"][0]["error"]
    second = driver.announce(size, "second.mkv")
    problem = assert_problem(second, 507, "storage_full")
    assert "no room for 'second.mkv'" in problem["detail"]
    small = driver.made(title="Small enough", recipe=BARE)
    assert driver.http.delete(f"/videos/{unlucky['id']}").status_code == 204
    # A file that was handed to a request moments ago is let go a few seconds later.
    wait_for(lambda: driver.ok(driver.http.get("/storage"))["used_bytes"] < size, 30, "the sent-in file stayed")
    retried = driver.send(MediaFolder(tmp_path)["good.mp4"])
    assert driver.settled(own_video(driver, retried)["id"])["state"] == "in_review"
    assert driver.bytes_of(small, "master")
    driver.close()
