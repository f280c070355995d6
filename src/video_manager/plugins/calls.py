"""What goes into a plugin process and what comes out, as JSON: the two tasks of `host.py`.

Paths are local and absolute. A made file that lies among the sources was handed through unchanged.
"""

from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from video_manager.domain.video import CheckReport, Recipe, Suggestion
from video_manager.plugins.api import PlatformLimits


class Task(StrEnum):
    RENDER = "render"
    PROCESS = "process"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RenderCall(_Shape):
    """Run one generator. `options` are resolved; `sources` maps file ids to local paths."""

    generator: str
    options: dict[str, Any]
    seed: int
    title: str
    sources: dict[str, Path] = {}
    plugin_folder: Path | None = None


class ProcessCall(_Shape):
    """Run a whole recipe (steps in order, then the listed checks) over one video."""

    video: Path
    captions: Path | None = None
    recipe: Recipe
    seed: int
    sources: dict[str, Path] = {}
    limits: dict[str, PlatformLimits] = {}
    plugin_folder: Path | None = None


class MadeFile(_Shape):
    """A file with its facts, probed in the child so that the server never loads a decoder. `suffix` (`.mp4`) and
    `content_type` say what the bytes are, whatever the file is called."""

    path: Path
    suffix: str
    content_type: str
    width: int | None = None
    height: int | None = None
    duration_seconds: float | None = None
    frame_rate: str | None = None


class RenderAnswer(_Shape):
    video: MadeFile
    captions: MadeFile | None = None
    metadata: Suggestion = Suggestion()
    facts: dict[str, str | int | float] = {}


class ProcessAnswer(_Shape):
    video: MadeFile
    captions: MadeFile | None = None
    thumbnails: tuple[MadeFile, ...] = ()
    report: CheckReport
    facts: dict[str, str | int | float] = {}


class ErrorKind(StrEnum):
    RETRYABLE = "retryable"
    ACTION_REQUIRED = "action_required"
    PERMANENT = "permanent"
    STORAGE_FULL = "storage_full"


class Failure(_Shape):
    """Why a call failed; becomes the same exception again on the other side."""

    kind: ErrorKind
    detail: str
    log_excerpt: str | None = None
    retry_after_seconds: float | None = None


class HostCall(_Shape):
    """The one line that a plugin process reads. `environment` also becomes the context's secrets."""

    task: Task
    payload: dict[str, Any]
    work_folder: Path
    environment: dict[str, str] = {}


class HostLine(_Shape):
    """One line of its answer: progress (many), then either a result or an error (one)."""

    progress: float | None = None
    stage: str = ""
    result: dict[str, Any] | None = None
    error: Failure | None = None

    @classmethod
    def of_progress(cls, fraction: float, stage: str) -> Self:
        return cls(progress=max(0.0, min(1.0, fraction)), stage=stage)
