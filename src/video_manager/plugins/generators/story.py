"""`story`: a text becomes a narrated vertical video with word captions, a moving background and music."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from video_manager.media.background_styles import BackgroundName
from video_manager.media.caption_styles import CAPTION_STYLES, CaptionPosition, CaptionStyleName
from video_manager.media.frame_size import Aspect, FrameSize
from video_manager.media.moods import Mood
from video_manager.media.palettes import PALETTES, PaletteName
from video_manager.media.speakable_text import MIN_READABLE_SHARE, Script, read_script, readable_share
from video_manager.plugins.api import Context, Generator, Options, RenderInput, RenderResult, SuggestedMetadata, drawn

if TYPE_CHECKING:
    from video_manager.media.narration import Narration
    from video_manager.media.overlay import Overlay
    from video_manager.media.soundtrack import Soundtrack
    from video_manager.media.word_captions import WordCaptions

_MAX_READING_SECONDS = 600
_TAIL_SECONDS = 1.1
"""After the last word, for the music to fade."""
_HEADLINE_SECONDS = 4.0


class StoryOptions(Options):
    text: str = Field(
        min_length=1, max_length=20_000, title="Text",
        description="What is read aloud, in English. Plain text or Markdown: code and pictures are left out, lists and "
        "tables are read as sentences, the first heading is the title.",
        json_schema_extra={"x-widget": "textarea"},
    )  # fmt: skip
    max_seconds: int = Field(
        default=60, ge=10, le=600, title="Longest duration",
        description="In seconds. A longer text is cut at the end of a sentence.",
    )  # fmt: skip
    aspect: Aspect = Field(default=Aspect.PORTRAIT, title="Format", description="Width to height of the picture.")
    voice_speed: float = Field(
        default=1.0, ge=0.7, le=1.4, title="Voice speed", description="1 is a calm news reader; 1.2 is brisk."
    )
    language: Literal["en"] = Field(default="en", title="Language", description="The offline voice reads English.")
    caption_style: CaptionStyleName | None = drawn(
        [style.value for style in CaptionStyleName], "How the captions look.", title="Caption style"
    )
    caption_position: CaptionPosition = Field(
        default=CaptionPosition.CENTER, title="Caption position", description="Where the captions stand."
    )
    background: BackgroundName | None = drawn(
        [name.value for name in BackgroundName], "The moving picture behind the captions.", title="Background"
    )
    palette: PaletteName | None = drawn(
        [name.value for name in PaletteName], "Colours of background and captions.", title="Colours"
    )
    music_mood: Mood | None = drawn([mood.value for mood in Mood], "The character of the music.", title="Music")
    music_level: float = Field(
        default=0.5, ge=0.0, le=1.0, title="Music level",
        description="0 is no music, 1 as loud as the voice between sentences; it steps back while the voice speaks.",
    )  # fmt: skip
    show_title: bool = Field(
        default=True, title="Show the title", description="Shows the title above the captions in the first seconds."
    )
    show_progress: bool = Field(
        default=True, title="Show progress", description="A thin bar along the lower edge that grows with the video."
    )

    @field_validator("text")
    @classmethod
    def _can_be_read(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("the text is empty; write what should be read aloud")
        if readable_share(text) < MIN_READABLE_SHARE:
            raise ValueError("most of the text is not in Latin letters; the offline voice reads English only")
        script = read_script(text)
        if not script.paragraphs:
            raise ValueError("nothing in the text can be read aloud: only code, pictures, addresses or symbols")
        if script.estimated_seconds > _MAX_READING_SECONDS:
            raise ValueError(
                f"reading this takes about {script.estimated_seconds / 60:.0f} minutes "
                f"({script.word_count} words); at most {_MAX_READING_SECONDS // 60} minutes are possible, so shorten it"
            )
        return text


class Story(Generator[StoryOptions]):
    """Speech and word times are made first; the length of everything else follows from them."""

    name = "story"
    title = "Story"
    description = "Turns a text into a narrated video with word captions, a moving background and music."
    Options = StoryOptions

    short_side: ClassVar[int] = 1080
    """Pixels of the shorter side of the picture."""

    async def render(self, input: RenderInput, options: StoryOptions, context: Context) -> RenderResult:
        script = read_script(options.text)
        narration = self._narrate(script, input.seed, options, context)
        frames = math.ceil((narration.words[-1].end_seconds + _TAIL_SECONDS) * 30)
        soundtrack = await self._mix(narration, frames / 30, input.seed, options, context)
        headline = input.title.strip() or (script.title if script.has_heading else "")
        captions = self._captions(narration, frames / 30, options)
        burned = self._overlay(frames / 30, headline, options)
        await self._encode(frames, captions, burned, soundtrack, input.seed, options, context)

        from video_manager.media.webvtt import write_webvtt  # noqa: PLC0415 - heavy modules load with a render only

        cues = write_webvtt(narration.words, context.work_folder / "story.vtt")
        context.progress(1.0, "Done")
        return RenderResult(
            video=context.work_folder / "story.mp4",
            captions=cues,
            metadata=_suggest(script, input.title),
            facts=_facts(narration, frames / 30, len(captions.groups)),
        )

    def _narrate(self, script: Script, seed: int, options: StoryOptions, context: Context) -> "Narration":
        from video_manager.media.narration import narrate  # noqa: PLC0415 - heavy modules load with a render only

        context.progress(0.01, "Loading the voice")
        return narrate(
            script.paragraphs,
            speed=options.voice_speed,
            seed=seed,
            max_seconds=options.max_seconds - _TAIL_SECONDS,
            on_progress=_part(context, 0.02, 0.12, "Speaking"),
        )

    async def _mix(
        self, narration: "Narration", seconds: float, seed: int, options: StoryOptions, context: Context
    ) -> "Soundtrack":
        from video_manager.media import instruments, speech  # noqa: PLC0415 - heavy modules load with a render only
        from video_manager.media.music import compose  # noqa: PLC0415
        from video_manager.media.sound_files import write_wav  # noqa: PLC0415
        from video_manager.media.soundtrack import mix_soundtrack  # noqa: PLC0415

        folder = context.work_folder
        voice = write_wav(folder / "voice.wav", narration.samples, speech.SAMPLE_RATE)
        music = None
        if options.music_level > 0:
            mood = options.music_mood or Mood.CALM
            samples = compose(mood, seconds, seed, _part(context, 0.12, 0.22, "Making music"))
            music = write_wav(folder / "music.wav", samples, instruments.SAMPLE_RATE)
        context.progress(0.22, "Mixing")
        gain_db = 20 * math.log10(options.music_level) - 4 if options.music_level else 0.0
        mixing = _part(context, 0.22, 0.25, "Mixing")
        return await mix_soundtrack(voice, music, folder / "mix.wav", seconds, mixing, music_gain_db=gain_db)

    def _captions(self, narration: "Narration", seconds: float, options: StoryOptions) -> "WordCaptions":
        from video_manager.media.caption_layout import CaptionLayout  # noqa: PLC0415
        from video_manager.media.word_captions import WordCaptions  # noqa: PLC0415

        size = FrameSize.of(options.aspect, self.short_side)
        style = CAPTION_STYLES[options.caption_style or CaptionStyleName.BOLD]
        groups = CaptionLayout(style, size).groups(narration.words, seconds)
        accent = PALETTES[options.palette or PaletteName.OCEAN].accent
        return WordCaptions(groups, style, options.caption_position, size, accent)

    def _overlay(self, seconds: float, headline: str, options: StoryOptions) -> "Overlay":
        from video_manager.media.overlay import Headline, Overlay  # noqa: PLC0415

        accent = PALETTES[options.palette or PaletteName.OCEAN].accent
        overlay = Overlay(FrameSize.of(options.aspect, self.short_side), accent)
        if options.show_title and headline and options.aspect is not Aspect.LANDSCAPE:
            centre = 0.72 if options.caption_position is CaptionPosition.UPPER else 0.19
            # There from the very first frame, which players show before the video starts.
            overlay.add_headline(Headline(headline, 0.0, min(_HEADLINE_SECONDS, seconds), centre, fade_in_seconds=0.0))
        if options.show_progress:
            overlay.add_progress_bar(seconds)
        return overlay

    async def _encode(
        self,
        frames: int,
        captions: "WordCaptions",
        burned: "Overlay",
        soundtrack: "Soundtrack",
        seed: int,
        options: StoryOptions,
        context: Context,
    ) -> None:
        from video_manager.media import encoding, fonts  # noqa: PLC0415 - heavy modules load with a render only
        from video_manager.media.ass_file import ass_filter  # noqa: PLC0415
        from video_manager.media.backgrounds import PIXEL_FORMAT, make_background  # noqa: PLC0415
        from video_manager.media.loudness import normalize_filter  # noqa: PLC0415

        size, folder, used_fonts = captions.size, context.work_folder, captions.fonts | burned.fonts
        palette = PALETTES[options.palette or PaletteName.OCEAN]
        background = make_background(options.background or BackgroundName.AURORA, size, palette, seed)
        fonts_folder = fonts.prepare_fonts_folder(folder / "fonts", used_fonts)
        burn = f",{ass_filter(burned.write(folder / 'overlay.ass'), fonts_folder)}" if burned.fonts else ""
        graph = (
            f"[0:v]{encoding.COLOUR_PARAMETERS},scale={size.width}:{size.height}:flags=bicubic,format=yuv420p{burn}[p];"
            f"{captions.filters(folder, fonts_folder, 'p', 'v')};"
            f"[1:a]{normalize_filter(soundtrack.loudness)},apad[a]"
        )
        log = await encoding.encode_frames(
            background.frames(frames),
            encoding.RawFrames(FrameSize(background.width, background.height), PIXEL_FORMAT, frames),
            [
                "-i", str(soundtrack.path), "-filter_complex", graph, "-map", "[v]", "-map", "[a]",
                *encoding.DRAWN_VIDEO_ARGUMENTS, *encoding.AUDIO_ARGUMENTS,
                "-t", f"{frames / 30:.6f}", *encoding.FILE_ARGUMENTS, str(folder / "story.mp4"),
            ],
            _part(context, 0.25, 0.99, "Rendering"),
        )  # fmt: skip
        fonts.require_fonts_were_used(log, used_fonts)


def _part(context: Context, start: float, end: float, stage: str) -> Callable[[float], None]:
    """Progress 0..1 of one stage as its share of the whole."""
    return lambda fraction: context.progress(start + (end - start) * fraction, stage)


def _suggest(script: Script, title: str) -> SuggestedMetadata:
    from video_manager.media.keywords import suggest_description, suggest_tags  # noqa: PLC0415

    return SuggestedMetadata(title.strip() or script.title, suggest_description(script), suggest_tags(script))


def _facts(narration: "Narration", seconds: float, groups: int) -> dict[str, str | int | float]:
    facts: dict[str, str | int | float] = {
        "duration_seconds": round(seconds, 3),
        "words": len(narration.words),
        "words_per_minute": round(len(narration.words) / narration.duration_seconds * 60),
        "captions": groups,
        "sentences_read": narration.sentences_read,
        "sentences_in_text": narration.sentences_in_script,
    }
    if narration.sentences_read < narration.sentences_in_script:
        facts["cut"] = (
            f"The text was cut after {narration.sentences_read} of {narration.sentences_in_script} sentences to stay "
            "within the longest duration."
        )
    return facts
