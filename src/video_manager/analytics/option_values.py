"""Options as flat rows: (dotted path, value as text), so that any option of any generator can be compared."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from video_manager.domain.video import RenderSpec

LONGEST_VALUE = 200
"""Longer texts (an article to narrate) are no choices that could be compared."""


def option_text(value: Any) -> str:
    """A text as it is, everything else as JSON; the same value always gives the same text."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)


def spec_options(spec: RenderSpec) -> tuple[tuple[str, str], ...]:
    """The generator's options, and those of the recipe's steps under `recipe.<step>.`."""
    rows = dict(_flat(spec.options, ""))
    for step in spec.recipe.steps:
        rows.update(_flat(step.options, f"recipe.{step.step}."))
    return tuple(sorted(rows.items()))


def _flat(options: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None and len(text := option_text(value)) <= LONGEST_VALUE:
            yield f"{prefix}{name}", text


def drawn_choices(json_schema: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The options that are drawn when left open, and what they are drawn from, of a generator's JSON Schema."""
    properties = json_schema.get("properties", {})
    return {
        name: tuple(schema["x-draw"])
        for name, schema in properties.items()
        if isinstance(schema, Mapping) and isinstance(schema.get("x-draw"), Sequence)
    }
