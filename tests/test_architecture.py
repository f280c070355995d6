"""Rules of design that import-linter cannot say: single files, the standard library, sizes, READMEs."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "video_manager"
MODULES = sorted(PACKAGE.rglob("*.py"))
SERVICES = ("manager", "generation", "processing", "publishing", "notifications", "analytics", "gateway", "studio")
README_HEADINGS = ("does", "consumes", "emits", "owns", "scales")
MAX_LINES = 400
FOLDERS_DEEP = 3

# library -> where it may be imported: a folder, or a pattern of file names (anywhere)
ALLOWED: dict[str, tuple[str, ...]] = {
    "sqlalchemy": ("adapters/",),
    "aiosqlite": ("adapters/",),
    "sqlite3": ("adapters/", "cli/archive.py"),  # the backup copies the databases as files
    "pymongo": ("adapters/",),
    "aio_pika": ("adapters/",),
    "asyncpg": ("adapters/",),
    "subprocess": ("adapters/", "media/"),
    "multiprocessing": ("adapters/",),
    "nicegui": ("studio/", "bootstrap/"),
    "fastapi": ("gateway/", "web.py", "web_files.py", "*routes.py", "bootstrap/", "studio/"),
    "uvicorn": ("bootstrap/", "gateway/app.py", "fakes/serving.py"),  # its proxy middleware
    "uvloop": ("bootstrap/",),
    "typer": ("cli/",),
    "rich": ("cli/",),
    "apprise": ("notifications/",),
    "requests": (),
}


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def _imports(path: Path) -> tuple[tuple[str, int], ...]:
    """(dotted name, line) of every import, those inside functions and under TYPE_CHECKING included."""
    return tuple(_found_imports(path))


def _found_imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _may_import(name: str, places: tuple[str, ...]) -> bool:
    return any(name.startswith(place) or Path(name).match(place) for place in places)


@pytest.mark.parametrize("library", ALLOWED)
def test_libraries_stay_where_they_belong(library: str) -> None:
    wrong = [
        f"{_name(path)}:{line} imports {imported}"
        for path in MODULES
        if not _may_import(_name(path), ALLOWED[library])
        for imported, line in _imports(path)
        if imported.split(".")[0] == library
    ]
    assert not wrong, f"{library} belongs in {ALLOWED[library]}"


def test_no_process_is_started_by_other_ways() -> None:
    started = re.compile(r"\bos\.(system|popen|spawn\w*|exec\w*|fork)\(|create_subprocess_")
    wrong = [
        _name(path)
        for path in MODULES
        if not _may_import(_name(path), ALLOWED["subprocess"]) and started.search(path.read_text(encoding="utf-8"))
    ]
    assert not wrong


def test_no_pipe_is_handed_to_an_event_loop() -> None:
    """Of one, uvloop closes the descriptor, and then its file object as well (docs/decisions/0016-event-loop.md)."""
    assert not [_name(path) for path in MODULES if re.search(r"\.connect_(read|write)_pipe\(", path.read_text("utf-8"))]


def test_adapters_know_only_the_ports_of_services() -> None:
    wrong = [
        f"{_name(path)}:{line} imports {imported}"
        for path in (PACKAGE / "adapters").rglob("*.py")
        for imported, line in _imports(path)
        if (parts := imported.split("."))[0] == "video_manager"
        and len(parts) > 2
        and parts[1] in SERVICES
        and not parts[2].endswith("port")
    ]
    assert not wrong


def test_import_rules_name_every_module() -> None:
    """A new module at the top takes its place in the layers of pyproject.toml."""
    rules = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    top = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    missing = [name for name in sorted(top - {"__init__", "plugins"}) if f"(video_manager.{name})" not in rules]
    assert not missing


def test_no_module_is_too_long() -> None:
    lines = {_name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: count for name, count in lines.items() if count > MAX_LINES}


def test_no_module_is_named_after_nothing() -> None:
    empty_words = {"utils", "util", "helpers", "helper", "common", "base", "misc", "tools"}
    assert not [_name(path) for path in MODULES if path.stem in empty_words or path.parent.name in empty_words]


def test_folders_are_not_deep() -> None:
    assert not [_name(path) for path in MODULES if len(path.relative_to(PACKAGE).parts) - 1 > FOLDERS_DEEP]


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_says_what_it_is(service: str) -> None:
    readme = PACKAGE / service / "README.md"
    assert readme.exists(), f"{service} needs a README.md"
    text = readme.read_text(encoding="utf-8").lower()
    missing = [
        word for word in README_HEADINGS if not re.search(rf"^(#+ .*\b{word}\b|\W*\**{word}\b)", text, re.MULTILINE)
    ]
    assert not missing, f"{readme.relative_to(ROOT)} does not say: {missing}"


def test_nothing_is_left_undone() -> None:
    left = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    wrong = [
        f"{_name(path)}:{number}"
        for path in MODULES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if left.search(line)
    ]
    assert not wrong


def test_nothing_names_a_registry() -> None:
    """Pinned files hold hashes, no addresses."""
    for path in ROOT.glob("requirements*.txt"):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        pins = re.findall(r"^[a-z0-9][^ ]*==", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)), (
            f"{path} has something that is not pinned"
        )
        assert text.count("--hash=sha256:") >= len(pins)


def test_people_and_developers_have_the_same_releases() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9][^\\\n]*", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))

    assert pins("requirements.txt") <= pins("requirements-dev.txt")
    assert pins("requirements-setup.txt") <= pins("requirements.txt")
