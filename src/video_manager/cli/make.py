"""`make`: request videos, watch them being made, and say where they are."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from video_manager.cli.exits import Exit
from video_manager.cli.output import AsJson, err, note, out, print_facts, print_json, size_text, warn
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

File = typer.Option(exists=True, dir_okay=False, readable=True)


def register(app: typer.Typer) -> None:
    app.command("make")(make)


def make(
    generator: Annotated[str, typer.Argument(help="What makes it: story, slideshow, upload, or another plugin.")],
    also: Annotated[list[str], typer.Option(help="A further generator for the same request; may be repeated.")] = [],  # noqa: B006 - typer copies it
    title: Annotated[str, typer.Option(help="Title; by default the generator suggests one.")] = "",
    text: Annotated[str | None, typer.Option(help="The text to tell.")] = None,
    text_file: Annotated[Path | None, typer.Option(help="A file with the text to tell, UTF-8.", exists=True,
                                                   dir_okay=False, readable=True, allow_dash=True)] = None,
    option: Annotated[list[str], typer.Option(
        "--option", "-o", metavar="NAME=VALUE",
        help="An option of the generator (`plugins show story` lists them); @FILE uploads a file. May be repeated.",
    )] = [],  # noqa: B006
    picture: Annotated[list[Path], typer.Option(help="A picture to show; may be repeated.", exists=True,
                                                dir_okay=False)] = [],  # noqa: B006
    source: Annotated[Path | None, typer.Option(help="A source video to send in.", exists=True, dir_okay=False)] = None,
    count: Annotated[int, typer.Option(min=1, help="How many different videos.")] = 1,
    seed: Annotated[int | None, typer.Option(min=0, help="The same seed gives the same video again.")] = None,
    recipe: Annotated[Path | None, typer.Option(
        help='A JSON file with the processing: {"steps": [{"step": "reframe", "options": {}}], "checks": null}.',
        exists=True, dir_okay=False)] = None,
    channel: Annotated[list[str], typer.Option(help="A channel it is meant for, by name or id; may be repeated.")] = [],  # noqa: B006
    output: Annotated[Path | None, typer.Option("--output", help="Save the finished video here (several: a folder).")]
    = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is ready to review.")] = True,
    as_json: AsJson = False,
) -> int:  # fmt: skip
    """Request videos, wait for them, and say where they are.

    Example: `video-manager make story --text-file article.txt --title "Why bees dance"`
    """
    from video_manager.cli.requests import Wanted, request_videos

    wanted = Wanted(
        generators=(generator, *also), title=title, text=text, text_file=text_file, options=tuple(option),
        pictures=tuple(picture), source=source, count=count, seed=seed, recipe=recipe, channels=tuple(channel),
    )  # fmt: skip
    wanted.check()

    async def work(api: "Api") -> int:
        videos = await request_videos(api, wanted)
        if not wait:
            _print_requested(api, videos, as_json=as_json)
            return Exit.OK
        return await finish(api, videos, output, as_json=as_json)

    return with_api(work, workers=wait)


async def finish(api: "Api", videos: "list[Json]", output: Path | None, *, as_json: bool) -> int:
    """Wait for the videos, save and print them. The exit code says whether all of them are ready to review."""
    from video_manager.cli.follow import OPEN_STATES, follow
    from video_manager.cli.transfers import download

    followed = await follow(api, [video["id"] for video in videos])
    saved: dict[str, str] = {}
    for video, path in zip(followed.videos, _destinations(output, followed.videos), strict=True):
        if path is not None and (master := _master(video)) is not None:
            await download(api, master["url"], path, master["size_bytes"], master["sha256"])
            saved[video["id"]] = str(path)
    if as_json:
        items = [{**video, "review_url": _review_url(api, video), "saved": saved.get(video["id"])}
                 for video in followed.videos]  # fmt: skip
        print_json({"items": items, "next": None})
    else:
        for video in followed.videos:
            if video["state"] not in OPEN_STATES:
                _print_result(api, video, saved.get(video["id"]))
    if followed.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if all(video["state"] in ("in_review", "approved") for video in followed.videos) else Exit.FAILED


def _print_requested(api: "Api", videos: "list[Json]", *, as_json: bool) -> None:
    if as_json:
        print_json({"items": videos, "next": None})
    else:
        for video in videos:
            out.print(video["id"], markup=False)
    if api.embedded:
        warn("No system is running: the video is made when it starts (`video-manager up`).")


def _print_result(api: "Api", video: "Json", saved: str | None) -> None:
    version = video["versions"][-1]
    master = _master(video)
    if version["state"] == "failed":
        err.print(f"[bold red]Failed:[/] video {video['id']}", soft_wrap=True)
        err.print(version["error"] or "no reason was given", markup=False, soft_wrap=True)
    findings = (version.get("checks") or {}).get("findings") or []
    print_facts(
        {
            "video": video["id"],
            "title": video["title"],
            "state": video["state"].replace("_", " "),
            "checks": "; ".join(f"{item['severity']}: {item['message']}" for item in findings) or None,
            "size": size_text(master["size_bytes"]) if master else None,
            "file": saved or (_url(api, master["url"]) if master else None),
            "review": _review_url(api, video),
        }
    )
    if api.embedded and master and not saved:
        note("The addresses work while the system runs: video-manager up")


def _master(video: "Json") -> "Json | None":
    return next((file for file in video["versions"][-1]["files"] if file["role"] == "master"), None)


def _url(api: "Api", path: str) -> str:
    from video_manager.settings import read_settings

    base = read_settings().base_url if api.embedded else str(api.http.base_url).rstrip("/")
    return base + path


def _review_url(api: "Api", video: "Json") -> str:
    return _url(api, f"/review/{video['id']}")


def _destinations(output: Path | None, videos: "list[Json]") -> list[Path | None]:
    """Where each video is saved: the named file, or for several (or in a folder that exists) one file each."""
    if output is None:
        return [None] * len(videos)
    if len(videos) == 1 and not output.is_dir():
        return [output]
    output.mkdir(parents=True, exist_ok=True)
    return [output / f"{number:02d}-{video['id']}.mp4" for number, video in enumerate(videos, start=1)]
