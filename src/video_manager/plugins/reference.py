"""The reference of all built-in plugins in docs/plugins.md, made from their schemas.

`python -m video_manager.plugins.reference docs/plugins.md` writes it between the marks; a test compares.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from video_manager.plugins.kinds import PluginDescription, PluginKind
from video_manager.plugins.registry import Registry, load_registry

BEGIN = "<!-- made by `python -m video_manager.plugins.reference docs/plugins.md`: begin -->"
END = "<!-- end -->"

_TITLES = {
    PluginKind.GENERATOR: "Generators", PluginKind.STEP: "Processing steps", PluginKind.CHECK: "Checks",
    PluginKind.PUBLISHER: "Publishers", PluginKind.COLLECTOR: "Collectors",
}  # fmt: skip
_BOUNDS = {
    "minimum": "from {}", "exclusiveMinimum": "above {}", "maximum": "to {}", "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters", "maxLength": "at most {} characters", "minItems": "at least {}",
    "maxItems": "at most {}",
}  # fmt: skip


def reference(registry: Registry) -> str:
    """Markdown: each kind, each plugin, each option."""
    parts = [BEGIN]
    for kind in PluginKind:
        parts.append(f"## {_TITLES[kind]}")
        parts += [_plugin(description) for description in registry.describe(kind)]
    return "\n\n".join([*parts, END])


def with_reference(text: str, registry: Registry) -> str:
    """The document with the part between the marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + reference(registry) + after


def _plugin(description: PluginDescription) -> str:
    schema = description.json_schema
    properties = schema.get("properties", {})
    head = f"### `{description.name}`\n\n{description.title}. {description.description}"
    if not properties:
        return f"{head}\n\nNo options."
    required = set(schema.get("required", ()))
    rows = [
        f"| `{name}` | {_type(schema, field)} | {_default(name, field, required)} | {_described(field)} |"
        for name, field in properties.items()
    ]
    return "\n".join([head, "", "| option | type | default | what |", "|---|---|---|---|", *rows])


def _type(root: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    resolved = _resolved(root, field)
    if resolved.get("format") == "source-file":
        return "uploaded file"
    variants = [_resolved(root, part) for part in resolved.get("anyOf", [resolved])]
    return _cell(", or ".join(words for part in variants if (words := " ".join(_words(root, part)))))


def _words(root: Mapping[str, Any], part: Mapping[str, Any]) -> Iterator[str]:
    if "enum" in part:
        yield ", ".join(f"`{value}`" for value in part["enum"])
        return
    if part.get("type") == "null":
        return
    if part.get("type") == "array":
        yield f"list of {_type(root, part.get('items', {})) or 'values'}"
    else:
        yield str(part.get("type", "value"))
    yield from (words.format(part[key]) for key, words in _BOUNDS.items() if key in part)


def _default(name: str, field: Mapping[str, Any], required: set[str]) -> str:
    if "x-draw" in field:
        return "drawn by the seed: " + ", ".join(f"`{_cell(str(value))}`" for value in field["x-draw"])
    if name in required:
        return "required"
    default = field.get("default")
    return "none" if default is None else f"`{_cell(json.dumps(default, ensure_ascii=False))}`"


def _resolved(root: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(part.get("$ref", "")).removeprefix("#/$defs/")
    return {**root.get("$defs", {}).get(name, {}), **part} if name else part


def _described(field: Mapping[str, Any]) -> str:
    return _cell(field.get("description", ""))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def main() -> int:
    document = Path(sys.argv[1])
    document.write_text(with_reference(document.read_text(encoding="utf-8"), load_registry()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
