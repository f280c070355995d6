# ruff: noqa: ARG002 - the interface's arguments
"""Plugins that cost nothing, so that what is left is the product's own work; and one that only waits."""

import asyncio
import functools
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from imageio_ffmpeg import get_ffmpeg_exe

from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Context,
    Generator,
    Handle,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
    RenderInput,
    RenderResult,
)  # fmt: skip


class NoOptions(Options):
    pass


class NoOpGenerator(Generator[NoOptions]):
    """Never called: the benchmark's own worker takes its jobs, without a process for each."""

    name = "no-op"
    title = "Nothing"
    description = "For measuring what everything else costs."
    Options = NoOptions

    async def render(self, input: RenderInput, options: NoOptions, context: Context) -> RenderResult:
        raise NotImplementedError


class NapGenerator(Generator[NoOptions]):
    """Waits as long as a short render takes, and uses no processor meanwhile."""

    name = "nap"
    title = "Nap"
    description = "For measuring whether a second worker halves the time."
    Options = NoOptions

    async def render(self, input: RenderInput, options: NoOptions, context: Context) -> RenderResult:
        await asyncio.sleep(1.5)
        video = context.work_folder / "nap.mp4"
        video.write_bytes(await asyncio.to_thread(_smallest_video))
        return RenderResult(video)


@functools.cache
def _smallest_video() -> bytes:
    """Real, because workers look at what a generator made. Made once in each worker."""
    source = ["-f", "lavfi", "-i", "color=size=16x16:rate=10:duration=0.2"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "smallest.mp4")
        command = [get_ffmpeg_exe(), "-loglevel", "error", *source, "-pix_fmt", "yuv420p", str(path)]
        subprocess.run(command, check=True)
        return path.read_bytes()


class NoOpPublisher(Publisher[NoOptions]):
    name = "no-op"
    title = "Nowhere"
    description = "Publishes nothing, at once."
    Options = NoOptions
    publish_timeout_seconds: ClassVar[float] = 10.0

    async def connect(self, options: NoOptions, context: PublisherContext) -> Account:
        return Account(name="nobody")

    async def upload(self, post: Post, options: NoOptions, context: PublisherContext) -> Handle:
        return {"post": post.publication_id}

    async def publish(self, post: Post, handle: Handle, options: NoOptions, context: PublisherContext) -> Published:
        return Published(external_id=post.publication_id, url=f"https://example.org/{post.publication_id}")

    async def ask(self, post: Post, handle: Handle, options: NoOptions, context: PublisherContext) -> Asked:
        return Asked(Answer.UNKNOWN)

    async def delete(self, external_id: str, options: NoOptions, context: PublisherContext) -> None:
        return None
