"""`plugins`: what is installed, and its options."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.exits import CommandError
from video_manager.cli.output import AsJson, local_time, note, print_facts, print_items, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="Generators, steps, checks and platforms that are installed.")
KINDS = {"generator": "generators", "step": "steps", "check": "checks", "platform": "platforms"}


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="plugins")


async def _all(api: "Api") -> "list[Json]":
    return [{**item, "kind": kind} for kind, path in KINDS.items() for item in await api.items(path)]


@group.command("list")
def list_plugins(as_json: AsJson = False) -> None:
    """List plugins by kind."""
    columns: dict[str, Any] = {"kind": "kind", "name": "name", "state": state_of, "what it does": "description"}
    print_items(with_api(_all), columns, as_json=as_json, none="No plugins.")


def state_of(item: "Json") -> str:
    """Of a worker elsewhere: whether it is there."""
    if not item.get("external"):
        return "installed"
    if not item["offline"]:
        return "own worker, ready"
    seen = item["last_seen_at"]
    return "own worker, not there yet" if seen is None else f"own worker, away since {local_time(seen)}"


@group.command("remove")
def remove(name: Annotated[str, typer.Argument(help="The name of a generator with a worker of its own.")]) -> None:
    """Forget the generator of a worker elsewhere; refused while jobs of it are open."""

    async def work(api: "Api") -> None:
        await api.delete("generators", name)

    with_api(work)
    note(f"{name} is removed. Its worker registers it again unless it is stopped or its key revoked.")


@group.command("show")
def show(name: Annotated[str, typer.Argument(help="The plugin's name.")], as_json: AsJson = False) -> None:
    """Show a plugin's options with their defaults."""
    found = [item for item in with_api(_all) if item["name"] == name]
    if not found:
        raise CommandError(f"no plugin is named {name!r}; `video-manager plugins list` shows all")
    if as_json:
        print_json({"items": found})
        return
    for item in found:
        print_facts({f"{item['kind']} {item['name']}": item["description"]})
        schema = item["json_schema"]
        rows = [
            _option(key, part, key in schema.get("required", ())) for key, part in schema.get("properties", {}).items()
        ]
        columns: dict[str, Any] = {"option": "name", "type": "type", "default": "default", "meaning": "description"}
        print_items(rows, columns, as_json=False, none="It has no options.")


def _option(name: str, part: "Json", required: bool) -> "Json":
    shapes = [shape for shape in part.get("anyOf", [part]) if shape.get("type") != "null"]
    kinds = [" | ".join(str(one) for one in shape["enum"]) if "enum" in shape
             else str(shape.get("type") or shape.get("$ref", "").rsplit("/", 1)[-1]) for shape in shapes]  # fmt: skip
    default = "needed" if required else "drawn by the seed" if "x-draw" in part else _default(part)
    return {"name": name, "type": " or ".join(kinds), "default": default, "description": part.get("description", "")}


def _default(part: "Json") -> str:
    import json

    value = part.get("default")
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)
