"""`review`: approve, reject, or ask for another version."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.exits import CommandError
from video_manager.cli.output import AsJson, note, out, print_json
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

DECISIONS = ("approve", "reject", "regenerate")
At = Annotated[str | None, typer.Option(
    "--at", help="When it goes out: 2026-11-24T18:00 (in --zone or this machine's) or with an offset; `next_slot`: the "
               "channel's next free slot; default: now.",
)]  # fmt: skip
Zone = Annotated[str | None, typer.Option(help="The zone of --at, for example Europe/Berlin.")]


def register(app: typer.Typer) -> None:
    app.command("review")(review)


def review(
    id: Annotated[str, typer.Argument(help="The video's id, or the beginning of it.")],
    decision: Annotated[str, typer.Argument(help="approve, reject or regenerate.")],
    reason: Annotated[str, typer.Option(help="Why; needed to reject.")] = "",
    channel: Annotated[list[str], typer.Option(help="Publish to this channel (name or id); may be repeated.")] = [],  # noqa: B006 - typer copies it
    at: At = None,
    zone: Zone = None,
    version: Annotated[int | None, typer.Option(help="Which version; default: the newest.")] = None,
    option: Annotated[list[str], typer.Option("--option", "-o", metavar="NAME=VALUE",
                                              help="With regenerate: a changed option; may be repeated.")] = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(min=0, help="With regenerate: another seed.")] = None,
    discard_files: Annotated[bool, typer.Option("--discard-files", help="With reject: free the space.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Decide about a video that waits for review."""
    if decision not in DECISIONS:
        raise CommandError(f"the decision is one of {', '.join(DECISIONS)}, not {decision!r}")
    from video_manager.cli.requests import channel_ids, typed_options
    from video_manager.cli.videos import find

    moment = publish_at(at, zone)

    async def work(api: "Api") -> "tuple[Json, bool]":
        video = await find(api, id)
        number = version or video["versions"][-1]["number"]
        body: dict[str, Any] = {"version": number, "decision": decision, "reason": reason}
        if channel:
            body["channels"] = await channel_ids(api, tuple(channel))
        if moment is not None:
            body["publish_at"] = moment
        if decision == "reject":
            body["keep_files"] = not discard_files
        if decision == "regenerate":
            spec = next((item["spec"] for item in video["versions"] if item["number"] == number), None)
            body["options"] = await typed_options(api, spec["generator"], tuple(option)) if spec else {}
            body |= {"seed": seed} if seed is not None else {}
        return await api.post("videos", video["id"], "review", body=body), api.embedded

    video, embedded = with_api(work)
    if as_json:
        print_json(video)
        return
    out.print(f"{video['id']}: {video['state'].replace('_', ' ')}", markup=False)
    if embedded and decision != "reject":
        note("What follows is done when the system is started: video-manager up")


def publish_at(at: str | None, zone: str | None) -> Any:
    """`--at` for the API: an instant when it carries an offset, else a wall-clock time with its zone."""
    from datetime import datetime

    if at in (None, "next_slot"):
        return at
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as error:
        raise CommandError(f"--at {at}: write it like 2026-11-24T18:00 or 2026-11-24T18:00+01:00") from error
    if moment.tzinfo is not None:
        return moment.isoformat()
    if zone is None:
        return moment.astimezone().isoformat()
    return {"local": moment.isoformat(timespec="minutes"), "zone": zone}
