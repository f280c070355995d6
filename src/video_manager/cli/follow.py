"""Progress bars of videos that are being made."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from video_manager.cli.client import Api, Json
from video_manager.cli.output import err, note

POLL_SECONDS = 0.3
OPEN_STATES = frozenset({"requested", "rendering", "processing"})


@dataclass(frozen=True)
class Followed:
    videos: list[Json]
    interrupted: bool
    """The person pressed Ctrl-C before all were done."""


async def follow(api: Api, ids: Sequence[str]) -> Followed:
    """Show one bar a video until each is ready, failed or cancelled. Ctrl-C asks what is to become of them."""
    interrupted = False
    async with _interrupts() as stop:
        videos = await _watch(api, ids, stop)
        if stop.is_set():
            interrupted = True
            videos = await _leave(api, videos)
    return Followed(videos, interrupted)


async def _watch(api: Api, ids: Sequence[str], stop: asyncio.Event) -> list[Json]:
    columns = (TextColumn("{task.description}", table_column=None), BarColumn(), TaskProgressColumn(),
               TimeElapsedColumn(), TextColumn("[dim]{task.fields[stage]}"))  # fmt: skip
    with Progress(*columns, console=err.console) as progress:
        tasks = {id: progress.add_task(id[:8], total=1.0, stage="") for id in ids}
        videos: dict[str, Json] = {}
        while True:
            for id, task in tasks.items():
                if id not in videos or videos[id]["state"] in OPEN_STATES:
                    videos[id] = await api.get("videos", id)
                    _show(progress, task, videos[id])
            if stop.is_set() or not any(video["state"] in OPEN_STATES for video in videos.values()):
                return [videos[id] for id in ids]
            try:
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)
            except TimeoutError:
                continue


def _show(progress: Progress, task: TaskID, video: Json) -> None:
    version = video["versions"][-1]
    title = video["title"] or video["id"][:8]
    stage = version.get("stage") or video["state"]
    done = video["state"] not in OPEN_STATES
    progress.update(
        task,
        description=escape(title if len(title) <= 40 else title[:39] + "…"),
        completed=float(version.get("progress") or 0),
        stage=escape(video["state"].replace("_", " ") if done else stage),
    )
    if done:
        progress.stop_task(task)


async def _leave(api: Api, videos: list[Json]) -> list[Json]:
    """After Ctrl-C: cancel what is open when the person says so, else say what becomes of it."""
    open_ids = [video["id"] for video in videos if video["state"] in OPEN_STATES]
    if not open_ids:
        return videos
    if sys.stdin.isatty() and await _asks_to_cancel(len(open_ids)):
        for id in open_ids:
            await api.post("videos", id, "cancel")
        note(f"Cancelled: {', '.join(open_ids)}")
        return [await api.get("videos", video["id"]) for video in videos]
    goes_on = "It goes on when the system is started" if api.embedded else "It goes on without this command"
    note(f"{goes_on}: video-manager videos show {open_ids[0]}   (or: videos cancel {open_ids[0]})")
    return videos


async def _asks_to_cancel(count: int) -> bool:
    err.print(f"\nCancel {'the video' if count == 1 else f'these {count} videos'}? \\[y/N] ", end="")
    return (await _line()).strip().lower() in ("y", "yes")


async def _line() -> str:
    """A line from the terminal. Unlike one read in a thread, it can be given up by another Ctrl-C."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sys.stdin, ready.set_result, None)
    try:
        await ready
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


@asynccontextmanager
async def _interrupts() -> AsyncIterator[asyncio.Event]:
    """Ctrl-C sets the event; a second one ends the program as usual."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    usual = signal.getsignal(signal.SIGINT)

    def give_back() -> None:
        if loop.remove_signal_handler(signal.SIGINT):
            signal.signal(signal.SIGINT, usual)

    def first() -> None:
        loop.add_signal_handler(signal.SIGINT, second)
        stop.set()

    def second() -> None:
        # Called by the loop, like the first: the usual handler is not run while the loop waits for something to read,
        # when the signal comes in the moment before it waits.
        give_back()
        if callable(usual):
            usual(signal.SIGINT, None)
        else:  # it was ignored, as a shell does for what it starts beside itself
            raise KeyboardInterrupt

    loop.add_signal_handler(signal.SIGINT, first)
    try:
        yield stop
    finally:
        give_back()
