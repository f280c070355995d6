"""`upload`: a video that a person sends, checked and brought into the form every video has."""

from pydantic import Field

from video_manager.errors import PermanentError
from video_manager.plugins.api import (
    Context,
    Generator,
    Options,
    RenderInput,
    RenderResult,
    SuggestedMetadata,
    source_file,
)


class UploadOptions(Options):
    source: str = source_file("The video file to use.", accept="video/*", min_length=1, title="Video file")
    description: str = Field(
        default="", max_length=5000, title="Description", description="Suggested text for the platforms."
    )


class Upload(Generator[UploadOptions]):
    """A file that is right already is copied without loss; anything else is encoded once."""

    name = "upload"
    title = "Own video"
    description = "Takes a finished video that you send and makes it ready for review."
    Options = UploadOptions

    async def render(self, input: RenderInput, options: UploadOptions, context: Context) -> RenderResult:
        from video_manager.media.delivery import deliver  # noqa: PLC0415 - loads with a render only

        path = input.sources.get(options.source)
        if path is None:
            raise PermanentError(f"The uploaded file {options.source} is gone. Send it again.")
        delivery = await deliver(
            path, "The video file", context.work_folder / "upload.mp4", context.media, "Checking and converting"
        )
        facts = delivery.facts
        return RenderResult(
            video=delivery.video,
            metadata=SuggestedMetadata(input.title.strip() or None, options.description.strip() or None),
            facts={
                "duration_seconds": round(facts.duration_seconds, 3),
                "width": facts.width,
                "height": facts.height,
                "frame_rate": str(facts.frame_rate),
                "encoded_again": "no" if delivery.was_copied else "yes",
            },
        )
