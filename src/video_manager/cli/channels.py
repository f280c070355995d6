"""`channels`: the connected accounts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.exits import CommandError
from video_manager.cli.output import AsJson, note, out, print_items, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="Where videos are published.")


Option = Annotated[
    list[str],
    typer.Option(
        "--option", "-o", metavar="NAME=VALUE",
        help="An option of the platform; may be repeated. NAME=- asks for it without showing it.",
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    from video_manager.cli import connecting  # noqa: F401 - it adds its commands to the group

    app.add_typer(group, name="channels")


def given_options(texts: list[str]) -> dict[str, Any]:
    return dict(_pair(text) for text in texts)


@group.command("list")
def list_channels(as_json: AsJson = False) -> None:
    """List channels."""

    async def work(api: "Api") -> "list[Json]":
        return await api.items("channels")

    columns: dict[str, Any] = {"id": "id", "name": "name", "platform": "platform", "account": "account_name",
                               "state": _state, "options": "options"}  # fmt: skip
    none = "No channels yet; add one: video-manager channels add folder Archive -o path=archive"
    print_items(with_api(work), columns, as_json=as_json, none=none)


@group.command("add")
def add(
    platform: Annotated[str, typer.Argument(help="folder, site, or another platform (`plugins list`).")],
    name: Annotated[str, typer.Argument(help="What people call it.")],
    option: Option = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Connect a channel; it is tried before it is saved. Prints its id."""
    options = given_options(option)

    async def work(api: "Api") -> "Json":
        return await api.post("channels", body={"platform": platform, "name": name, "options": options})

    channel = with_api(work)
    if as_json:
        print_json(channel)
    else:
        out.print(channel["id"], markup=False)


@group.command("remove")
def remove(channel: Annotated[str, typer.Argument(help="The channel, by name or id.")]) -> None:
    """Remove a channel; what it published stays on the platform and in the books."""
    from video_manager.cli.requests import channel_ids

    async def work(api: "Api") -> str:
        id = (await channel_ids(api, (channel,)))[0]
        await api.delete("channels", id)
        return id

    note(f"Removed {with_api(work)}.")


def _pair(text: str) -> tuple[str, Any]:
    import json

    name, sign, value = text.partition("=")
    if not sign or not name:
        raise CommandError(f"--option {text}: write NAME=VALUE")
    if value == "-":
        return name, typer.prompt(name, hide_input=True, err=True)
    try:
        parsed = json.loads(value)
    except ValueError:
        return name, value
    return name, parsed if isinstance(parsed, bool | int | float | list | dict) else value


def _state(channel: "Any") -> str:
    if not channel.get("enabled", True):
        return "disabled"
    return f"paused: {channel.get('paused_reason') or ''}" if channel.get("paused") else "ready"
