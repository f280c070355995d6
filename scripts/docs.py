"""Write the generated tables in docs/, or with --check say which are out of date. Run with the Python of .venv."""

import re
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from video_manager.contracts import catalogue
from video_manager.contracts.envelope import Body
from video_manager.settings import PREFIX, Settings

DOCS = Path(__file__).resolve().parent.parent / "docs"
_BLOCK = r"(<!-- generated: {name} -->\n).*?(<!-- end -->)"
_MACHINE_DEFAULTS = {"render_slots": "processors - 1"}
"""Defaults that depend on the machine, in words."""


def main(arguments: list[str]) -> int:
    stale = [path for path, text in generated() if path.read_text(encoding="utf-8") != text]
    if arguments == ["--check"]:
        for path in stale:
            print(f"{path} is out of date: run .venv/bin/python scripts/docs.py")  # noqa: T201 - for people
        return 1 if stale else 0
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
    return 0


def generated() -> list[tuple[Path, str]]:
    """Each generated file with the text it should have."""
    tables: dict[str, dict[str, Callable[[], str]]] = {
        "settings.md": {"settings": settings_table},
        "messages.md": {
            "commands": lambda: messages_table(catalogue.COMMANDS),
            "events": lambda: messages_table(catalogue.EVENTS),
            "hints": lambda: messages_table(catalogue.HINTS),
        },
    }
    return [(DOCS / name, _filled(DOCS / name, blocks)) for name, blocks in tables.items()]


def _filled(path: Path, blocks: dict[str, Callable[[], str]]) -> str:
    text = path.read_text(encoding="utf-8")
    for name, table in blocks.items():
        pattern = _BLOCK.format(name=name)
        if re.search(pattern, text, re.DOTALL) is None:
            raise SystemExit(f"{path} has no block `generated: {name}`")
        content = table()
        text = re.sub(pattern, lambda found, content=content: f"{found[1]}{content}{found[2]}", text, flags=re.DOTALL)
    return text


def settings_table() -> str:
    rows = [
        (f"`{PREFIX}{name.upper()}`", _default(name, field), _allowed(field), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _table(("Setting", "Default", "Allowed", "Meaning"), rows)


def _default(name: str, field: FieldInfo) -> str:
    if name in _MACHINE_DEFAULTS:
        return _MACHINE_DEFAULTS[name]
    value = field.default
    if value is None or value in ((), []):
        return "-"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    limits = [f"{sign} {getattr(part, name):g}" for part in field.metadata for name, sign in signs.items()
              if getattr(part, name, None) is not None]  # fmt: skip
    if limits:
        return ", ".join(limits)
    kinds = get_args(field.annotation) if get_origin(field.annotation) in (Union, types.UnionType) else ()
    kind = next((one for one in kinds if one is not type(None)), field.annotation)
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return ", ".join(f"`{member}`" for member in kind)  # type: ignore[attr-defined]  # it is an enum
    patterns = [part.pattern for part in field.metadata if getattr(part, "pattern", None)]
    if patterns:
        return ", ".join(f"`{word}`" for word in patterns[0].strip("^$()").split("|"))
    words = {bool: "`true`, `false`", Path: "path", str: "text", int: "whole number", float: "number"}
    return words.get(kind, "secret" if "Secret" in str(kind) else "list")  # type: ignore[call-overload,no-any-return]


def messages_table(bodies: Iterable[type[Body]]) -> str:
    rows = []
    for body in bodies:
        kind = "render.<generator>" if body.type == "render" else body.type
        fields = ", ".join(f"`{name}`" if field.is_required() else f"`{name}`?"
                           for name, field in body.model_fields.items())  # fmt: skip
        rows.append((f"`{kind}`", fields, _doc(body)))
    return _table(("Type", "Body", "Meaning"), rows)


def _doc(body: type[Body]) -> str:
    """The docstring of the class, else of what it has in common with others like it."""
    kinds = body.__mro__[: body.__mro__.index(Body)]
    return next((" ".join(kind.__doc__.split()) for kind in kinds if vars(kind).get("__doc__")), "")


def _table(headings: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
