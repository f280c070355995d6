"""What a process has loaded when it is ready, told by itself at its end: every module costs every start, and stays."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.system.cluster import SERVICES, RunningCluster, empty_servers
from tests.system.conftest import RunningSystem

TELL = """
import atexit, gc, json, os, sys
most = 0
def look(phase, info):
    global most
    if phase == "start":
        most = max(most, sum(len(gc.get_objects(generation)) for generation in range(info["generation"] + 1)))
def tell():
    gc.callbacks.remove(look)
    with open(os.path.join(os.environ["TOLD_FOLDER"], f"{os.getpid()}.json"), "w") as file:
        json.dump({"modules": sorted(sys.modules), "most_collected": most}, file)
gc.callbacks.append(look)
atexit.register(tell)
"""
RENDERING = ("av", "cv2", "numpy", "onnxruntime", "hibari", "pysubs2", "imageio_ffmpeg", "markdown_it")
RARELY = ("apprise", "feedgen", "lxml")
"""Loaded with the first use, or never."""
WEB = ("fastapi", "nicegui", "jinja2", "video_manager.bootstrap.application")
WAREHOUSE = ("sqlalchemy",)
MIGRATING = ("alembic",)
TABLES = ("rich.table",)
"""Commands print them."""
LAPTOP = ("aiosqlite", "sqlalchemy.dialects.sqlite")
MOST_COLLECTED = 50_000
"""Objects that one collection goes through. What a start makes is several times as much: modules, models, routes."""
CLUSTER = ("pymongo", "aio_pika", "asyncpg", "sqlalchemy.dialects.postgresql")


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where processes of this test tell what they have loaded."""
    folder = tmp_path / "told"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TELL)
    monkeypatch.setenv("TOLD_FOLDER", str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))))
    return folder


def check(told: Path, pid: int, absent: tuple[str, ...], present: tuple[str, ...]) -> None:
    """`present` shows that the names are right."""
    found = json.loads((told / f"{pid}.json").read_text())
    modules = set(found["modules"])
    assert sorted(modules.intersection(absent)) == []
    assert modules.issuperset(present)
    assert found["most_collected"] < MOST_COLLECTED


def test_the_laptop_loads_no_servers_drivers(tmp_path: Path, told: Path) -> None:
    system = RunningSystem(tmp_path)
    for _ in range(2):  # the first start makes the schemas
        assert system.start().wait_ready().stop() == 0
    check(told, system.pid, (*RENDERING, *RARELY, *TABLES, *MIGRATING, *CLUSTER), (*LAPTOP, *WAREHOUSE, *WEB))


@pytest.mark.parametrize(
    ("service", "absent", "present"),
    [
        ("manager", (*WEB, *WAREHOUSE), ("pymongo", "aio_pika", "starlette")),
        pytest.param("publishing", (*WEB, *WAREHOUSE), ("pymongo", "aio_pika", "starlette"), marks=pytest.mark.long),
        pytest.param("analytics", WEB, ("sqlalchemy.dialects.postgresql",), marks=pytest.mark.long),
        ("gateway", ("nicegui", "video_manager.studio"), ("fastapi", "sqlalchemy")),
    ],
)
def test_a_service_loads_what_it_uses(
    tmp_path: Path, told: Path, service: str, absent: tuple[str, ...], present: tuple[str, ...]
) -> None:
    with empty_servers() as servers:
        cluster = RunningCluster(tmp_path / "cluster", servers, {**dict.fromkeys(SERVICES, 0), service: 1})
        cluster.start().wait_ready()
        assert set(cluster.stop().values()) == {0}
        check(told, cluster.processes[0].pid, (*RENDERING, *RARELY, *TABLES, *LAPTOP, *absent), present)


@pytest.mark.parametrize(
    ("command", "absent", "present"),
    [("videos list", (*WAREHOUSE, *CLUSTER), ("fastapi",)), ("analytics summary", ("pymongo", "aio_pika"), WAREHOUSE)],
)
def test_a_command_without_a_server_loads_the_warehouse_when_it_asks_it(
    tmp_path: Path, told: Path, command: str, absent: tuple[str, ...], present: tuple[str, ...]
) -> None:
    environment = {**os.environ, "VIDEO_MANAGER_DATA_DIR": str(tmp_path / "data")}
    done = subprocess.Popen(
        [sys.executable, "-m", "video_manager", *command.split(), "--json"], env=environment, stdout=subprocess.PIPE
    )
    answer, _ = done.communicate(timeout=120)
    assert done.returncode == 0
    assert json.loads(answer)
    check(told, done.pid, ("nicegui", *RENDERING, *RARELY, *absent), present)
