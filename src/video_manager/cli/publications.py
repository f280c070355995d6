"""`publish` and `publications`."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from video_manager.cli.output import AsJson, local_time, note, out, print_items, print_json
from video_manager.cli.reviews import At, Zone
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="What went or goes to the channels.")
Id = Annotated[str, typer.Argument(help="The publication's id.")]


class Answer(StrEnum):
    PUBLISHED = "published"
    ABSENT = "absent"


class _PublishGroup(TyperGroup):
    """`publish ID ...` is short for `publish video ID ...`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["video", *args]
        return super().parse_args(ctx, args)


publishing = typer.Typer(
    cls=_PublishGroup, no_args_is_help=True,
    help="Publish an approved version to further channels (publish ID --channel NAME), or see what is planned.",
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.add_typer(publishing, name="publish")
    app.add_typer(group, name="publications")


@publishing.command("video")
def publish(
    id: Annotated[str, typer.Argument(help="The approved video's id, or the beginning of it.")],
    channel: Annotated[list[str], typer.Option(help="The channel, by name or id; may be repeated.")],
    at: At = None,
    zone: Zone = None,
    version: Annotated[int | None, typer.Option(help="Which version; default: the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish an approved version to further channels, now or at a time."""
    from video_manager.cli.requests import channel_ids
    from video_manager.cli.reviews import publish_at
    from video_manager.cli.videos import find

    moment = publish_at(at, zone)

    async def work(api: "Api") -> "tuple[list[Json], bool]":
        video = await find(api, id)
        body: dict[str, Any] = {"video_id": video["id"], "version": version or video["versions"][-1]["number"]}
        if moment is not None:
            body["publish_at"] = moment
        made = [await api.post("publications", body={**body, "channel_id": target})
                for target in await channel_ids(api, tuple(channel))]  # fmt: skip
        return made, api.embedded

    made, embedded = with_api(work)
    if as_json:
        print_json({"items": made, "next": None})
        return
    for publication in made:
        out.print(f"{publication['id']}: {publication['state']}", markup=False)
    if embedded:
        note("It goes out when the system is started: video-manager up")


@publishing.command("plan")
def plan(
    days: Annotated[int, typer.Option(min=1, max=60, help="How many days ahead.")] = 7,
    as_json: AsJson = False,
) -> None:
    """A dry run: what will be published when, and what stands in the way."""

    async def work(api: "Api") -> "Json":
        return await api.get("publications", "plan", days=days)

    found = with_api(work)
    if as_json:
        print_json(found)
        return
    columns: dict[str, Any] = {
        "goes out": lambda item: local_time(item["expected_at"]) or "not by itself",
        "asked for": lambda item: item["requested_local"] or local_time(item["publish_at"]) or "as soon as possible",
        "title": "title", "channel": "channel_name",
        "in the way": lambda item: "; ".join(conflict["text"] for conflict in item["conflicts"]),
    }  # fmt: skip
    print_items(found["items"], columns, as_json=False, none=f"Nothing is scheduled for the next {days} days.")


@group.command("list")
def list_publications(
    state: Annotated[str | None, typer.Option(help="scheduled, uploading, pending, published, failed, unknown, "
                                                   "action_required, cancelled or withdrawn.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most publications to list.")] = 50,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List publications."""

    async def work(api: "Api") -> "tuple[list[Json], dict[str, str]]":
        found = await api.items("publications", limit=limit, state=state)
        names = {} if as_json else {item["id"]: item["name"] for item in await api.items("channels")}
        return found, names

    found, names = with_api(work)
    columns: dict[str, Any] = {
        "id": "id", "state": lambda item: str(item["state"]).replace("_", " "), "video": "video_id",
        "channel": lambda item: names.get(item["channel_id"], item["channel_id"]),
        "time": lambda item: local_time(item.get("published_at") or item.get("publish_at")),
        "address or error": lambda item: item.get("external_url") or item.get("error"),
    }  # fmt: skip
    print_items(found, columns, as_json=as_json, none="No publications.")


@group.command("cancel")
def cancel(id: Id, as_json: AsJson = False) -> None:
    """Call off what is not yet public."""
    _act(id, "cancel", None, as_json=as_json)


@group.command("retry")
def retry(id: Id, as_json: AsJson = False) -> None:
    """Try a failed publication again now."""
    _act(id, "retry", None, as_json=as_json)


@group.command("resolve")
def resolve(
    id: Id,
    answer: Annotated[Answer, typer.Argument(help="Whether the post is on the platform, as you saw it there.")],
    url: Annotated[str | None, typer.Option(help="The post's address, when it is published.")] = None,
    external_id: Annotated[str | None, typer.Option(help="The post's id on the platform.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what became of an `unknown` publication, after looking at the platform."""
    body = {"outcome": answer.value, "url": url, "external_id": external_id}
    _act(id, "resolve", {name: value for name, value in body.items() if value is not None}, as_json=as_json)


def _act(id: str, verb: str, body: dict[str, Any] | None, *, as_json: bool) -> None:
    async def work(api: "Api") -> "Json":
        return await api.post("publications", id, verb, body=body)

    publication = with_api(work)
    if as_json:
        print_json(publication)
    else:
        out.print(f"{publication.get('id', id)}: {publication.get('state', verb)}", markup=False)
