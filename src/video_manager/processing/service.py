"""Runs recipes: the processing steps in order, then the quality checks, over one rendered video."""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from video_manager.domain.job import Job, JobResult
from video_manager.domain.video import MediaFile, MediaRole, Recipe
from video_manager.errors import NotFound, PermanentError
from video_manager.plugins.api import PlatformLimits
from video_manager.plugins.calls import ProcessAnswer, ProcessCall, Task
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, FileStore, JobDesk, MessageBus, PluginCall, PluginRunner, ProgressCallback
from video_manager.worker import Results, Worker, WorkerSettings, fetch_sources

_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}")


class ProcessWork(BaseModel):
    """A processing job's input. `sources` are the ids of the files that the steps' options name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    source: MediaFile
    captions: MediaFile | None = None
    recipe: Recipe
    seed: int
    sources: tuple[str, ...] = ()
    limits: dict[str, PlatformLimits] = {}


class ProcessingService:
    """`environment` are the secrets and settings handed to steps and checks."""

    def __init__(
        self, *, desk: JobDesk, files: FileStore, runner: PluginRunner, registry: Registry, bus: MessageBus,
        clock: Clock, work_root: Path, slots: int, name: str, settings: WorkerSettings | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._files = files
        self._runner = runner
        self._registry = registry
        self._environment = dict(environment or {})
        self.worker = Worker(
            name, self.process, desk=desk, files=files, bus=bus, clock=clock, work_root=work_root, slots=slots,
            settings=settings or WorkerSettings(),
        )  # fmt: skip

    async def process(self, job: Job, folder: Path, progress: ProgressCallback) -> JobResult:
        """Fetch the video, run the recipe, store what it made."""
        try:
            work = ProcessWork.model_validate(job.input)
        except ValidationError as error:
            raise PermanentError(f"job {job.id} has an input that is no processing run's", str(error)) from error
        sources = await fetch_sources(self._files, work.sources, folder / "sources")
        video = await self._fetch(work.source, folder, "video")
        captions = None if work.captions is None else await self._fetch(work.captions, folder, "captions")
        output = folder / "output"
        output.mkdir()
        call = ProcessCall(
            video=video, captions=captions, recipe=work.recipe, seed=work.seed, sources=sources, limits=work.limits,
            plugin_folder=self._registry.plugin_folder,
        )  # fmt: skip
        answer = ProcessAnswer.model_validate(
            await self._runner.run(
                PluginCall(Task.PROCESS, call.model_dump(mode="json"), output, self._environment), progress
            )
        )
        progress(1.0, "storing the files")
        fetched = {**sources, work.source.id: video}
        if work.captions is not None and captions is not None:
            fetched[work.captions.id] = captions
        return await self._store(answer, fetched)

    async def _fetch(self, file: MediaFile, folder: Path, name: str) -> Path:
        suffix = Path(file.name).suffix
        try:
            return await self._files.fetch(file.id, folder, name + (suffix if _SUFFIX.fullmatch(suffix) else ""))
        except NotFound as error:
            raise PermanentError(f"the {file.role} file {file.id} is no longer there; request a new version") from error

    async def _store(self, answer: ProcessAnswer, fetched: Mapping[str, Path]) -> JobResult:
        async with Results(self._files, fetched) as results:
            stored = [await results.store(answer.video, MediaRole.MASTER, "master")]
            for number, thumbnail in enumerate(answer.thumbnails, start=1):
                stored.append(await results.store(thumbnail, MediaRole.THUMBNAIL, f"thumbnail-{number}"))
            if answer.captions is not None:
                stored.append(await results.store(answer.captions, MediaRole.CAPTIONS, "captions"))
            return JobResult(files=tuple(stored), facts=answer.facts, report=answer.report)
