"""From the words of a command line to the requests of the API: options typed by the generator's own schema."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_manager.cli.client import Api, Json
from video_manager.cli.exits import CommandError, Exit
from video_manager.cli.transfers import upload
from video_manager.plugins.api import SOURCE_FILE_FORMAT


@dataclass(frozen=True)
class Wanted:
    """What the person typed."""

    generators: tuple[str, ...]
    title: str = ""
    text: str | None = None
    text_file: Path | None = None
    options: tuple[str, ...] = ()
    pictures: tuple[Path, ...] = ()
    source: Path | None = None
    count: int = 1
    seed: int | None = None
    recipe: Path | None = None
    channels: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise CommandError for what can be seen without the server."""
        if self.text is not None and self.text_file is not None:
            raise CommandError("give the text either by --text or by --text-file, not by both")
        for pair in self.options:
            if "=" not in pair or pair.startswith("="):
                raise CommandError(f"--option {pair}: write NAME=VALUE")

    def read_text(self) -> str | None:
        if self.text_file is None:
            return self.text
        try:
            raw = sys.stdin.buffer.read() if str(self.text_file) == "-" else self.text_file.read_bytes()
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise CommandError(f"{self.text_file} is no UTF-8 text (byte {error.start}); convert it first") from error

    def read_recipe(self) -> Any:
        if self.recipe is None:
            return None
        try:
            return json.loads(self.recipe.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CommandError(f"{self.recipe} is no JSON: {error}") from error


@dataclass(frozen=True)
class Field:
    """One option of a generator, as its JSON Schema says."""

    name: str
    types: frozenset[str]
    many: bool
    accept: str | None
    """The MIME pattern of an uploaded file; None when it is not a file."""


async def request_videos(api: Api, wanted: Wanted) -> list[Json]:
    """Upload what has to be sent, request, and return the videos."""
    generators = {item["name"]: item for item in await api.items("generators")}
    for name in wanted.generators:
        if name not in generators:
            known = ", ".join(sorted(generators)) or "none"
            raise CommandError(f"there is no generator {name!r}; installed are: {known}")
    fields = {name: _fields(generators[name]["json_schema"]) for name in wanted.generators}
    given = _assign(wanted, fields)
    channels = await channel_ids(api, wanted.channels)
    sent: dict[Path, str] = {}
    requests = []
    for name in wanted.generators:
        options = {key: await _send_files(api, value, fields[name][key], sent) for key, value in given[name].items()}
        body = {"generator": name, "title": wanted.title, "options": options, "count": wanted.count,
                "channels": channels, "seed": wanted.seed, "recipe": wanted.read_recipe()}  # fmt: skip
        requests.append({key: value for key, value in body.items() if value is not None})
    answer = await api.post("videos", body={"requests": requests})
    return list(answer["items"])


async def typed_options(api: Api, generator: str, pairs: tuple[str, ...]) -> Json:
    """Changed options for another version, by the generator's schema; files are uploaded."""
    wanted = Wanted(generators=(generator,), options=pairs)
    wanted.check()
    schemas = {item["name"]: item["json_schema"] for item in await api.items("generators")}
    fields = {generator: _fields(schemas.get(generator, {}))}
    given = _assign(wanted, fields)[generator]
    return {key: await _send_files(api, value, fields[generator][key], {}) for key, value in given.items()}


async def channel_ids(api: Api, named: tuple[str, ...]) -> list[str]:
    """The ids of channels given by id or by name."""
    if not named:
        return []
    channels = await api.items("channels")
    return [_channel_id(channels, name) for name in named]


def _channel_id(channels: list[Json], named: str) -> str:
    found = [item["id"] for item in channels if item["id"] == named]
    found = found or [item["id"] for item in channels if item["name"].casefold() == named.casefold()]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise CommandError(f"several channels are named {named!r}; give an id: {', '.join(found)}")
    known = ", ".join(item["name"] for item in channels) or "none; add one by `video-manager channels add`"
    raise CommandError(f"there is no channel {named!r}; there are: {known}")


def _assign(wanted: Wanted, fields: dict[str, dict[str, Field]]) -> dict[str, dict[str, Any]]:
    """The options of each generator. An option that none of the generators has is refused."""
    given: dict[str, dict[str, Any]] = {name: {} for name in fields}
    for what, pick, value in _wishes(wanted):
        takers = [(name, field) for name, all_of in fields.items() if (field := pick(all_of)) is not None]
        if not takers:
            names = " or ".join(fields)
            known = ", ".join(sorted({key for all_of in fields.values() for key in all_of}))
            raise CommandError(f"{what}: {names} has no such option; there are: {known}")
        for name, field in takers:
            given[name][field.name] = _typed(what, field, value)
    return given


def _wishes(wanted: Wanted) -> Iterator[tuple[str, Any, Any]]:
    """(what the person wrote, how to find its field, the value)."""
    text = wanted.read_text()
    if text is not None:
        yield ("--text-file" if wanted.text_file else "--text"), (lambda fields: fields.get("text")), text
    if wanted.pictures:
        yield "--picture", (lambda fields: _accepting(fields, "image/")), list(wanted.pictures)
    if wanted.source is not None:
        yield "--source", (lambda fields: _accepting(fields, "video/")), wanted.source
    for pair in wanted.options:
        name, _, value = pair.partition("=")
        yield f"--option {name}", (lambda fields, name=name: fields.get(name)), value


def _accepting(fields: dict[str, Field], kind: str) -> Field | None:
    """The option that takes such files; of several one that takes many."""
    found = [field for field in fields.values() if field.accept and field.accept.startswith(kind)]
    return next((field for field in found if field.many), found[0] if found else None)


def _typed(what: str, field: Field, value: Any) -> Any:
    """The value as the schema wants it. What does not fit goes on as text: the server says what is wrong."""
    if isinstance(value, str) and field.accept and value.startswith("@"):
        value = _existing(what, Path(value[1:]).expanduser())
    if isinstance(value, Path):
        return [value] if field.many else value
    if isinstance(value, list):
        if not field.many and len(value) > 1:
            raise CommandError(f"{what}: {field.name} takes one file only")
        return value if field.many else value[0]
    return _parsed(field, value)


def _parsed(field: Field, text: str) -> Any:
    """`true`, `12` and `[...]` as JSON, unless the option is a text."""
    if "string" in field.types and not (text == "null" and "null" in field.types):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text.split(",") if field.many else text


def _existing(what: str, path: Path) -> Path:
    if not path.is_file():
        raise CommandError(f"{what}: there is no file {path}")
    return path


async def _send_files(api: Api, value: Any, field: Field, sent: dict[Path, str]) -> Any:
    if isinstance(value, list):
        return [await _send_files(api, item, field, sent) for item in value]
    if not isinstance(value, Path):
        return value
    if value not in sent:
        if value.stat().st_size == 0:
            raise CommandError(f"{value} is empty", Exit.WRONG_INPUT)
        sent[value] = await upload(api, value)
    return sent[value]


def _fields(schema: Json) -> dict[str, Field]:
    return {name: _field(name, part, schema) for name, part in schema.get("properties", {}).items()}


def _field(name: str, part: Json, schema: Json) -> Field:
    shapes = list(_shapes(part, schema))
    items = [inner for shape in shapes if shape.get("type") == "array"
             for inner in _shapes(shape.get("items", {}), schema)]  # fmt: skip
    files = [shape for shape in (part, *shapes, *items) if shape.get("format") == SOURCE_FILE_FORMAT]
    return Field(
        name=name,
        types=frozenset(str(shape["type"]) for shape in shapes if "type" in shape),
        many=bool(items),
        accept=(str(files[0].get("x-accept", "")) or part.get("x-accept") or "*/*") if files else None,
    )


def _shapes(part: Json, schema: Json) -> Iterator[Json]:
    """The alternatives of a schema, with references to its own definitions followed."""
    if "$ref" in part:
        yield from _shapes(schema.get("$defs", {}).get(part["$ref"].rsplit("/", 1)[-1], {}), schema)
        return
    alternatives = part.get("anyOf") or part.get("oneOf") or part.get("allOf")
    if not alternatives:
        yield part
        return
    for one in alternatives:
        yield from _shapes(one, schema)
