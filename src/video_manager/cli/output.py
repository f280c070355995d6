"""What commands print: results on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

PIPE_COLUMNS = 240
"""Into a file or a pipe, rows are not folded at the 80 columns that would be assumed."""


class Screen:
    """Rich's console, loaded with the first text: `--help` and the services never need it."""

    def __init__(self, *, stderr: bool = False) -> None:
        self._stderr = stderr

    @cached_property
    def console(self) -> "Console":
        from rich.console import Console

        known = self._stderr or sys.stdout.isatty() or "COLUMNS" in os.environ
        return Console(stderr=self._stderr, highlight=False, width=None if known else PIPE_COLUMNS)

    def print(self, *objects: Any, **how: Any) -> None:
        """As `Console.print`."""
        self.console.print(*objects, **how)


out = Screen()
err = Screen(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

Column = str | Callable[[Mapping[str, Any]], Any]


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_items(items: Sequence[Mapping[str, Any]], columns: Mapping[str, Column], *, as_json: bool, none: str) -> None:
    """A table of `columns` (heading -> field or function), or the items as JSON; `none` when there are none."""
    if as_json:
        print_json({"items": list(items)})
        return
    if not items:
        note(none)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in columns:
        table.add_column(heading, overflow="fold", no_wrap=heading in ("id", "state"))
    for item in items:
        table.add_row(*(escape(as_text(_cell(item, column))) for column in columns.values()))
    out.print(table)


def print_facts(facts: Mapping[str, Any]) -> None:
    """One line a fact; empty ones are left out."""
    from rich.markup import escape

    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        if value not in (None, "", [], {}):
            out.print(f"[bold]{name:<{width}}[/]  {escape(as_text(value))}", soft_wrap=True)


def note(text: str) -> None:
    """Say something to the person, beside the result."""
    err.print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    err.print(text, style="yellow", markup=False, soft_wrap=True)


def as_text(value: Any) -> str:
    """Times in the local zone, lists with commas, the rest as it is."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(as_text(item) for item in value)
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def local_time(text: str | None) -> str:
    """An instant of the API in this machine's zone."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def size_text(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _cell(item: Mapping[str, Any], column: Column) -> Any:
    return column(item) if callable(column) else item.get(column)
