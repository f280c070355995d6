"""`videos`: list, look at, and steer them."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.output import AsJson, as_text, local_time, note, out, print_facts, print_items, print_json
from video_manager.cli.output import size_text as size
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

group = typer.Typer(no_args_is_help=True, help="List, look at and steer videos.")
Id = Annotated[str, typer.Argument(help="The video's id, or the beginning of it.")]


def register(app: typer.Typer) -> None:
    app.add_typer(group, name="videos")


async def find(api: "Api", id: str) -> "Json":
    """The video with this id, or with the only id of the newest ones that begins so."""
    from video_manager.cli.exits import CommandError

    if len(id) >= 32:
        return await api.get("videos", id)
    videos = await api.items("videos", limit=1000)
    found = [video for video in videos if video["id"] == id] or [v for v in videos if v["id"].startswith(id)]
    if len(found) > 1:
        raise CommandError(f"several videos begin with {id!r}: {', '.join(video['id'] for video in found[:5])}")
    return await api.get("videos", found[0]["id"] if found else id)


@group.command("list")
def list_videos(
    state: Annotated[str | None, typer.Option(help="requested, rendering, processing, in_review, approved, rejected, "
                                                   "failed, cancelled or deleted.")] = None,
    search: Annotated[str | None, typer.Option("--search", "-q", help="Part of the title.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most videos to list.")] = 50,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List videos, newest first."""

    async def work(api: "Api") -> "list[Json]":
        return await api.items("videos", limit=limit, state=state, q=search)

    columns: dict[str, Any] = {
        "id": "id", "state": _state, "title": "title",
        "generator": lambda video: video["versions"][-1]["spec"]["generator"],
        "version": lambda video: len(video["versions"]),
        "published": lambda video: "{published}/{total}".format(**video["publications"]),
        "created": lambda video: local_time(video["created_at"]),
    }  # fmt: skip
    none = "No videos yet; ask for one: video-manager make story --text '...'" if not (state or search) else "None."
    print_items(with_api(work), columns, as_json=as_json, none=none)


@group.command("show")
def show(id: Id, as_json: AsJson = False) -> None:
    """Show one video with its versions, files and findings."""

    async def work(api: "Api") -> "Json":
        return await find(api, id)

    video = with_api(work)
    if as_json:
        print_json(video)
        return
    facts = {"video": video["id"], "title": video["title"], "state": _state(video),
             "publications": video["publications"]["by_state"], "created": local_time(video["created_at"]),
             "by": video["created_by"]}  # fmt: skip
    print_facts(facts)
    for version in video["versions"]:
        _print_version(version)


@group.command("cancel")
def cancel(id: Id, as_json: AsJson = False) -> None:
    """Stop making a video; a running render ends at once."""
    _steer(id, "cancel", as_json=as_json)


@group.command("retry")
def retry(id: Id, as_json: AsJson = False) -> None:
    """Start a failed or cancelled video again from its spec."""
    _steer(id, "retry", as_json=as_json)


@group.command("delete")
def delete(
    id: Id, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:  # fmt: skip
    """Delete a video and its files; what is scheduled is withdrawn."""
    if not yes:
        typer.confirm(f"Delete video {id} and its files?", abort=True, err=True)

    async def work(api: "Api") -> str:
        video = await find(api, id)
        await api.delete("videos", video["id"])
        return str(video["id"])

    note(f"Deleted {with_api(work)}.")


def _steer(id: str, verb: str, *, as_json: bool) -> None:
    async def work(api: "Api") -> "tuple[Json, bool]":
        video = await find(api, id)
        return await api.post("videos", video["id"], verb), api.embedded

    video, embedded = with_api(work)
    if as_json:
        print_json(video)
        return
    out.print(f"{video['id']}: {_state(video)}", markup=False)
    if verb == "retry" and embedded:
        note("It is made when the system is started: video-manager up")


def _print_version(version: "Json") -> None:
    spec = version["spec"]
    out.print(f"\n[bold]version {version['number']}[/]")
    findings = (version.get("checks") or {}).get("findings") or []
    facts: dict[str, Any] = {
        "  state": version["state"] if version["verdict"] == "none" else f"{version['state']}, {version['verdict']}",
        "  stage": f"{version['stage']} {version['progress']:.0%}" if version["progress"] not in (0, 1) else None,
        "  error": version["error"],
        "  made by": f"{spec['generator']} (seed {spec['seed']})",
        "  options": as_text(spec["options"]),
        "  recipe": [step["step"] for step in spec["recipe"]["steps"]],
    }
    for file in version["files"]:
        picture = f"{file['width']}x{file['height']}, " if file.get("width") else ""
        seconds = f"{file['duration_seconds']:.1f} s, " if file.get("duration_seconds") else ""
        facts[f"  {file['role']}"] = f"{picture}{seconds}{size(file['size_bytes'])}  {file['url']}"
    for number, item in enumerate(findings):
        at = f" at {item['start_seconds']:.1f} s" if item.get("start_seconds") is not None else ""
        facts[f"  finding {number + 1}"] = f"{item['severity']}{at}: {item['message']}"
    print_facts(facts)


def _state(video: "Json") -> str:
    return str(video["state"]).replace("_", " ")
