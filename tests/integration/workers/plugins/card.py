# ruff: noqa: T201, C901, PLR0912, ASYNC220, ASYNC251 - misbehaving is what these plugins are for
"""Generators for the tests of the workers: a test card, and all the ways in which a plugin can misbehave."""

import asyncio
import os
import subprocess
import sys
import time
from enum import StrEnum

from pydantic import Field

from video_manager.errors import PermanentError, RetryableError
from video_manager.plugins.api import (
    Context,
    Generator,
    Options,
    RenderInput,
    RenderResult,
    SuggestedMetadata,
    drawn,
    source_file,
)  # fmt: skip


class CardOptions(Options):
    seconds: float = Field(default=2.0, gt=0, le=3600)
    width: int = Field(default=180, ge=16, le=3840)
    height: int = Field(default=320, ge=16, le=3840)
    volume: float = Field(default=0.5, ge=0, le=1)
    tone: int | None = drawn([330, 440, 550], "Pitch in Hz.")


class Card(Generator[CardOptions]):
    name = "card"
    title = "Card"
    description = "ffmpeg's test picture and a tone."
    Options = CardOptions

    async def render(self, input: RenderInput, options: CardOptions, context: Context) -> RenderResult:
        print("plugins may print to standard output")
        video, captions = context.work_folder / "card.mp4", context.work_folder / "card.vtt"
        size = f"{options.width}x{options.height}"
        await context.media.ffmpeg(
            [
                "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=30:duration={options.seconds}",
                "-f", "lavfi", "-i", f"sine=frequency={options.tone}:sample_rate=48000:duration={options.seconds}",
                "-af", f"volume={options.volume}", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p",
                "-c:a", "aac", "-shortest", "-movflags", "+faststart", str(video),
            ],
            total_seconds=options.seconds, stage="drawing the card",
        )  # fmt: skip
        captions.write_text("WEBVTT\n\n00:00.000 --> 00:01.000\nA test card\n")
        return RenderResult(
            video, captions, SuggestedMetadata(title=f"Card {input.title}", tags=("test",)),
            {"tone_hertz": options.tone or 0},
        )  # fmt: skip


class Fault(StrEnum):
    RAISE = "raise"
    RETRY = "retry"
    FLOOD = "flood"
    DIE = "die"
    SLEEP = "sleep"
    SPAWN = "spawn"
    MISSING = "missing"
    OUTSIDE = "outside"
    EXIT = "exit"
    FILL_DISK = "fill disk"
    PERMANENT = "permanent"
    SECRET = "secret"


class FaultyOptions(Options):
    fault: Fault


class Faulty(Generator[FaultyOptions]):
    name = "faulty"
    title = "Faulty"
    description = "Misbehaves as told."
    Options = FaultyOptions

    async def render(self, input: RenderInput, options: FaultyOptions, context: Context) -> RenderResult:
        context.progress(0.1, "about to misbehave")
        video = context.work_folder / "video.mp4"
        match options.fault:
            case Fault.RAISE:
                raise ZeroDivisionError("seven by nothing")
            case Fault.PERMANENT:
                raise PermanentError("this text cannot be spoken", "the tool said so")
            case Fault.RETRY:
                raise RetryableError("the voice service is busy", retry_after_seconds=0.1)
            case Fault.FLOOD:
                for _ in range(20_000):
                    print("x" * 400)
                    print("y" * 400, file=sys.stderr)
                raise PermanentError("flooded")
            case Fault.DIE:
                print("last words", file=sys.stderr, flush=True)
                os.abort()
            case Fault.SLEEP:
                time.sleep(600)
            case Fault.SPAWN:
                subprocess.Popen(["sleep", "600"])
                (context.work_folder / "spawned").touch()
                await asyncio.sleep(600)
            case Fault.EXIT:
                sys.exit(3)
            case Fault.FILL_DISK:
                with video.open("wb") as file:
                    for _ in range(4096):
                        file.write(bytes(1 << 20))
            case Fault.SECRET:
                raise PermanentError(f"{context.secrets['TOKEN']} {os.environ.get('VIDEO_MANAGER_SESSION_SECRET')}")
            case Fault.OUTSIDE:
                return RenderResult(video=context.work_folder / ".." / ".." / ".." / ".." / "outside.mp4")
        return RenderResult(video=video)


class HandThroughOptions(Options):
    file: str = source_file("The video to hand through.", "video/*")


class HandThrough(Generator[HandThroughOptions]):
    name = "hand-through"
    title = "Hand through"
    description = "Returns the file it was given."
    Options = HandThroughOptions

    async def render(self, input: RenderInput, options: HandThroughOptions, context: Context) -> RenderResult:
        return RenderResult(input.sources[options.file])
