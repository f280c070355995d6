# ruff: noqa: INP001 - a plugin folder is no package
"""A whole generator in one file: put it into the plugin folder and restart.

It shows the parts a plugin needs: a name, options whose JSON Schema draws the form, one async method that writes a
file into its own work folder, progress, and an error that tells the person what to do.
"""

import random

from pydantic import Field

from video_manager.errors import PermanentError
from video_manager.plugins.api import (
    Context,
    Generator,
    Options,
    RenderInput,
    RenderResult,
    SuggestedMetadata,
    drawn,
)  # fmt: skip


class ColourWaveOptions(Options):
    seconds: float = Field(default=6.0, ge=1, le=60, description="Length of the video.")
    speed: float = Field(default=0.01, gt=0, le=1, description="How fast the colours move.")
    colours: int | None = drawn([2, 3, 4, 6], "How many colours; left open, the seed decides.")
    note: int | None = drawn([220, 262, 330], "Pitch of the tone in Hz; left open, the seed decides.")


class ColourWave(Generator[ColourWaveOptions]):
    name = "colour-wave"
    title = "Colour wave"
    description = "Slowly moving colours with a soft tone: a background, or a first example of a plugin."
    Options = ColourWaveOptions

    async def render(self, input: RenderInput, options: ColourWaveOptions, context: Context) -> RenderResult:
        if options.colours is None or options.note is None:
            raise PermanentError("the options were not resolved: request this video through the product")
        video = context.work_folder / "wave.mp4"
        # The same seed must give the same video, so the colours are drawn here: ffmpeg's own random ones ignore a seed.
        draw = random.Random(input.seed)  # noqa: S311 - a repeatable draw, no secret
        colours = ":".join(f"c{index}=0x{draw.randrange(2**24):06x}" for index in range(options.colours))
        picture = (
            f"gradients=size=270x480:rate=30:duration={options.seconds}:nb_colors={options.colours}:{colours}"
            f":x0=0:y0=0:x1=270:y1=480:speed={options.speed}:seed={input.seed % 2**31}"
            ",scale=1080:1920:flags=bicubic,format=yuv420p"
        )
        sound = f"sine=frequency={options.note}:sample_rate=48000:duration={options.seconds},volume=0.4"
        await context.media.ffmpeg(
            [
                "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-c:v", "libx264", "-preset", "veryfast",
                "-crf", "21", "-threads", "4", "-c:a", "aac", "-ar", "48000", "-ac", "2", "-shortest",
                "-fflags", "+bitexact", "-movflags", "+faststart", str(video),
            ],
            total_seconds=options.seconds, stage="painting the wave",
        )  # fmt: skip
        return RenderResult(
            video=video,
            metadata=SuggestedMetadata(title=input.title or "Colour wave", tags=("colour", "wave")),
            facts={"colours": options.colours},
        )
