"""One render measured beside its floor and its best-known peer, in the same run.

    python benchmarks/render.py [--seconds 30] [--peer-seconds 4]

Prints wall time, CPU time and peak memory (all processes together) of
- our `story` render at 1080x1920, 30 fps: voice, word captions, background, music, x264;
- the floor: the same frames of that video, already drawn, only encoded with the same settings;
- the same with x264's preset veryfast, which the story's own settings are an answer to;
- MoviePy 2.2 doing the job as its users do: zooming picture, word captions, x264. It is slow, so a shorter clip is made
  and its time scaled up to the same length.
"""

# ruff: noqa: PLC0415 - each job loads only what it measures, in a process of its own

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

TEXT = (
    "# Why the sea is salty\n"
    "Every year, rivers carry about 4 billion tons of dissolved salt into the ocean. The water evaporates again and "
    "comes back as rain, but the salt stays behind. Over hundreds of millions of years it has added up to some "
    "35 grams in every litre. Sea creatures take some of it out for their shells, and the sea floor swallows the rest. "
    "So the balance holds: as much salt leaves the sea today as the rivers bring. That is why it does not "
    "become saltier. "
    "In the Dead Sea there is no way out but up, and it holds 340 grams. Taste it once, and never again!"
)


@dataclass(frozen=True)
class Measure:
    name: str
    wall_seconds: float
    cpu_seconds: float
    peak_megabytes: float

    def scaled(self, factor: float, name: str) -> "Measure":
        return Measure(name, self.wall_seconds * factor, self.cpu_seconds * factor, self.peak_megabytes)

    def row(self, video_seconds: float) -> str:
        return (
            f"{self.name:<44} {self.wall_seconds:8.2f} {video_seconds / self.wall_seconds:8.2f}x "
            f"{self.cpu_seconds:8.2f} {self.peak_megabytes:8.0f}"
        )


