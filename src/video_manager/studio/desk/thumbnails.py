"""The picture that stands for the video: a candidate, the frame being shown, or one of one's own."""

from collections.abc import Callable

from nicegui import ui

from video_manager.domain.access import Actor, Right
from video_manager.domain.video import MediaRole
from video_manager.manager.requests import MetadataEdit, VideoEdit
from video_manager.manager.views import VideoView
from video_manager.studio.desk.state import Desk
from video_manager.studio.dialogs import Dialog
from video_manager.studio.elements import box, button, text
from video_manager.studio.session import tell
from video_manager.studio.upload import SentFile, SourceUpload
from video_manager.studio.video_parts import file_of
from video_manager.web import random_ids

MAX_BYTES = 10 * 2**20


class ThumbnailPanel:
    """`capture` makes the player send its frame; the page hands the upload's id to `add`."""

    def __init__(self, desk: Desk, capture: Callable[[], None]) -> None:
        self._desk = desk
        with box("vm-field"):
            text("Thumbnail", "vm-label")
            self._strip = box("vm-thumbs").props('role="radiogroup" aria-label="Thumbnail"')
            if desk.visit.may(Right.REVIEW) and desk.decidable():
                with box("vm-row vm-wrap vm-tight"):
                    button("Use the current frame", capture, "second", "photo_camera", small=True)
                    button("Send a picture", self._open_upload, "second", "upload", small=True)
        self.show()

    def show(self) -> None:
        version = self._desk.version
        chosen = file_of(version, MediaRole.THUMBNAIL)
        self._strip.clear()
        with self._strip:
            candidates = [file for file in version.files if file.role is MediaRole.THUMBNAIL]
            for index, file in enumerate(candidates):
                on = chosen is not None and file.id == chosen.id
                pick = box("vm-thumb vm-chosen" if on else "vm-thumb", "button")
                pick.props(f'type="button" role="radio" aria-checked={"true" if on else "false"}')
                pick.props["aria-label"] = f"Candidate {index + 1}"
                pick.on("click", lambda _event, file_id=file.id: self._choose(file_id))
                with pick:
                    ui.element("img").props(f'src="{file.url}" alt=""')
            if not candidates:
                text("There are no candidates; take a frame from the player.", "vm-hint")

    async def _choose(self, file_id: str) -> None:
        desk = self._desk
        edit = VideoEdit(metadata=MetadataEdit(thumbnail=file_id), version=desk.number)
        await desk.visit.attempt(
            lambda actor: desk.visit.parts.reviews.edit(actor, desk.video.id, edit), then=self._changed
        )

    async def add(self, upload_id: str) -> bool:
        """Make a sent picture a candidate and choose it."""
        desk = self._desk

        async def use(actor: Actor) -> VideoView:
            return await desk.visit.parts.reviews.add_thumbnail(
                actor, desk.video.id, desk.number, upload_id, random_ids
            )

        return await desk.visit.attempt(use, done="This is the thumbnail now.", then=self._changed)

    async def captured(self, upload_id: str, error: str) -> None:
        """The player sent its frame, or could not."""
        if error:
            tell(f"The frame could not be taken: {error}.", kind="negative")
        elif upload_id:
            await self.add(upload_id)

    async def _changed(self, video: VideoView) -> None:
        self._desk.use(video)
        await self._desk.reload()

    def _open_upload(self) -> None:
        dialog = Dialog("Send a picture")

        async def sent(files: list[SentFile]) -> None:
            if files and await self.add(files[0].id):
                dialog.close()

        with dialog.body():
            SourceUpload(sent, accept="image/jpeg,image/png", max_bytes=MAX_BYTES, hint="JPEG or PNG, at most 10 MB")
        with dialog.foot():
            pass
        dialog.open()
