"""The two tasks of a plugin process: render with one generator, or run a recipe and its checks."""

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from video_manager.domain.video import CheckReport, Finding, Recipe, RecipeStep, Severity, Suggestion
from video_manager.errors import PermanentError, RetryableError, StorageFull, VideoManagerError, WorkError
from video_manager.media.probing import MediaFacts, probe
from video_manager.plugins.api import CheckInput, Context, RenderInput, StepInput, StepResult
from video_manager.plugins.calls import MadeFile, ProcessAnswer, ProcessCall, RenderAnswer, RenderCall
from video_manager.plugins.context import LocalContext, ProgressListener, share
from video_manager.plugins.registry import PluginKind, Registry, load_registry

_CONTAINERS = {
    "mov": (".mp4", "video/mp4"),
    "matroska": (".mkv", "video/x-matroska"),
    "avi": (".avi", "video/x-msvideo"),
    "mpegts": (".ts", "video/mp2t"),
    "mpeg": (".mpg", "video/mpeg"),
    "flv": (".flv", "video/x-flv"),
    "asf": (".wmv", "video/x-ms-wmv"),
    "ogg": (".ogv", "video/ogg"),
}
"""By the first of ffmpeg's names for the container."""


async def render(
    call: RenderCall, work_folder: Path, listener: ProgressListener, secrets: Mapping[str, str]
) -> RenderAnswer:
    """Run the generator; its files are checked and probed before anything is handed on."""
    registry = load_registry(call.plugin_folder, [PluginKind.GENERATOR])
    plugin = registry.generator(call.generator)
    options = plugin.Options.model_validate(
        registry.resolve_options(PluginKind.GENERATOR, call.generator, call.options, call.seed)
    )
    context = LocalContext(plugin.name, _made(work_folder / "render"), listener, secrets)
    result = await plugin().render(RenderInput(call.seed, call.title, call.sources), options, context)
    allowed = [work_folder, *call.sources.values()]
    return RenderAnswer(
        video=_video_file(result.video, plugin.name, allowed),
        captions=None if result.captions is None else _captions_file(result.captions, plugin.name, allowed),
        metadata=Suggestion(**asdict(result.metadata)),
        facts=dict(result.facts),
    )


async def process(
    call: ProcessCall, work_folder: Path, listener: ProgressListener, secrets: Mapping[str, str]
) -> ProcessAnswer:
    """Run the steps, then the checks. A failing step fails the call by name; a failing check becomes a finding."""
    registry = load_registry(call.plugin_folder, [PluginKind.STEP, PluginKind.CHECK])
    recipe = _with_checks(registry, call.recipe)
    total = len(recipe.steps) + len(recipe.checks or ())
    state = StepInput(call.video, call.captions, (), call.seed, call.sources)
    allowed = [work_folder, call.video, *call.sources.values()]
    if call.captions is not None:
        allowed.append(call.captions)
    facts: dict[str, str | int | float] = {}
    for index, item in enumerate(recipe.steps):
        plugin = registry.step(item.step)
        part = share(listener, index, total, plugin.title)
        part(0.0, "")
        context = LocalContext(item.step, _made(work_folder / f"{index}-{item.step}"), part, secrets)
        result = await _apply(registry, item, state, context)
        state = _after(state, result)
        facts |= {f"{item.step}.{name}": value for name, value in result.facts.items()}
    video = _video_file(state.video, "the last step", allowed)
    findings: list[Finding] = []
    for index, check in enumerate(recipe.checks or (), start=len(recipe.steps)):
        part = share(listener, index, total, registry.check(check.check).title)
        part(0.0, "")
        context = LocalContext(check.check, _made(work_folder / f"{index}-{check.check}"), part, secrets)
        findings += await _examine(registry, check.check, check.options, CheckInput(state.video, call.limits), context)
    return ProcessAnswer(
        video=video,
        captions=None if state.captions is None else _captions_file(state.captions, "the last step", allowed),
        thumbnails=tuple(_picture_file(path, allowed) for path in state.thumbnails),
        report=_report([check.check for check in recipe.checks or ()], findings, video),
        facts=facts,
    )


# ---- steps and checks -------------------------------------------------------------------------------------


def _with_checks(registry: Registry, recipe: Recipe) -> Recipe:
    return recipe if recipe.checks is not None else registry.resolve_recipe(recipe, "", 0)


