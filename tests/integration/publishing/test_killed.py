"""kill -9 at every step of an upload: afterwards there is exactly one post, and the ledger knows it."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.integration.publishing.conftest import FOLDER, SITE, World, open_world

from video_manager.domain.publication import PublicationState

P = "p" * 32
SCRIPT = Path(__file__).with_name("dying_uploader.py")
REPOSITORY = SCRIPT.parents[3]
BEFORE = ("claimed", "fetched", "handle saved", "uploaded")
ARMED = ("armed", "published", "recorded")
RENAMES = tuple(f"rename:{number}" for number in range(1, 5))  # video, thumbnail, captions, sidecar
ALSO = ("claimed", "uploaded", "recorded", "rename:2", "rename:3")
"""Points beside another of the list, where the same happens: only with ./test --all."""


def start(root: Path, point: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}"}
    return subprocess.Popen([sys.executable, str(SCRIPT), str(root), point], env=environment)


async def die_at(root: Path, point: str) -> None:
    process = start(root, point)
    assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL


async def go_on(world: World, seconds: float = 20) -> None:
    """As after the next start: until the publication has come to its end."""
    await world.publishing.void_leases()
    deadline = time.monotonic() + seconds
    while (await world.publication()).state is not PublicationState.PUBLISHED:
        assert time.monotonic() < deadline, (await world.publication()).model_dump_json(indent=1)
        await world.run()
        await asyncio.sleep(0.05)


async def prepare(root: Path, channel: str) -> None:
    async with open_world(root) as world:
        await world.create(await world.command(channel=channel))


@pytest.mark.slow
@pytest.mark.parametrize(
    "point",
    [pytest.param(point, marks=[pytest.mark.long] if point in ALSO else []) for point in (*BEFORE, *ARMED, *RENAMES)],
)
@pytest.mark.usefixtures("short_calls")
async def test_exactly_one_set_of_files_wherever_the_process_dies(tmp_path: Path, point: str) -> None:
    await prepare(tmp_path, FOLDER)
    await die_at(tmp_path, point)
    async with open_world(tmp_path) as world:
        await go_on(world)
        publication = await world.publication()
        assert len(world.sets()) == 4
        assert len(world.sidecars()) == 1
        assert (await world.events()).count("publication.published") == 1
        sent_again = len(publication.attempts) > 1
        assert sent_again == (point not in ("published", "recorded")), "only what surely is not public is sent again"
        assert not list((tmp_path / "published" / ".video-manager").rglob("*.mp4")), "nothing is left behind"


@pytest.mark.slow
@pytest.mark.parametrize(
    "point", ["armed", *(pytest.param(one, marks=pytest.mark.long) for one in ("handle saved", "published"))]
)
@pytest.mark.usefixtures("short_calls")
async def test_exactly_one_page_wherever_the_process_dies(tmp_path: Path, point: str) -> None:
    await prepare(tmp_path, SITE)
    await die_at(tmp_path, point)
    async with open_world(tmp_path) as world:
        await go_on(world)
        assert len((await world.publishing.site.newest()).pages) == 1
        assert (await world.events()).count("publication.published") == 1
        files = [file.id async for file in world.files.list()]
        assert len(files) == 6, "three approved files and one copy of each"


@pytest.mark.usefixtures("short_calls")
async def test_killed_again_and_again_at_random_it_is_published_once(tmp_path: Path) -> None:
    await prepare(tmp_path, FOLDER)
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    for _ in range(6):
        process = start(tmp_path, "never")
        try:
            await asyncio.to_thread(process.wait, chance.uniform(0.3, 1.2))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    async with open_world(tmp_path) as world:
        await go_on(world)
        assert len(world.sets()) == 4, f"seed {seed}"
        assert (await world.events()).count("publication.published") == 1, f"seed {seed}"
