"""`slideshow`: pictures become a video with a slow zoom, captions and music."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field, model_validator

from video_manager.errors import PermanentError
from video_manager.media.fit import Fit
from video_manager.media.frame_size import Aspect, FrameSize
from video_manager.media.moods import Mood
from video_manager.media.palettes import PALETTES, PaletteName
from video_manager.media.transitions import Transition
from video_manager.plugins.api import (
    Context,
    Generator,
    Options,
    RenderInput,
    RenderResult,
    SuggestedMetadata,
    drawn,
    source_file,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from video_manager.media.overlay import Overlay
    from video_manager.media.slides import SlidePlan
    from video_manager.media.soundtrack import Soundtrack

_RATE = 30
_TRANSITION_SECONDS = 0.7

_MAX_SECONDS = 600

PictureId = Annotated[str, source_file("An uploaded picture.", accept="image/*", min_length=1)]
Caption = Annotated[str, Field(max_length=140)]


class SlideshowOptions(Options):
    pictures: list[PictureId] = Field(
        min_length=1, max_length=60, title="Pictures", description="In the order in which they are shown."
    )
    captions: list[Caption] = Field(
        default=[], max_length=60, title="Captions",
        description="One for each picture, in the same order; an empty one shows nothing.",
    )  # fmt: skip
    title_card: str = Field(
        default="", max_length=120, title="Title card", description="Shown large at the start; empty for none."
    )
    seconds_per_picture: float = Field(
        default=4.0, ge=1.5, le=20.0, title="Seconds per picture", description="How long each picture stays."
    )
    aspect: Aspect = Field(default=Aspect.PORTRAIT, title="Format", description="Width to height of the picture.")
    fit: Fit = Field(
        default=Fit.AUTO, title="Filling the frame",
        description="crop fills the frame; blur shows the whole picture on a blurred copy; "
        "auto crops when little is lost.",
    )  # fmt: skip
    transition: Transition | None = drawn(
        [transition.value for transition in Transition], "How one picture gives way to the next.", title="Transition"
    )
    zoom: float = Field(
        default=0.12,
        ge=0.0,
        le=0.4,
        title="Zoom",
        description="How much a picture grows while it is shown: 0.1 is 10 %.",
    )
    palette: PaletteName | None = drawn(
        [name.value for name in PaletteName], "The accent colour of titles.", title="Colours"
    )
    music_mood: Mood | None = drawn([mood.value for mood in Mood], "The character of the music.", title="Music")
    with_music: bool = Field(default=True, title="With music", description="Off: the video has no sound.")

    @model_validator(mode="after")
    def _fits_together(self) -> "SlideshowOptions":
        if len(self.captions) > len(self.pictures):
            raise ValueError(f"there are {len(self.captions)} captions for {len(self.pictures)} pictures")
        if len(self.pictures) * self.seconds_per_picture > _MAX_SECONDS:
            raise ValueError(
                f"{len(self.pictures)} pictures of {self.seconds_per_picture:g} s are longer than {_MAX_SECONDS // 60} "
                "minutes; take fewer pictures or show each one shorter"
            )
        return self


class Slideshow(Generator[SlideshowOptions]):
    """All pictures are read before the first frame, so that a bad one is named at once."""

    name = "slideshow"
    title = "Slide show"
    description = "Turns pictures into a video with a smooth zoom, captions and music."
    Options = SlideshowOptions

    short_side: ClassVar[int] = 1080
    """Pixels of the shorter side of the picture."""

    async def render(self, input: RenderInput, options: SlideshowOptions, context: Context) -> RenderResult:
        plan = self._plan(input.seed, options)
        prepared = self._prepare(plan, input, options, context)
        seconds = plan.frame_count / _RATE
        soundtrack = await self._music(seconds, input.seed, options, context) if options.with_music else None
        overlay = self._overlay(plan, options)
        await self._encode(plan, prepared, overlay, soundtrack, context)
        context.progress(1.0, "Done")
        title = input.title.strip() or options.title_card.strip() or None
        captions = [caption.strip() for caption in options.captions if caption.strip()]
        return RenderResult(
            video=context.work_folder / "slideshow.mp4",
            metadata=SuggestedMetadata(title, " ".join(captions)[:300] or None, ("slideshow",)),
            facts={"duration_seconds": round(seconds, 3), "pictures": len(options.pictures)},
        )

    def _plan(self, seed: int, options: SlideshowOptions) -> "SlidePlan":
        from video_manager.media.slides import SlidePlan  # noqa: PLC0415 - heavy modules load with a render only

        transition = options.transition or Transition.FADE
        overlap = 0 if transition is Transition.CUT else round(_TRANSITION_SECONDS * _RATE)
        return SlidePlan(
            count=len(options.pictures) + bool(options.title_card.strip()),
            size=FrameSize.of(options.aspect, self.short_side),
            frames_per_slide=round(options.seconds_per_picture * _RATE),
            overlap=min(overlap, round(options.seconds_per_picture * _RATE) // 3),
            zoom=options.zoom,
            transition=transition,
            seed=seed,
        )

    def _prepare(
        self, plan: "SlidePlan", input: RenderInput, options: SlideshowOptions, context: Context
    ) -> list[Path]:
        """Every picture brought to its size, as files, so that memory does not grow with their number."""
        from video_manager.media import pictures  # noqa: PLC0415 - heavy modules load with a render only

        prepared: list[Path] = []
        for number, picture_id in enumerate(options.pictures, start=1):
            context.progress(0.2 * (number - 1) / len(options.pictures), f"Reading picture {number}")
            path = input.sources.get(picture_id)
            if path is None:
                raise PermanentError(f"Picture {number} is gone: there is no uploaded file {picture_id}.")
            image = pictures.read_picture(path, f"Picture {number}")
            if not prepared and options.title_card.strip():
                backdrop = pictures.blurred_backdrop(image, plan.picture_size, 0.45)
                prepared.append(pictures.save_picture(backdrop, context.work_folder / "slide-0.bmp"))
            fitted = pictures.fit_picture(image, plan.picture_size, options.fit)
            prepared.append(pictures.save_picture(fitted, context.work_folder / f"slide-{number}.bmp"))
        return prepared

    async def _music(self, seconds: float, seed: int, options: SlideshowOptions, context: Context) -> "Soundtrack":
        from video_manager.media.instruments import SAMPLE_RATE  # noqa: PLC0415 - heavy modules load with a render only
        from video_manager.media.music import compose  # noqa: PLC0415
        from video_manager.media.sound_files import write_wav  # noqa: PLC0415
        from video_manager.media.soundtrack import mix_soundtrack  # noqa: PLC0415

        samples = compose(
            options.music_mood or Mood.CALM, seconds, seed,
            lambda fraction: context.progress(0.2 + 0.08 * fraction, "Making music"),
        )  # fmt: skip
        music = write_wav(context.work_folder / "music.wav", samples, SAMPLE_RATE)
        return await mix_soundtrack(
            None, music, context.work_folder / "mix.wav", seconds,
            lambda fraction: context.progress(0.28 + 0.019 * fraction, "Mixing"),
        )  # fmt: skip

    def _overlay(self, plan: "SlidePlan", options: SlideshowOptions) -> "Overlay":
        from video_manager.media.overlay import Headline, Overlay  # noqa: PLC0415

        accent = PALETTES[options.palette or PaletteName.SLATE].accent
        overlay = Overlay(plan.size, accent)
        has_title = bool(options.title_card.strip())
        if has_title:
            overlay.add_headline(
                Headline(options.title_card, 0.15, plan.frames_per_slide / _RATE - 0.35, centre=0.46, scale=0.78)
            )
        overlap = plan.overlap / _RATE
        for index, caption in enumerate(options.captions):
            start = plan.start_frame(index + has_title) / _RATE
            end = start + plan.frames_per_slide / _RATE
            overlay.add_headline(
                Headline(caption, start + overlap * 0.6, end - overlap * 0.6, centre=0.79, scale=0.5, underline=False)
            )
        return overlay

    async def _encode(
        self,
        plan: "SlidePlan",
        prepared: list[Path],
        overlay: "Overlay",
        soundtrack: "Soundtrack | None",
        context: Context,
    ) -> None:
        from video_manager.media import encoding, fonts, loudness, pictures, slides  # noqa: PLC0415
        from video_manager.media.ass_file import ass_filter  # noqa: PLC0415

        folder = context.work_folder
        picture = encoding.COLOUR_PARAMETERS
        if overlay.fonts:
            fonts_folder = fonts.prepare_fonts_folder(folder / "fonts", overlay.fonts)
            picture += f",{ass_filter(overlay.write(folder / 'overlay.ass'), fonts_folder)}"
        sound: list[str] = []
        if soundtrack is not None:
            filters = f"{loudness.normalize_filter(soundtrack.loudness)},apad"
            sound = ["-map", "1:a", "-af", filters, *encoding.AUDIO_ARGUMENTS]

        def load(index: int) -> "NDArray[np.uint8]":
            return pictures.load_saved_picture(prepared[index])

        log = await encoding.encode_frames(
            slides.draw_slides(plan, load),
            encoding.RawFrames(plan.size, "yuv420p", plan.frame_count),
            [
                *(["-i", str(soundtrack.path)] if soundtrack is not None else []),
                "-map", "0:v", "-vf", picture, *encoding.VIDEO_ARGUMENTS, *sound,
                "-t", f"{plan.frame_count / _RATE:.6f}", *encoding.FILE_ARGUMENTS, str(folder / "slideshow.mp4"),
            ],
            lambda fraction: context.progress(0.3 + 0.69 * fraction, "Rendering"),
        )  # fmt: skip
        fonts.require_fonts_were_used(log, overlay.fonts)
