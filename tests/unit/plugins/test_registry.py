"""Finding plugins, their names, and their options."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from video_manager.domain.video import Recipe, RecipeCheck, RecipeStep
from video_manager.errors import AlreadyExists, InvalidInput, SettingsError
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
    drawn,
    source_file,
)  # fmt: skip
from video_manager.plugins.registry import DEFAULT_RECIPE, PluginKind, Registry, find_source_ids, load_registry


class Scene(BaseModel):
    picture: str = source_file("A picture.", "image/*")
    mood: str | None = drawn(["calm", "wild"], "The mood.")
    seconds: float = 3.0


class StoryOptions(Options):
    text: str = Field(min_length=1)
    voice: str | None = drawn(["anna", "ben", "carla"], "The voice.")
    pace: float | None = drawn([0.9, 1.0, 1.1], "The pace.")
    scenes: list[Scene] = []
    logo: str | None = source_file("A logo.", "image/*", default=None)
    extra: dict[str, Scene] = {}


class Story(Generator[StoryOptions]):
    name, title, description, Options = "story", "Story", "A text becomes a video.", StoryOptions

    async def render(self, input: RenderInput, options: StoryOptions, context: Context) -> RenderResult:
        raise AssertionError


class MarkOptions(Options):
    picture: str = source_file("A picture.", "image/*")
    size: float = Field(default=0.2, gt=0)


class Mark(ProcessingStep[MarkOptions]):
    name, title, description, Options = "mark", "Mark", "Marks.", MarkOptions

    async def apply(self, input: StepInput, options: MarkOptions, context: Context) -> StepResult:
        raise AssertionError


class LengthOptions(Options):
    most: float = 60.0


class Length(Check[LengthOptions]):
    name, title, description, Options = "length", "Length", "Measures.", LengthOptions

    async def examine(self, input: CheckInput, options: LengthOptions, context: Context) -> tuple[Any, ...]:
        raise AssertionError


REGISTRY = Registry([Story, Mark, Length])


def resolve(given: dict[str, Any], seed: int = 1) -> dict[str, Any]:
    return REGISTRY.resolve_options(PluginKind.GENERATOR, "story", given, seed)


# ---- looking up -------------------------------------------------------------------------------------------


def test_descriptions_carry_the_schema() -> None:
    (story,) = REGISTRY.describe(PluginKind.GENERATOR)
    assert (story.name, story.title, story.external) == ("story", "Story", False)
    assert story.json_schema["properties"]["voice"]["x-draw"] == ["anna", "ben", "carla"]
    assert json.loads(story.model_dump_json())["kind"] == "generator"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InvalidInput) as raised:
        REGISTRY.generator("storry")
    (error,) = raised.value.errors
    assert (error.field, error.reason) == ("generator", "'storry' is not installed; known: story")


def test_every_built_in_plugin_is_found() -> None:
    registry = load_registry()
    assert set(registry.names(PluginKind.STEP)) == {"reframe", "normalize_loudness", "watermark", "trim", "thumbnail"}
    assert set(registry.names(PluginKind.CHECK)) == {"black", "frozen", "silence", "loudness", "platform_limits"}
    assert {"story", "slideshow", "upload"} <= set(registry.names(PluginKind.GENERATOR))
    assert {"folder", "site"} <= set(registry.names(PluginKind.PUBLISHER))
    assert registry.limits(["site"]).keys() == {"site"}
    assert registry.resolve_recipe(None, "upload", 1).steps


@pytest.mark.parametrize("kind", PluginKind)
def test_every_built_in_plugin_can_be_described(kind: PluginKind) -> None:
    """Which happens when somebody asks; a start does not wait for it."""
    registry = load_registry()
    assert [plugin.name for plugin in registry.describe(kind)] == registry.names(kind)
    assert all(plugin.json_schema["type"] == "object" for plugin in registry.describe(kind))


def test_the_registry_loads_without_decoders() -> None:
    """The idle server stays small: these are loaded by the processes that render."""
    code = (
        "import sys; from video_manager.plugins.registry import load_registry; load_registry();"
        "print([name for name in ('av', 'cv2', 'onnxruntime', 'hibari') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# ---- options ----------------------------------------------------------------------------------------------


def test_open_options_are_drawn_by_the_seed_and_kept() -> None:
    first = resolve({"text": "a"}, seed=5)
    assert resolve({"text": "a"}, seed=5) == first
    assert first["voice"] in {"anna", "ben", "carla"}
    assert first["scenes"] == []
    assert resolve(first, seed=99) == first
    assert {resolve({"text": "a"}, seed)["voice"] for seed in range(30)} == {"anna", "ben", "carla"}


def test_each_field_draws_by_itself() -> None:
    """Giving one option changes no other."""
    for seed in range(20):
        assert resolve({"text": "a", "voice": "ben"}, seed)["pace"] == resolve({"text": "a"}, seed)["pace"]


def test_null_leaves_a_drawn_option_open() -> None:
    assert resolve({"text": "a", "voice": None}, 3)["voice"] is not None


def test_options_inside_lists_and_objects_are_drawn_too() -> None:
    scenes = [{"picture": "p1"}, {"picture": "p2", "mood": "calm"}]
    resolved = resolve({"text": "a", "scenes": scenes})
    assert resolved["scenes"][0]["mood"] in {"calm", "wild"}
    assert resolved["scenes"][1]["mood"] == "calm"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "options.text"),
        ({"text": ""}, "options.text"),
        ({"text": "a", "nonsense": 1}, "options.nonsense"),
        ({"text": "a", "scenes": [{"picture": "p"}, {}]}, "options.scenes.1.picture"),
        ({"text": "a", "pace": "fast"}, "options.pace"),
    ],
)
def test_wrong_options_name_their_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        resolve(given)
    assert field in [error.field for error in raised.value.errors]
    assert field in raised.value.detail


def test_options_stay_plain_json() -> None:
    with pytest.raises(InvalidInput, match="plain JSON"):
        resolve({"text": "a", "pace": float("nan")})


def test_source_files_are_found_wherever_they_stand() -> None:
    options = resolve({
        "text": "p9", "logo": "p0", "scenes": [{"picture": "p1"}, {"picture": "p2"}, {"picture": "p1"}],
        "extra": {"x": {"picture": "p3"}},
    })  # fmt: skip
    assert sorted(REGISTRY.source_ids(PluginKind.GENERATOR, "story", options)) == ["p0", "p1", "p2", "p3"]
    assert REGISTRY.source_ids(PluginKind.GENERATOR, "story", resolve({"text": "a"})) == []


def test_source_files_behind_references_and_alternatives() -> None:
    schema = {
        "type": "object",
        "$defs": {"clip": {"anyOf": [{"type": "null"}, {"type": "string", "format": "source-file"}]},
                  "tree": {"type": "object", "properties": {"file": {"$ref": "#/$defs/clip"},
                                                            "next": {"$ref": "#/$defs/tree"}}}},
        "properties": {"root": {"$ref": "#/$defs/tree"}, "pair": {"type": "array", "prefixItems": [
            {"type": "string"}, {"$ref": "#/$defs/clip"}]}},
    }  # fmt: skip
    options = {"root": {"file": "a", "next": {"file": None, "next": {"file": "b"}}}, "pair": ["no", "c"]}
    assert find_source_ids(schema, options) == ["a", "b", "c"]


# ---- recipes ----------------------------------------------------------------------------------------------


def test_a_recipe_is_resolved_with_all_checks() -> None:
    recipe = Recipe(steps=(RecipeStep(step="mark", options={"picture": "p1"}),))
    resolved = REGISTRY.resolve_recipe(recipe, "story", 1)
    assert resolved.steps[0].options == {"picture": "p1", "size": 0.2}
    assert resolved.checks == (RecipeCheck(check="length", options={"most": 60.0}),)
    assert REGISTRY.recipe_source_ids(resolved) == ["p1"]
    assert REGISTRY.resolve_recipe(Recipe(checks=()), "story", 1).checks == ()


def test_wrong_recipes_name_the_place() -> None:
    recipe = Recipe(steps=(RecipeStep(step="mark", options={"picture": "p", "size": -1}),))
    with pytest.raises(InvalidInput) as raised:
        REGISTRY.resolve_recipe(recipe, "story", 1)
    assert [error.field for error in raised.value.errors] == ["recipe.steps.0.options.size"]
    with pytest.raises(InvalidInput, match="known: mark"):
        REGISTRY.resolve_recipe(Recipe(steps=(RecipeStep(step="nope"),)), "story", 1)


def test_the_default_recipe_is_made_of_installed_steps() -> None:
    assert load_registry().resolve_recipe(DEFAULT_RECIPE, "story", 1).checks


# ---- workers of their own ---------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string", "minLength": 1},
        "style": {"type": "string", "x-draw": ["ink", "oil"]},
        "steps": {"type": "integer", "default": 20, "maximum": 50},
    },
    "required": ["prompt"],
    "additionalProperties": False,
}


def test_an_external_generator_is_known_by_its_schema() -> None:
    registry = Registry([Story])
    registry.register_external("painter", "Painter", SCHEMA)
    assert registry.names(PluginKind.GENERATOR) == ["story", "painter"]
    assert registry.installed_generators() == ["story"]
    resolved = registry.resolve_options(PluginKind.GENERATOR, "painter", {"prompt": "a cat"}, 1)
    assert resolved == {"prompt": "a cat", "style": resolved["style"], "steps": 20}
    with pytest.raises(InvalidInput) as raised:
        registry.resolve_options(PluginKind.GENERATOR, "painter", {"prompt": "a", "steps": 99}, 1)
    assert [error.field for error in raised.value.errors] == ["options.steps"]
    with pytest.raises(InvalidInput, match="worker of its own"):
        registry.generator("painter")
    registry.register_external("painter", "Painter 2", SCHEMA)
    assert registry.description(PluginKind.GENERATOR, "painter").title == "Painter 2"
    assert registry.remove_external("painter")
    assert not registry.remove_external("story")
    assert registry.names(PluginKind.GENERATOR) == ["story"]


@pytest.mark.parametrize(
    ("name", "schema", "field"),
    [
        ("finished", SCHEMA, "name"),
        ("failed", SCHEMA, "name"),
        ("Painter", SCHEMA, "name"),
        ("a" * 42, SCHEMA, "name"),
        ("a_b", SCHEMA, "name"),
        ("painter", {"type": "string"}, "json_schema"),
        ("painter", {"type": "object", "properties": {"a": {"type": 7}}}, "json_schema"),
        ("painter", {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/x"}}}, "json_schema"),
    ],
)
def test_a_wrong_external_generator_is_refused(name: str, schema: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        Registry([]).register_external(name, "Painter", schema)
    assert raised.value.errors[0].field == field


def test_an_external_generator_cannot_take_a_name_of_ours() -> None:
    with pytest.raises(AlreadyExists):
        REGISTRY.register_external("story", "Mine", SCHEMA)


# ---- what stops the start ---------------------------------------------------------------------------------


def test_two_plugins_of_one_name_stop_the_start() -> None:
    with pytest.raises(SettingsError, match=r"two plugins are generator 'story'.*rename or remove one"):
        Registry([Story, Story])


def test_unfit_classes_are_named() -> None:
    class Nameless(Story):
        name = "Not Good"

    class Textless(Story):
        title = " "

    class Reserved(Story):
        name = "finished"

    for plugin, words in ((Nameless, "Not Good"), (Textless, "`title`"), (Reserved, "event"), (Generator, "render")):
        with pytest.raises(SettingsError, match=words):
            Registry([plugin])
    with pytest.raises(SettingsError, match="five plugin kinds"):
        Registry([str])  # type: ignore[list-item]


GOOD = """
from video_manager.plugins.api import Check, CheckInput, Context, Options

