"""Runs generators: one job, one render in a process of its own, its files into the file store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from video_manager.domain.job import Job, JobResult
from video_manager.domain.video import MediaRole
from video_manager.errors import PermanentError, SettingsError
from video_manager.plugins.calls import RenderAnswer, RenderCall, Task
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, FileStore, JobDesk, MessageBus, PluginCall, PluginRunner, ProgressCallback
from video_manager.worker import Results, Worker, WorkerSettings, fetch_sources


class RenderWork(BaseModel):
    """A render job's input. `sources` are the ids of the files that the options name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    generator: str
    options: dict[str, Any]
    seed: int
    title: str
    sources: tuple[str, ...] = ()


class GenerationService:
    """`environment` are the secrets and settings handed to generators. `only` names the generators that this process
    runs; none means all. Raises SettingsError for one that is not installed."""

    def __init__(
        self, *, desk: JobDesk, files: FileStore, runner: PluginRunner, registry: Registry, bus: MessageBus,
        clock: Clock, work_root: Path, slots: int, name: str, settings: WorkerSettings | None = None,
        environment: Mapping[str, str] | None = None, only: Sequence[str] = (),
    ) -> None:  # fmt: skip
        installed = registry.installed_generators()
        if unknown := sorted(set(only) - set(installed)):
            raise SettingsError(
                f"there is no generator {', '.join(unknown)} here; installed are: {', '.join(sorted(installed))}"
            )
        self.generators = list(dict.fromkeys(only)) or installed
        """The generators that this process runs."""
        self._files = files
        self._runner = runner
        self._registry = registry
        self._environment = dict(environment or {})
        self.worker = Worker(
            name, self.render, desk=desk, files=files, bus=bus, clock=clock, work_root=work_root, slots=slots,
            settings=settings or WorkerSettings(),
        )  # fmt: skip

    async def render(self, job: Job, folder: Path, progress: ProgressCallback) -> JobResult:
        """Fetch the sources, render, store the files."""
        try:
            work = RenderWork.model_validate(job.input)
        except ValidationError as error:
            raise PermanentError(f"job {job.id} has an input that is no render's", str(error)) from error
        fetched = await fetch_sources(self._files, work.sources, folder / "sources")
        call = RenderCall(
            generator=work.generator, options=work.options, seed=work.seed, title=work.title, sources=fetched,
            plugin_folder=self._registry.plugin_folder,
        )  # fmt: skip
        output = folder / "output"
        output.mkdir()
        answer = RenderAnswer.model_validate(
            await self._runner.run(
                PluginCall(Task.RENDER, call.model_dump(mode="json"), output, self._environment), progress
            )
        )
        progress(1.0, "storing the files")
        async with Results(self._files, fetched) as results:
            stored = [await results.store(answer.video, MediaRole.SOURCE, "source")]
            if answer.captions is not None:
                stored.append(await results.store(answer.captions, MediaRole.CAPTIONS, "captions"))
            return JobResult(files=tuple(stored), facts=answer.facts, suggested=answer.metadata)
