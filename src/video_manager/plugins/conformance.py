"""A suite for plugin authors: call these from a test of your own.

    async def test_my_generator(tmp_path):
        await check_generator(MyGenerator, {"text": "hello"}, tmp_path)

Each raises NonConformance (an AssertionError) that says what the product would not accept, and why.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from video_manager.domain.video import Finding
from video_manager.errors import VideoManagerError
from video_manager.media.probing import probe
from video_manager.plugins.api import (
    Check,
    CheckInput,
    Collector,
    Generator,
    Plugin,
    ProcessingStep,
    Publisher,
    RenderInput,
    RenderResult,
    StepInput,
)
from video_manager.plugins.context import LocalContext
from video_manager.plugins.discovery import Found
from video_manager.plugins.kinds import PluginDescription, PluginKind
from video_manager.plugins.registry import Registry

_SEEDS = (1, 2)


class NonConformance(AssertionError):
    """The plugin breaks a promise that the product relies on."""


def check_description(plugin: type[Plugin], kind: PluginKind) -> PluginDescription:
    """Name, texts and options: what the forms, the API and the docs are made of."""
    try:
        registry = Registry([Found(plugin, plugin.__module__)])
    except VideoManagerError as error:
        raise NonConformance(error.detail) from error
    if plugin.name not in registry.names(kind):
        raise NonConformance(f"{plugin.__name__} is no {kind}")
    description = registry.description(kind, plugin.name)
    json.dumps(description.json_schema, allow_nan=False)
    for name, field in description.json_schema.get("properties", {}).items():
        if not field.get("description"):
            raise NonConformance(f"option {name!r} needs a description: people read it in the form")
    return description


async def check_generator(
    plugin: type[Generator[Any]], options: Mapping[str, Any], folder: Path, sources: Mapping[str, Path] | None = None
) -> RenderResult:
    """Renders twice with one seed: a playable video, the same both times, with honest progress."""
    check_description(plugin, PluginKind.GENERATOR)
    resolved = _check_options(plugin, PluginKind.GENERATOR, options)
    results = [await _render(plugin, resolved, folder / f"render-{number}", sources or {}) for number in (1, 2)]
    digests = {_digest(result.video) for result in results}
    if len(digests) != 1:
        raise NonConformance("the same input and options gave two different videos: draw from input.seed only")
    return results[0]


async def check_step(
    plugin: type[ProcessingStep[Any]], options: Mapping[str, Any], video: Path, folder: Path,
    sources: Mapping[str, Path] | None = None,
) -> None:  # fmt: skip
    """Applies the step: what it returns is playable, and the input is left as it was."""
    check_description(plugin, PluginKind.STEP)
    resolved = _check_options(plugin, PluginKind.STEP, options)
    before = _digest(video)
    context, seen = _context(plugin.name, folder)
    step_input = StepInput(video, None, (), _SEEDS[0], sources or {})
    result = await plugin().apply(step_input, plugin.Options.model_validate(resolved), context)
    if _digest(video) != before:
        raise NonConformance("the step changed its input file; write a new one into context.work_folder")
    for path in (result.video, result.captions, *(result.thumbnails or ())):
        if path is not None:
            _require_inside(path, context.work_folder)
    if result.video is not None:
        probe(result.video)
    _check_facts(result.facts)
    _check_progress(seen)


async def check_check(
    plugin: type[Check[Any]], options: Mapping[str, Any], video: Path, folder: Path
) -> tuple[Finding, ...]:
    """Examines the video: findings carry the check's name and times inside the video."""
    check_description(plugin, PluginKind.CHECK)
    resolved = _check_options(plugin, PluginKind.CHECK, options)
    context, seen = _context(plugin.name, folder)
    findings = await plugin().examine(CheckInput(video), plugin.Options.model_validate(resolved), context)
    end = probe(video).duration_seconds
    for finding in findings:
        if finding.check != plugin.name:
            raise NonConformance(f"a finding names the check {finding.check!r} instead of {plugin.name!r}")
        start, stop = finding.start_seconds, finding.end_seconds
        if start is not None and not 0 <= start <= (end if stop is None else stop) <= end + 0.1:
            raise NonConformance(f"the finding {finding.code!r} lies outside the video: {start} to {stop} s")
    _check_progress(seen)
    return tuple(findings)


def check_publisher(plugin: type[Publisher[Any]]) -> None:
    """What can be said without the platform: its description, limits, and hard timeout."""
    check_description(plugin, PluginKind.PUBLISHER)
    if plugin.publish_timeout_seconds <= 0:
        raise NonConformance("publish_timeout_seconds must be above 0: after it, the ledger asks what happened")


def check_collector(plugin: type[Collector[Any]]) -> None:
    check_description(plugin, PluginKind.COLLECTOR)
    if plugin.interval_seconds <= 0:
        raise NonConformance("interval_seconds must be above 0")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---- parts ------------------------------------------------------------------------------------------------


def _check_options(plugin: type[Plugin], kind: PluginKind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Resolving is repeatable, and resolving again changes nothing."""
    registry = Registry([plugin])
    for seed in _SEEDS:
        once = registry.resolve_options(kind, plugin.name, given, seed)
        if registry.resolve_options(kind, plugin.name, given, seed) != once:
            raise NonConformance("the same seed drew two different sets of options")
        if registry.resolve_options(kind, plugin.name, once, seed + 1) != once:
            raise NonConformance("resolved options change when they are validated again")
    return registry.resolve_options(kind, plugin.name, given, _SEEDS[0])


async def _render(
    plugin: type[Generator[Any]], resolved: Mapping[str, Any], folder: Path, sources: Mapping[str, Path]
) -> RenderResult:
    context, seen = _context(plugin.name, folder)
    render_input = RenderInput(_SEEDS[0], "A title", sources)
    result = await plugin().render(render_input, plugin.Options.model_validate(resolved), context)
    for path in (result.video, result.captions):
        if path is not None and path not in sources.values():
            _require_inside(path, context.work_folder)
    if not probe(result.video).has_video:
        raise NonConformance("the result has no picture")
    _check_facts(result.facts)
    _check_progress(seen)
    return result


def _context(name: str, folder: Path) -> tuple[LocalContext, list[tuple[float, str]]]:
    seen: list[tuple[float, str]] = []
    work = folder / "work"
    work.mkdir(parents=True, exist_ok=True)
    return LocalContext(name, work, lambda fraction, stage: seen.append((fraction, stage))), seen


def _require_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        raise NonConformance(f"{path} is no file inside the work folder")


def _check_facts(facts: Mapping[str, object]) -> None:
    wrong = [name for name, value in facts.items() if not isinstance(value, (str, int, float))]
    if wrong:
        raise NonConformance(f"facts hold numbers and short texts only; not: {', '.join(wrong)}")


def _check_progress(seen: Sequence[tuple[float, str]]) -> None:
    if any(not stage.strip() for _, stage in seen):
        raise NonConformance("progress needs a stage in words: people wait in front of it")