class Nothing(Options):
    pass

class {name}(Check[Nothing]):
    name, title, description, Options = "{name}".lower(), "A title", "A description", Nothing

    async def examine(self, input, options, context):
        return ()
"""


def test_a_plugin_folder_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text(GOOD.format(name="First"))
    (tmp_path / "second-one.py").write_text(GOOD.format(name="Second"))
    (tmp_path / "_draft.py").write_text("this is no Python")
    (tmp_path / "notes.txt").write_text("nor this")
    registry = load_registry(tmp_path)
    assert {"first", "second"} <= set(registry.names(PluginKind.CHECK))
    assert registry.plugin_folder == tmp_path


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import nosuchmodule\n", "nosuchmodule"),
        ("x = 1\n\nraise ValueError('no key')\n", r"ValueError: no key \(line 3\)"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("x = 1\n", "no plugin class"),
        (GOOD.format(name="Black"), "two plugins are check 'black'"),
        (GOOD.format(name="A").replace('"A description"', '""'), "`description`"),
        (
            GOOD.format(name="A")
            .replace("    pass", "    made_by: Callable[[], str]", 1)
            .replace("\n", "\nfrom collections.abc import Callable\n", 1),
            "the options of 'a' give no JSON Schema",
        ),
    ],
)
def test_a_broken_plugin_file_stops_the_start_by_name(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(SettingsError, match=words) as raised:
        load_registry(tmp_path)
    assert str(tmp_path / "mine.py") in raised.value.detail


def test_a_missing_plugin_folder_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_registry(tmp_path / "nowhere")


def test_an_entry_point_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_plugins.py").write_text(GOOD.format(name="Acme"))
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[video_manager.plugins]\nacme = acme_plugins:Acme\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "acme" in load_registry().names(PluginKind.CHECK)
    (info / "entry_points.txt").write_text("[video_manager.plugins]\nacme = acme_plugins:Gone\n")
    with pytest.raises(SettingsError, match="entry point acme of acme cannot be loaded"):
        load_registry()
