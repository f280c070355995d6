"""Where plugins come from: ours, installed packages (entry points), and single files in the plugin folder.

Whatever cannot be loaded stops the start, named: a plugin that silently is not there would be missed much later.
"""

import importlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from video_manager.contracts.topology import RESERVED_GENERATOR_NAMES
from video_manager.errors import SettingsError
from video_manager.plugins.api import Check, Collector, Generator, Options, Plugin, ProcessingStep, Publisher
from video_manager.plugins.kinds import PluginKind

ENTRY_POINT_GROUP = "video_manager.plugins"
_GENERATOR_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
"""A generator's name is a part of queue names and addresses; the other kinds may use _ as well."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_MODULE_PREFIX = "video_manager_plugin_file_"

_BUILT_IN: dict[PluginKind, tuple[str, str]] = {
    PluginKind.GENERATOR: ("video_manager.plugins.generators", "GENERATORS"),
    PluginKind.STEP: ("video_manager.plugins.steps", "STEPS"),
    PluginKind.CHECK: ("video_manager.plugins.checks", "CHECKS"),
    PluginKind.PUBLISHER: ("video_manager.plugins.publishers", "PUBLISHERS"),
    PluginKind.COLLECTOR: ("video_manager.plugins.collectors", "COLLECTORS"),
}

_CLASSES: tuple[tuple[PluginKind, type[Plugin]], ...] = (
    (PluginKind.GENERATOR, Generator), (PluginKind.STEP, ProcessingStep), (PluginKind.CHECK, Check),
    (PluginKind.PUBLISHER, Publisher), (PluginKind.COLLECTOR, Collector),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A plugin class and where it came from, for people."""

    plugin: type[Plugin]
    origin: str
    ours: bool = False


def find_plugins(plugin_folder: Path | None, kinds: Iterable[PluginKind] = tuple(PluginKind)) -> list[Found]:
    """Everything installed. `kinds` limits which of ours are imported (a render needs no publishers)."""
    found: list[Found] = []
    for kind in kinds:
        module, name = _BUILT_IN[kind]
        found += [Found(plugin, module, ours=True) for plugin in getattr(importlib.import_module(module), name)]
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        found += _from_entry_point(entry)
    return found + ([] if plugin_folder is None else _from_folder(plugin_folder))


def kind_of(found: Found) -> PluginKind:
    """The kind of a plugin class that is fit for use; raises SettingsError saying what is wrong with it."""
    plugin, origin = found.plugin, found.origin
    kinds = [kind for kind, base in _CLASSES if isinstance(plugin, type) and issubclass(plugin, base)]
    if len(kinds) != 1:
        raise SettingsError(f"{origin}: {plugin!r} is not one of the five plugin kinds (see docs/plugins.md)")
    where = f"{origin}: {plugin.__name__}"
    missing = sorted(getattr(plugin, "__abstractmethods__", ()))
    if missing:
        raise SettingsError(f"{where} does not define {', '.join(missing)}")
    for attribute in ("name", "title", "description"):
        if not isinstance(getattr(plugin, attribute, None), str) or not getattr(plugin, attribute).strip():
            raise SettingsError(f"{where} needs a text in `{attribute}`")
    if not inspect.isclass(getattr(plugin, "Options", None)) or not issubclass(plugin.Options, Options):
        raise SettingsError(f"{where} needs an `Options` class that extends video_manager.plugins.api.Options")
    check_name(kinds[0], plugin.name, where)
    return kinds[0]


def check_name(kind: PluginKind, name: str, where: str) -> None:
    """Raises SettingsError for a name that cannot be used."""
    is_generator = kind is PluginKind.GENERATOR
    if not (_GENERATOR_NAME if is_generator else _NAME).fullmatch(name):
        allowed = "a-z, 0-9 and -" if is_generator else "a-z, 0-9, - and _"
        raise SettingsError(
            f"{where}: the name {name!r} must start with a letter and hold only {allowed} (at most 41 characters)"
        )
    if is_generator and name in RESERVED_GENERATOR_NAMES:
        raise SettingsError(f"{where}: a generator cannot be called {name!r}, which is the name of an event")


# ---- installed packages -----------------------------------------------------------------------------------


def _from_entry_point(entry: EntryPoint) -> list[Found]:
    package = entry.dist.name if entry.dist is not None else "unknown package"
    origin = f"entry point {entry.name} of {package}"
    try:
        loaded: Any = entry.load()
    except Exception as error:
        raise SettingsError(f"{origin} cannot be loaded: {type(error).__name__}: {error}") from error
    plugins = loaded if isinstance(loaded, (tuple, list)) else (loaded,)
    return [Found(plugin, origin) for plugin in plugins]


# ---- one-file plugins -------------------------------------------------------------------------------------


def _from_folder(folder: Path) -> list[Found]:
    if not folder.is_dir():
        raise SettingsError(f"the plugin folder {folder} does not exist; make it or remove the setting plugin_folder")
    files = sorted(file for file in folder.glob("*.py") if not file.name.startswith(("_", ".")))
    return [found for file in files for found in _from_file(file)]


def _from_file(file: Path) -> list[Found]:
    origin = f"plugin file {file}"
    module = _load_module(file, origin)
    plugins = [
        value for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Plugin) and value.__module__ == module.__name__
    ]  # fmt: skip
    if not plugins:
        raise SettingsError(f"{origin} holds no plugin class; move it away, or start its name with _")
    return [Found(plugin, origin) for plugin in plugins]


def _load_module(file: Path, origin: str) -> ModuleType:
    name = _MODULE_PREFIX + re.sub(r"\W", "_", file.stem)
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise SettingsError(f"{origin} cannot be read as Python")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks annotations up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise SettingsError(f"{origin} cannot be loaded: {_told(error, file)}") from error
    return module


def _told(error: BaseException, file: Path) -> str:
    """The error with the line of the plugin file where it happened."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(file):
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f" (line {line})" if line is not None else ""
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}{where}"