def measure(name: str, command: list[str]) -> Measure:
    """Run a program; its peak memory is the largest sum over its whole tree of proportional set sizes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(command)
    peak, done = [0.0], threading.Event()

    def sample() -> None:
        while not done.wait(0.1):
            peak[0] = max(peak[0], sum(map(_megabytes, _tree(process.pid))))

    sampler = threading.Thread(target=sample)
    sampler.start()
    return_code = process.wait()
    wall = time.monotonic() - started
    done.set()
    sampler.join()
    if return_code:
        raise SystemExit(f"{name} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measure(name, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak[0])


def _tree(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    tree = [root]
    for process in tree:
        tree.extend(child for child, parent in parents.items() if parent == process)
    return tree


def _megabytes(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


# ---- the three jobs, each in a process of its own -----------------------------------------------------------


def render_ours(folder: Path, seconds: int) -> None:
    import logging

    from video_manager.plugins.api import RenderInput
    from video_manager.plugins.context import LocalContext
    from video_manager.plugins.generators.story import Story, StoryOptions

    logging.basicConfig(level=logging.WARNING)
    options = StoryOptions.model_validate({
        "text": TEXT, "max_seconds": seconds, "caption_style": "bold", "background": "ridges", "palette": "ocean",
        "music_mood": "bright",
    })  # fmt: skip
    asyncio.run(Story().render(RenderInput(7, ""), options, LocalContext("story", folder, lambda *_: None)))


def encode_only(frames: Path, target: Path, *, as_drawn: bool) -> None:
    from video_manager.media.encoding import COLOUR_PARAMETERS, DRAWN_VIDEO_ARGUMENTS, FILE_ARGUMENTS, VIDEO_ARGUMENTS
    from video_manager.media.ffmpeg import run_ffmpeg

    encoder = DRAWN_VIDEO_ARGUMENTS if as_drawn else VIDEO_ARGUMENTS
    arguments = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "1080x1920", "-r", "30", "-i", str(frames)]
    asyncio.run(run_ffmpeg([*arguments, "-vf", COLOUR_PARAMETERS, *encoder, *FILE_ARGUMENTS, str(target)]))


def render_with_moviepy(folder: Path, seconds: float) -> None:
    import numpy as np
    from moviepy import CompositeVideoClip, ImageClip, TextClip

    from video_manager.media.fonts import Font

    rows, columns = np.mgrid[0:1920, 0:1080]
    picture = np.stack([rows * 255 // 1920, columns * 255 // 1080, (rows + columns) * 255 // 3000], -1).astype(np.uint8)
    background = ImageClip(picture, duration=seconds).resized(lambda at: 1 + 0.12 * at / 30).with_position("center")
    words = [
        TextClip(font=str(Font.ANTON.path), text=word.upper(), font_size=110, color="white", stroke_color="black",
                 stroke_width=8, margin=(20, 40), duration=0.4).with_start(0.4 * index).with_position("center")
        for index, word in enumerate(TEXT.split()[: int(seconds / 0.4)])
    ]  # fmt: skip
    clip = CompositeVideoClip([background, *words], size=(1080, 1920)).with_duration(seconds)
    clip.write_videofile(
        str(folder / "moviepy.mp4"), fps=30, codec="libx264", preset="veryfast", threads=4,
        ffmpeg_params=["-crf", "21"], logger=None,
    )  # fmt: skip


JOBS: dict[str, Callable[[Path, float], None]] = {
    "ours": lambda folder, seconds: render_ours(folder, round(seconds)),
    "floor": lambda folder, _: encode_only(folder / "frames.yuv", folder / "floor.mp4", as_drawn=True),
    "veryfast": lambda folder, _: encode_only(folder / "frames.yuv", folder / "veryfast.mp4", as_drawn=False),
    "moviepy": render_with_moviepy,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--peer-seconds", type=float, default=4.0, help="0 leaves MoviePy out")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        JOBS[arguments.job](
            arguments.folder, arguments.seconds if arguments.job != "moviepy" else arguments.peer_seconds
        )
        return
    with tempfile.TemporaryDirectory(prefix="render-benchmark-") as name:
        compare(Path(name), arguments.seconds, arguments.peer_seconds)


def compare(folder: Path, seconds: int, peer_seconds: float) -> None:
    from video_manager.media.ffmpeg import run_ffmpeg
    from video_manager.media.probing import probe

    def job(name: str, label: str) -> Measure:
        command = [sys.executable, __file__, "--job", name, "--folder", str(folder), "--seconds", str(seconds)]
        return measure(label, [*command, "--peer-seconds", str(peer_seconds)])

    ours = job("ours", "story: voice, captions, music, x264")
    video_seconds = probe(folder / "story.mp4").duration_seconds
    raw = ["-i", str(folder / "story.mp4"), "-an", "-f", "rawvideo", "-pix_fmt", "yuv420p", str(folder / "frames.yuv")]
    asyncio.run(run_ffmpeg(raw))
    floor = job("floor", "floor: the same frames, encoded only")
    print(f"{video_seconds:.1f} s at 1080x1920, 30 fps, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':<44} {'wall s':>8} {'realtime':>9} {'CPU s':>8} {'peak MB':>8}")
    print(ours.row(video_seconds))
    print(floor.row(video_seconds))
    veryfast = job("veryfast", "the same frames, x264 veryfast crf 21")
    print(veryfast.row(video_seconds))
    if peer_seconds:
        peer = job("moviepy", "")
        print(
            peer.scaled(video_seconds / peer_seconds, f"MoviePy 2.2, scaled from {peer_seconds:g} s").row(video_seconds)
        )
    wall, cpu = ours.wall_seconds / floor.wall_seconds, ours.cpu_seconds / floor.cpu_seconds
    print(f"\nours / floor: {wall:.2f} wall, {cpu:.2f} CPU")
    print(f"ours / veryfast: {ours.cpu_seconds / veryfast.cpu_seconds:.2f} CPU")


if __name__ == "__main__":
    main()
