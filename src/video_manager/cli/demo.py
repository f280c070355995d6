"""`demo`: something to look at."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from video_manager.cli.output import AsJson, note, out, print_json, warn
from video_manager.cli.session import with_api

if TYPE_CHECKING:
    from video_manager.cli.client import Api, Json

# Told by us; the numbers in them are not meant to be cited.
STORIES: tuple[dict[str, Any], ...] = (
    {
        "title": "Why the sky turns red",
        "text": "At noon the sunlight reaches you by the shortest way through the air. The air scatters the blue part "
        "of it in all directions, and so the sky looks blue. In the evening the light comes in low, and its way "
        "through the air is many times as long. By then most of the blue has been scattered away. What is left for "
        "you is orange and red.",
    },
    {
        "title": "The ship that tests itself",
        "text": "Every night a harbour pilot of the old school walked his ship from bow to stern and touched every "
        "rope. He did not look for faults. He wanted to know how the ropes feel when all is well. One evening a rope "
        "felt different, and he found the worn strand before the storm did. Measure on the good days, he used to say.",
    },
    {
        "title": "Three rules for short videos",
        "text": "First: say in the first two seconds what this is about. Second: one thought for each video, and leave "
        "out the other nine. Third: end on the sentence that people should remember. That was the third rule, and this "
        "is the end.",
    },
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    as_json: AsJson = False,
    platforms: Annotated[
        bool,
        typer.Option(
            "--platforms", help="Start the system in a folder of its own, with every platform faked on this machine."
        ),
    ] = False,
) -> None:
    """Request three short sample stories and connect two channels on this machine, to try the rest on.

    These are real requests: they are rendered here (about a minute each), and wait for your review like any other.
    Nothing is approved or published by itself, and no numbers are invented. Running it again adds nothing.

    With --platforms it starts the whole system beside yours, where YouTube, TikTok, Bluesky and all the others are
    strict fakes on this machine: connect them, publish, and look at what they show. Nothing leaves the machine.
    """
    if platforms:
        from video_manager.cli.demo_platforms import serve_demo

        serve_demo()
        return

    async def work(api: "Api") -> "tuple[list[Json], list[Json], bool]":
        titles = {video["title"] for video in await api.items("videos", limit=1000)}
        new = [story for story in STORIES if story["title"] not in titles]
        requests = [{"generator": "story", "title": story["title"], "options": {"text": story["text"]}, "seed": number}
                    for number, story in enumerate(new)]  # fmt: skip
        videos = (await api.post("videos", body={"requests": requests}))["items"] if requests else []
        return videos, await _connect_channels(api), api.embedded

    videos, channels, embedded = with_api(work)
    if as_json:
        print_json({"videos": videos, "channels": channels})
        return
    for video in videos:
        out.print(f"requested {video['id']}  {video['title']}", markup=False)
    for channel in channels:
        out.print(f"connected {channel['id']}  {channel['name']} ({channel['platform']})", markup=False)
    if not videos and not channels:
        note("All of it is there already.")
    elif embedded and videos:
        warn("No system is running: they are made when it starts (video-manager up).")


async def _connect_channels(api: "Api") -> "list[Json]":
    wanted = ({"platform": "site", "name": "My site", "options": {}},
              {"platform": "folder", "name": "Archive", "options": {"path": "archive"}})  # fmt: skip
    platforms = {channel["platform"] for channel in await api.items("channels")}
    return [await api.post("channels", body=channel) for channel in wanted if channel["platform"] not in platforms]
