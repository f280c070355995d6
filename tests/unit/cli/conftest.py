"""A server that answers as the API does, and the command line run against it."""

import fcntl
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from video_manager.cli import app

TOKEN = "t" * 48


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(data_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run the command line in this process, on the data folder of the test."""
    monkeypatch.setenv("VIDEO_MANAGER_DATA_DIR", str(data_dir))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["video-manager", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.run()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def server(httpserver: HTTPServer, data_dir: Path) -> Iterator[HTTPServer]:
    """Looks to the command line like the running system of the data folder: lock, note and token."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it writes every request to stderr
    (data_dir / "cli-token").write_text(TOKEN)
    (data_dir / "server.json").write_text(json.dumps({"url": httpserver.url_for("").rstrip("/"), "pid": os.getpid()}))
    with (data_dir / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        httpserver.expect_request("/health/live").respond_with_json({"status": "ok"})
        yield httpserver


def a_video(state: str = "in_review", **changes: Any) -> dict[str, Any]:
    """A video as the API shows it."""
    states = {"in_review": "ready", "approved": "ready", "rejected": "ready"}
    master = {"id": "f1", "role": "master", "name": "master.mp4", "content_type": "video/mp4", "size_bytes": 5,
              "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824", "width": 1080,
              "height": 1920, "duration_seconds": 30.0, "url": "/api/v1/videos/v1/versions/1/files/master"}  # fmt: skip
    version = {
        "number": 1, "state": states.get(state, state), "verdict": "none", "files": [master] if state in states else [],
        "spec": {"generator": "story", "options": {"text": "Hi"}, "seed": 7, "recipe": {"steps": [], "checks": []}},
        "checks": None, "error": None, "progress": 1.0 if state in states else 0.5, "stage": "drawing", "metadata": {},
    }  # fmt: skip
    version |= changes.pop("version", {})
    video = {"id": "v1" + "0" * 30, "title": "Bees", "state": state, "versions": [version], "created_by": "cli",
             "publications": {"published": 0, "total": 0, "by_state": {}},
             "created_at": "2026-11-22T10:00:00Z"}  # fmt: skip
    return video | changes


def generators() -> dict[str, Any]:
    """What GET /generators answers."""
    source = {"type": "string", "format": "source-file", "x-accept": "image/*"}
    story = {
        "properties": {
            "text": {"type": "string"}, "speed": {"type": "number", "default": 1.0}, "music": {"type": "boolean"},
            "style": {"anyOf": [{"$ref": "#/$defs/Style"}, {"type": "null"}], "x-draw": ["bold"]},
        },
        "required": ["text"], "$defs": {"Style": {"type": "string", "enum": ["bold", "calm"]}},
    }  # fmt: skip
    slideshow = {"properties": {"pictures": {"type": "array", "items": source}, "music": {"type": "boolean"},
                                "cover": {"anyOf": [source, {"type": "null"}]}}}  # fmt: skip
    items = [{"name": name, "title": name, "description": f"Makes a {name}.", "json_schema": schema}
             for name, schema in (("story", story), ("slideshow", slideshow))]  # fmt: skip
    return {"items": items, "next": None}
