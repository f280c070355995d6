"""`test-card`: colour bars, a 1 kHz tone and a running timecode, to try channels and players with."""

from typing import TYPE_CHECKING

from pydantic import Field

from video_manager.plugins.api import Context, Generator, Options, RenderInput, RenderResult, SuggestedMetadata

if TYPE_CHECKING:
    from pathlib import Path

_TONE_GAIN_DB = 4.06
"""ffmpeg's sine is -18.06 dBFS; a 1 kHz sine at -14 dBFS in both channels measures -14 LUFS."""


class BarsAndToneOptions(Options):
    duration_seconds: float = Field(default=10.0, ge=1, le=600, title="Duration", description="In seconds.")
    width: int = Field(default=1080, ge=64, le=3840, multiple_of=2, title="Width", description="In pixels, even.")
    height: int = Field(default=1920, ge=64, le=3840, multiple_of=2, title="Height", description="In pixels, even.")
    frame_rate: int = Field(default=30, ge=1, le=60, title="Frame rate", description="Frames per second.")


class BarsAndTone(Generator[BarsAndToneOptions]):
    """The tone is at the loudness that platforms expect, so the usual processing leaves the file as it is."""

    name = "test-card"
    title = "Test card"
    description = "Colour bars, a tone and a running timecode: a quick video to try a channel with."
    Options = BarsAndToneOptions

    async def render(self, input: RenderInput, options: BarsAndToneOptions, context: Context) -> RenderResult:
        from video_manager.media import encoding  # noqa: PLC0415 - loads with a render only
        from video_manager.media.fonts import Font  # noqa: PLC0415

        target = context.work_folder / "test-card.mp4"
        seconds = round(options.duration_seconds * options.frame_rate) / options.frame_rate
        size = f"{options.width}x{options.height}"
        await context.media.ffmpeg(
            [
                "-f", "lavfi", "-i", f"smptehdbars=size={size}:rate={options.frame_rate}",
                "-f", "lavfi", "-i", "sine=frequency=1000:sample_rate=48000",
                "-vf", _picture_filters(options, Font.POPPINS_SEMI_BOLD.path, input.seed),
                "-af", f"volume={_TONE_GAIN_DB}dB,pan=stereo|c0=c0|c1=c0",
                *encoding.VIDEO_ARGUMENTS, *encoding.AUDIO_ARGUMENTS,
                "-t", f"{seconds:.6f}", *encoding.FILE_ARGUMENTS, str(target),
            ],
            total_seconds=seconds, stage="Rendering",
        )  # fmt: skip
        title = input.title.strip() or "Test card"
        return RenderResult(
            video=target,
            metadata=SuggestedMetadata(title, "Colour bars, a 1 kHz tone and a running timecode.", ("test",)),
            facts={"duration_seconds": round(seconds, 3), "frame_rate": options.frame_rate},
        )


def _picture_filters(options: BarsAndToneOptions, font: "Path", seed: int) -> str:
    """Bars with a white line that crosses them every two seconds (so that no part stands still), the timecode, and
    the seed, by which two cards can be told apart."""
    short_side = min(options.width, options.height)
    large, small, line = max(10, short_side // 9), max(8, short_side // 24), max(2, options.width // 60)
    fontfile = str(font).replace("\\", "/").replace(":", "\\\\:").replace("'", "\\\\'").replace(",", "\\,")
    text = f"drawtext=fontfile={fontfile}:fontcolor=white:box=1:boxcolor=black@0.75"
    timecode = rf"timecode='00\:00\:00\:00':rate={options.frame_rate}"
    return ",".join([
        "format=yuv420p",
        f"drawbox=x='mod(t,2)/2*iw':y=0:w={line}:h=ih:color=white:t=fill",
        f"{text}:boxborderw={large // 4}:fontsize={large}:x=(w-tw)/2:y=h*0.42:{timecode}",
        f"{text}:boxborderw={small // 3}:fontsize={small}:x=(w-tw)/2:y=h*0.42+{large * 2}:text='seed {seed}'",
    ])  # fmt: skip
