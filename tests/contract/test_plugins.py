"""Every built-in plugin, and the example for authors, passes the suite that ships for authors."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from tests.media.step_clips import write_clip

from video_manager.domain.video import Finding, Severity
from video_manager.plugins.api import (
    Check,
    CheckInput,
    Context,
    Generator,
    Options,
    ProcessingStep,
    RenderInput,
    RenderResult,
    StepInput,
    StepResult,
)  # fmt: skip
from video_manager.plugins.checks import CHECKS
from video_manager.plugins.collectors import COLLECTORS
from video_manager.plugins.conformance import (
    NonConformance,
    check_check,
    check_collector,
    check_description,
    check_generator,
    check_publisher,
    check_step,
)  # fmt: skip
from video_manager.plugins.generators import GENERATORS
from video_manager.plugins.kinds import PluginKind
from video_manager.plugins.publishers import PUBLISHERS
from video_manager.plugins.registry import load_registry
from video_manager.plugins.steps import STEPS

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
STEP_OPTIONS = {"watermark": {"text": "mine"}, "trim": {"end_seconds": 1.0}, "reframe": {"height": 320}}


@pytest.fixture
async def video(tmp_path: Path) -> Path:
    return await write_clip(tmp_path / "clip.mp4")


@pytest.mark.parametrize("plugin", GENERATORS, ids=lambda plugin: plugin.name)
def test_generators_describe_themselves(plugin: type[Generator[Any]]) -> None:
    check_description(plugin, PluginKind.GENERATOR)


async def test_the_test_card_conforms(tmp_path: Path) -> None:
    (card,) = [plugin for plugin in GENERATORS if plugin.name == "test-card"]
    await check_generator(card, {"duration_seconds": 1, "width": 180, "height": 320}, tmp_path)


@pytest.mark.parametrize("plugin", STEPS, ids=lambda plugin: plugin.name)
async def test_steps_conform(plugin: type[ProcessingStep[Any]], video: Path, tmp_path: Path) -> None:
    await check_step(plugin, STEP_OPTIONS.get(plugin.name, {}), video, tmp_path)


@pytest.mark.parametrize("plugin", CHECKS, ids=lambda plugin: plugin.name)
async def test_checks_conform(plugin: type[Check[Any]], video: Path, tmp_path: Path) -> None:
    await check_check(plugin, {}, video, tmp_path)


def test_publishers_and_collectors_describe_themselves() -> None:
    for publisher in PUBLISHERS:
        check_publisher(publisher)
    for collector in COLLECTORS:
        check_collector(collector)


async def test_the_example_is_found_in_a_plugin_folder_and_conforms(tmp_path: Path) -> None:
    example = load_registry(EXAMPLES).generator("colour-wave")
    result = await check_generator(example, {"seconds": 1.0}, tmp_path)
    assert result.metadata.tags == ("colour", "wave")


# ---- the suite itself notices what it should --------------------------------------------------------------


class Nothing(Options):
    pass


class Undescribed(Options):
    text: str = Field(default="")


class Sloppy(Generator[Nothing]):
    name, title, description, Options = "sloppy", "Sloppy", "Gives another video each time.", Nothing

    async def render(self, input: RenderInput, options: Nothing, context: Context) -> RenderResult:
        path = context.work_folder / "video.mp4"
        await write_clip(path, seconds=0.5)
        with path.open("ab") as file:
            file.write(str(path).encode())
        return RenderResult(path)


class Vandal(ProcessingStep[Nothing]):
    name, title, description, Options = "vandal", "Vandal", "Writes into its input.", Nothing

    async def apply(self, input: StepInput, options: Nothing, context: Context) -> StepResult:
        with input.video.open("ab") as file:
            file.write(b"!")
        return StepResult()


class Stranger(Check[Nothing]):
    name, title, description, Options = "stranger", "Stranger", "Speaks in another's name.", Nothing

    async def examine(self, input: CheckInput, options: Nothing, context: Context) -> tuple[Finding, ...]:
        return (Finding(check="black", code="x", severity=Severity.INFO, message="x"),)


class Mute(Check[Undescribed]):
    name, title, description, Options = "mute", "Mute", "Has an option nobody explained.", Undescribed

    async def examine(self, input: CheckInput, options: Undescribed, context: Context) -> tuple[Finding, ...]:
        return ()


async def test_the_suite_refuses_what_it_should(video: Path, tmp_path: Path) -> None:
    with pytest.raises(NonConformance, match="two different videos"):
        await check_generator(Sloppy, {}, tmp_path / "a")
    with pytest.raises(NonConformance, match="changed its input"):
        await check_step(Vandal, {}, video, tmp_path / "b")
    with pytest.raises(NonConformance, match="instead of 'stranger'"):
        await check_check(Stranger, {}, await write_clip(tmp_path / "other.mp4"), tmp_path / "c")
    with pytest.raises(NonConformance, match="'text' needs a description"):
        check_description(Mute, PluginKind.CHECK)


def test_the_example_needs_nothing_but_the_interface() -> None:
    source = next(EXAMPLES.glob("*.py")).read_text()
    imported = [line.split()[1] for line in source.splitlines() if line.startswith(("from ", "import "))]
    assert set(imported) <= {"random", "pydantic", "video_manager.errors", "video_manager.plugins.api"}
    assert importlib.util.find_spec("video_manager.plugins.api") is not None
