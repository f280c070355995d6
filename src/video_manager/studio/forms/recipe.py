"""The processing of a request: the generator's usual steps, or one's own in one's own order."""

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from video_manager.domain.video import Recipe, RecipeStep
from video_manager.errors import FieldError, InvalidInput
from video_manager.plugins.registry import PluginKind, Registry
from video_manager.studio.elements import box, button, icon_button, text
from video_manager.studio.formats import words
from video_manager.studio.forms.form import SchemaForm

_ERROR_PREFIX = "recipe.steps."


class RecipeEditor:
    """`start` is a draft: a list of `{step, options}`, or None for the usual processing."""

    def __init__(self, registry: Registry, start: Sequence[Any] | None, on_change: Callable[[], Any]) -> None:
        self._registry = registry
        self._on_change = on_change
        self._steps: list[tuple[str, SchemaForm]] = []
        self._titles = {item.name: item.title for item in registry.describe(PluginKind.STEP)}
        self._own = ui.switch("Choose the steps myself", value=start is not None, on_change=self._toggle)
        self._usual = text("", "vm-hint")
        self._editor = box("vm-col")
        with self._editor:
            self._list = box("vm-col")
            with button("Add a step", None, "second", "add", small=True), ui.menu().props("auto-close"):
                for name, title in self._titles.items():
                    ui.menu_item(title, on_click=lambda _event, name=name: self._add(name))
        self._draw([(str(item["step"]), dict(item.get("options", {}))) for item in start or () if _is_step(item)])
        self._editor.set_visibility(self._own.value)

    def show_usual(self, generators: Sequence[str]) -> None:
        """Say what is done when nothing is chosen."""
        lines = []
        for name in generators:
            try:
                steps = self._registry.resolve_recipe(None, name, 0).steps
            except InvalidInput:
                continue
            titles = " → ".join(self._titles.get(step.step, words(step.step)) for step in steps) or "nothing"
            lines.append(titles)
        self._usual.text = f"Usually: {'; '.join(dict.fromkeys(lines))}, then all checks." if lines else ""

    def values(self) -> list[dict[str, Any]] | None:
        """For a draft; None for the usual processing."""
        return [{"step": name, "options": form.values()} for name, form in self._steps] if self._own.value else None

    def recipe(self) -> Recipe | None:
        if not self._own.value:
            return None
        return Recipe(steps=tuple(RecipeStep(step=name, options=form.values()) for name, form in self._steps))

    def show_errors(self, errors: Sequence[FieldError]) -> Sequence[FieldError]:
        left = [error for error in errors if not error.field.startswith(_ERROR_PREFIX)]
        for index, (_, form) in enumerate(self._steps):
            start = f"{_ERROR_PREFIX}{index}."
            own = [
                FieldError(error.field.removeprefix(start), error.reason)
                for error in errors
                if error.field.startswith(start)
            ]
            left += [FieldError(start + error.field, error.reason) for error in form.show_errors(own)]
        return left

    def _toggle(self) -> None:
        self._editor.set_visibility(self._own.value)
        self._usual.set_visibility(not self._own.value)
        self._on_change()

    def _draw(self, steps: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self._list.clear()
        self._steps = []
        with self._list:
            for index, (name, options) in enumerate(steps):
                if name in self._titles:
                    self._draw_step(index, name, options)
            if not self._steps:
                text("No steps: the video stays as the generator made it, and is only checked.", "vm-hint")

    def _draw_step(self, index: int, name: str, options: dict[str, Any]) -> None:
        with box("vm-step"):
            with box("vm-row vm-step-head"):
                text(str(index + 1), "vm-step-number")
                text(self._titles[name], "vm-strong vm-grow")
                if index:
                    icon_button("arrow_upward", "Move up", lambda _event: self._move(index), small=True)
                icon_button("close", "Remove the step", lambda _event: self._remove(index), small=True)
            description = self._registry.description(PluginKind.STEP, name)
            with ui.expansion("Options").props("dense") as options_box:
                form = SchemaForm(description.json_schema, options, self._on_change)
            options_box.set_visibility(not form.is_empty)
        self._steps.append((name, form))

    def _current(self) -> list[tuple[str, dict[str, Any]]]:
        return [(name, form.values()) for name, form in self._steps]

    def _add(self, name: str) -> None:
        self._draw([*self._current(), (name, {})])
        self._on_change()

    def _remove(self, at: int) -> None:
        self._draw([step for index, step in enumerate(self._current()) if index != at])
        self._on_change()

    def _move(self, at: int) -> None:
        steps = self._current()
        steps[at - 1], steps[at] = steps[at], steps[at - 1]
        self._draw(steps)
        self._on_change()


def _is_step(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("step"), str)
