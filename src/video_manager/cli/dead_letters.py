"""`dead-letters`: messages that could not be handled."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.exits import CommandError
from video_manager.cli.output import AsJson, local_time, note, print_items, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="Messages that could not be handled.")
Ids = Annotated[list[str], typer.Argument(help="Ids of dead letters, or `all`.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="dead-letters")


async def _letters(api: "Api") -> "list[Json]":
    return list((await api.get("dead-letters", limit=200))["items"])


@group.command("list")
def list_letters(as_json: AsJson = False) -> None:
    """List dead letters with their reasons."""
    columns: dict[str, Any] = {
        "id": "id", "queue": "queue", "type": lambda item: item["envelope"].get("type"), "reason": "reason",
        "attempts": "attempts", "died": lambda item: local_time(item["died_at"]),
    }  # fmt: skip
    print_items(with_api(_letters), columns, as_json=as_json, none="No dead letters.")


@group.command("show")
def show(id: Annotated[str, typer.Argument(help="The dead letter's id.")]) -> None:
    """Show one dead letter, as JSON, with the whole message."""
    found = [item for item in with_api(_letters) if item["id"] == id]
    if not found:
        raise CommandError(f"there is no dead letter {id!r}")
    print_json(found[0])


@group.command("resend")
def resend(ids: Ids) -> None:
    """Put them into their queues again, after the cause is mended."""

    async def work(api: "Api") -> int:
        chosen = await _chosen(api, ids)
        for id in chosen:
            await api.post("dead-letters", id, "resend")
        return len(chosen)

    note(f"Sent again: {with_api(work)}.")


@group.command("drop")
def drop(ids: Ids, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Give them up for good."""
    if not yes:
        typer.confirm(f"Drop {', '.join(ids)} for good?", abort=True, err=True)

    async def work(api: "Api") -> int:
        chosen = await _chosen(api, ids)
        for id in chosen:
            await api.delete("dead-letters", id)
        return len(chosen)

    note(f"Dropped: {with_api(work)}.")


async def _chosen(api: "Api", ids: list[str]) -> list[str]:
    return [item["id"] for item in await _letters(api)] if ids == ["all"] else ids
