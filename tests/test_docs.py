"""What there is, is documented; what the documents point to, is there."""

import re
import runpy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main

from video_manager.cli.app import app
from video_manager.plugins.registry import PluginKind, load_registry

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", ".bootstrap", "node_modules", "data", "artifacts"} & set(path.relative_to(ROOT).parts)
    and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)


@cache
def _document(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_generated_tables_are_up_to_date() -> None:
    generated = runpy.run_path(str(ROOT / "scripts" / "docs.py"))["generated"]
    stale = [path.name for path, text in generated() if path.read_text(encoding="utf-8") != text]
    assert not stale, "run .venv/bin/python scripts/docs.py"


@pytest.mark.parametrize("kind", list(PluginKind))
def test_every_plugin_is_documented(kind: PluginKind) -> None:
    names = load_registry().names(kind)
    assert names
    missing = [name for name in names if f"`{name}`" not in _document("plugins.md")]
    assert not missing


def _commands() -> list[str]:
    def walk(command: Any, path: tuple[str, ...]) -> list[str]:
        inner = getattr(command, "commands", {})
        return (
            [" ".join(path)] if not inner else [one for name, sub in inner.items() for one in walk(sub, (*path, name))]
        )

    return walk(typer.main.get_command(app), ())


@pytest.mark.parametrize("command", _commands())
def test_every_command_is_documented(command: str) -> None:
    first, _, rest = command.partition(" ")
    rows = [line for line in _document("operations.md").splitlines() if re.match(rf"\| [^|]*`{first}[ `]", line)]
    assert rows, f"docs/operations.md has no row of `{first}`"
    assert not rest or any(re.search(rf"\b{re.escape(rest)}\b", row) for row in rows), f"`{command}` is not there"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    dead = []
    for target in re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        if not linked.exists() or (anchor and linked.suffix == ".md" and anchor not in _anchors(linked)):
            dead.append(target)
    assert not dead


def _anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_decisions_are_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in folder.glob("[0-9]*.md") if path.name not in listed] == []
