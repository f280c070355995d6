"""What made this version: generator, options, seed, processing, and the facts of the render."""

from typing import Any

from nicegui import ui

from video_manager.plugins.registry import PluginKind
from video_manager.studio.desk.state import Desk
from video_manager.studio.elements import box, facts, heading, text
from video_manager.studio.formats import words
from video_manager.studio.video_parts import generator_title


def draw_options(desk: Desk) -> None:
    spec, given = desk.version.spec, desk.version.given
    steps = {item.name: item.title for item in desk.visit.parts.registry.describe(PluginKind.STEP)}
    with box("vm-col vm-wide"):
        done = " → ".join(steps.get(step.step, words(step.step)) for step in spec.recipe.steps)
        facts([
            ("Generator", generator_title(desk.visit, spec.generator)), ("Seed", str(spec.seed)),
            ("Processing", done or "none"), ("Asked for by", desk.version.created_by),
        ])  # fmt: skip
        long = {name: value for name, value in spec.options.items() if isinstance(value, str) and len(value) > 80}
        short = {name: value for name, value in spec.options.items() if name not in long}
        with box("vm-col"):
            heading("Options", 3)
            facts([(words(name), _shown(value, drawn=name not in given)) for name, value in short.items()])
            for name, value in long.items():
                with ui.expansion(words(name)).props("dense"):
                    text(value, "vm-prose vm-small")
        if desk.version.facts:
            with box("vm-col"):
                heading("Facts", 3)
                facts([(words(name), _shown(value, drawn=False)) for name, value in desk.version.facts.items()])


def _shown(value: Any, *, drawn: bool) -> str:
    match value:
        case None:
            written = "not set"
        case bool():
            written = "yes" if value else "no"
        case float():
            written = f"{value:g}"
        case list():
            written = ", ".join(str(item) for item in value) or "none"
        case _:
            written = str(value)
    return f"{written} (drawn or default)" if drawn else written