async def _apply(registry: Registry, item: RecipeStep, state: StepInput, context: Context) -> StepResult:
    plugin = registry.step(item.step)
    try:
        options = plugin.Options.model_validate(
            registry.resolve_options(PluginKind.STEP, item.step, item.options, state.seed)
        )
        return await plugin().apply(state, options, context)
    except StorageFull:
        raise
    except RetryableError as error:
        raise RetryableError(f"step {item.step}: {error.detail}", error.retry_after_seconds) from error
    except PermanentError as error:
        raise PermanentError(f"step {item.step}: {error.detail}", error.log_excerpt) from error
    except WorkError as error:
        raise type(error)(f"step {item.step}: {error.detail}") from error
    except VideoManagerError as error:
        raise PermanentError(f"step {item.step}: {error.detail}") from error
    except Exception as error:
        raise PermanentError(f"step {item.step} crashed: {type(error).__name__}: {error}") from error


def _after(state: StepInput, result: StepResult) -> StepInput:
    return StepInput(
        video=result.video or state.video,
        captions=result.captions or state.captions,
        thumbnails=state.thumbnails if result.thumbnails is None else result.thumbnails,
        seed=state.seed,
        sources=state.sources,
    )


async def _examine(
    registry: Registry, name: str, options: Mapping[str, Any], input: CheckInput, context: Context
) -> tuple[Finding, ...]:
    """What the check found. Whatever goes wrong in a check must not cost the video: it is reported as a finding."""
    try:
        plugin = registry.check(name)
        valid = plugin.Options.model_validate(registry.resolve_options(PluginKind.CHECK, name, options, 0))
        return tuple(await plugin().examine(input, valid, context))
    except Exception as error:
        context.log.exception("check %s failed", name)
        reason = error.detail if isinstance(error, VideoManagerError) else f"{type(error).__name__}: {error}"
        message = f"This check could not be made, so look at this yourself. {reason}"
        return (Finding(check=name, code="check_failed", severity=Severity.ERROR, message=message[:1000]),)


def _report(checks: Sequence[str], findings: Sequence[Finding], video: MadeFile) -> CheckReport:
    """Measurements (information with a number and no time) are kept as numbers, the rest as findings."""
    measured: dict[str, float] = {"size_bytes": float(video.path.stat().st_size)}
    for name, value in (("duration_seconds", video.duration_seconds), ("width", video.width), ("height", video.height)):
        if value is not None:
            measured[name] = float(value)
    faults: list[Finding] = []
    for finding in findings:
        if finding.severity is Severity.INFO and finding.measured is not None and finding.start_seconds is None:
            measured[finding.code] = finding.measured
        else:
            faults.append(finding)
    return CheckReport(checks=tuple(checks), findings=tuple(faults), measured=measured)


# ---- files ------------------------------------------------------------------------------------------------


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _required(path: Path, maker: str, allowed: Sequence[Path]) -> Path:
    """A plugin may only hand on what it made or was given, never another file of this machine."""
    resolved = path.resolve()
    if not any(resolved.is_relative_to(root.resolve()) for root in allowed):
        raise PermanentError(f"{maker} returned {path.name}, which lies outside its work folder")
    if not resolved.is_file():
        raise PermanentError(f"{maker} returned {path.name}, but there is no such file")
    if resolved.stat().st_size == 0:
        raise PermanentError(f"{maker} returned {path.name}, which is empty")
    return path


def _video_file(path: Path, maker: str, allowed: Sequence[Path]) -> MadeFile:
    facts = probe(_required(path, maker, allowed))
    if not facts.has_video:
        raise PermanentError("the result has sound but no picture; a video is needed")
    suffix, content_type = _container_of(facts)
    return MadeFile(
        path=path,
        suffix=suffix,
        content_type=content_type,
        width=facts.width,
        height=facts.height,
        duration_seconds=round(facts.duration_seconds, 3),
        frame_rate=None if facts.frame_rate is None else f"{facts.frame_rate.numerator}/{facts.frame_rate.denominator}",
    )


def _container_of(facts: MediaFacts) -> tuple[str, str]:
    name = facts.container.split(",", 1)[0]
    if name == "matroska" and facts.video_codec in {"vp8", "vp9", "av1"}:
        return ".webm", "video/webm"
    return _CONTAINERS.get(name, (".bin", "application/octet-stream"))


def _picture_file(path: Path, allowed: Sequence[Path]) -> MadeFile:
    facts = probe(_required(path, "thumbnail", allowed))
    content_type = mimetypes.guess_type(path.name)[0] or "image/jpeg"
    suffix = path.suffix or ".jpg"
    return MadeFile(path=path, suffix=suffix, content_type=content_type, width=facts.width, height=facts.height)


def _captions_file(path: Path, maker: str, allowed: Sequence[Path]) -> MadeFile:
    _required(path, maker, allowed)
    with path.open("rb") as file:
        is_webvtt = file.read(9).removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT")
    suffix, content_type = (".vtt", "text/vtt") if is_webvtt else (".srt", "application/x-subrip")
    return MadeFile(path=path, suffix=suffix, content_type=content_type)
