"""Files that people send in, in as many pieces and connections as it takes."""

from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from video_manager.domain.access import Actor, Right
from video_manager.domain.video import MediaFile, MediaRole
from video_manager.errors import AlreadyExists, Conflict, InvalidInput, NotFound, StaleRevision, StorageFull, TooLarge
from video_manager.gateway.upload import HANDOVER, UPLOADS, Upload, UploadView, clean_content_type, clean_file_name
from video_manager.gateway.upload_bytes import Checksum, at_most, checked
from video_manager.gateway.upload_errors import UploadBusy, UploadGone
from video_manager.ports import Clock, DocumentStore, FileStore, Op, Query, Where
from video_manager.repository import Loaded, Page, Repository, instant_text
from video_manager.settings import Settings

_BATCH = 500


class UploadsService:
    def __init__(self, store: DocumentStore, files: FileStore, clock: Clock, settings: Settings) -> None:
        self._uploads = Repository(store, UPLOADS, Upload)
        self._files = files
        self._clock = clock
        self._settings = settings
        self._patience = timedelta(hours=settings.upload_expiry_hours)
        self._busy: set[str] = set()

    async def open(self) -> None:
        """Make the collection if it is missing."""
        await self._uploads.register()

    # ---- for the sender -----------------------------------------------------------------------------------

    async def create(
        self, actor: Actor, upload_id: str, length_bytes: int, name: str, content_type: str | None = None
    ) -> UploadView:
        """Announce a file. The same id again answers the upload that is there. Raises TooLarge, StorageFull."""
        _require_sender(actor)
        now = self._clock.now()
        name = clean_file_name(name)
        upload = Upload(
            id=upload_id, name=name, content_type=clean_content_type(content_type, name), length_bytes=length_bytes,
            created_by=actor.id, created_at=now, expires_at=now + self._patience,
        )  # fmt: skip
        if (there := await self._uploads.get(upload_id)) is None:
            await self._check_room(upload)
            await self._uploads.add_if_absent(upload)
        elif (there.value.created_by, there.value.length_bytes) != (actor.id, length_bytes):
            raise AlreadyExists(f"upload {upload_id!r} was announced with another length; use another Idempotency-Key")
        return await self.get(actor, upload_id)

    async def get(self, actor: Actor, upload_id: str) -> UploadView:
        """Raises NotFound, also for uploads of others, and UploadGone."""
        upload = await self._owned(actor, upload_id)
        offset = await self._offset(upload)
        if offset == upload.length_bytes and upload.completed_at is None and upload_id not in self._busy:
            with self._alone(upload):
                upload = await self._finish(upload)
        return UploadView(upload, offset)

    async def page(self, actor: Actor, cursor: str | None = None, limit: int = 50) -> Page[UploadView]:
        """The actor's own uploads, the newest first."""
        _require_sender(actor)
        found = await self._uploads.page(
            [Where("created_by", Op.EQ, actor.id)], order_by="created_at", descending=True, limit=limit, cursor=cursor
        )
        views = [UploadView(row.value, await self._offset(row.value)) for row in found.items]
        return Page(tuple(views), found.next)

    async def append(
        self, actor: Actor, upload_id: str, offset_bytes: int, chunks: AsyncIterator[bytes],
        checksum: Checksum | None = None,
    ) -> UploadView:  # fmt: skip
        """Add bytes at exactly `offset_bytes`; after the last one the file is there. What came before an error stays
        (not so with a checksum). Raises NotFound, UploadGone, UploadBusy, Conflict, TooLarge, StorageFull,
        ChecksumMismatch."""
        upload = await self._owned(actor, upload_id)
        with self._alone(upload):
            stored = await self._offset(upload)
            if offset_bytes != stored:
                raise Conflict(f"upload {upload.name!r} has {stored} bytes, not {offset_bytes}: continue from there")
            if upload.completed_at is None and stored < upload.length_bytes:
                await self._keep_from_sweepers(upload)
                body = at_most(chunks, upload.length_bytes - stored, upload.name)
                body = body if checksum is None else checked(body, checksum)
                stored = await self._files.append(upload.id, offset_bytes, body)
            if stored == upload.length_bytes:
                upload = await self._finish(upload)
            else:
                until = self._clock.now() + self._patience
                upload = (await self._uploads.change(upload.id, lambda one: one.with_(expires_at=until))).value
        return UploadView(upload, stored)

    async def remove(self, actor: Actor, upload_id: str) -> None:
        """Give an upload up. Raises Conflict once a video was requested with it: delete the video then."""
        upload = await self._owned(actor, upload_id)
        with self._alone(upload):
            await self._discard(await self._uploads.load(upload_id))

    # ---- for the services that use the files -----------------------------------------------------------------

    async def completed_file(
        self, upload_id: str, *, created_by: str | None = None, result_of: str | None = None
    ) -> MediaFile:
        """The finished file, from now on in the care of the caller, who has HANDOVER to store a document that names
        it. With `result_of` it is that job's alone. Raises NotFound, also for an upload of another actor than
        `created_by`, and Conflict while it is unfinished, or when it is another job's result."""
        upload = (await self._uploads.load(upload_id)).value
        if created_by not in (None, upload.created_by):
            raise NotFound(f"there is no upload {upload_id!r} of yours: send the file first")
        offset = await self._offset(upload)
        if upload.completed_at is None:
            if offset < upload.length_bytes or upload_id in self._busy:
                raise Conflict(
                    f"the upload of {upload.name!r} is not finished ({offset} of {upload.length_bytes} bytes): "
                    "wait for it, or send the rest"
                )
            with self._alone(upload):
                await self._finish(upload)
        now = self._clock.now()

        def use(one: Upload) -> Upload:
            if result_of is not None and one.used_at is not None and one.result_of != result_of:
                raise Conflict(f"the upload of {one.name!r} is in use already: send the file of each job for itself")
            return one.with_(used_at=now, result_of=result_of or one.result_of)

        upload = (await self._uploads.change(upload_id, use)).value
        # Only now: had the file been swept before, it would be missed here; afterwards nobody sweeps it.
        if await self._files.stat(upload_id) is None:
            raise NotFound(f"the file {upload.name!r} was removed when nothing needed it any more: send it again")
        return MediaFile(
            id=upload.id, role=MediaRole.SOURCE, name=upload.name, content_type=upload.content_type,
            size_bytes=upload.length_bytes, sha256=upload.sha256 or "",
        )  # fmt: skip

    async def references(self, file_ids: Collection[str]) -> list[str]:
        """Those of the files that are finished and wait for a video, or are being handed over: no sweeper may remove
        them."""
        now = self._clock.now()
        found = [row.value for row in await self._uploads.load_many(list(file_ids))]
        waiting = [one for one in found if one.completed_at is not None and one.expires_at > now]
        return [one.id for one in waiting if one.used_at is None or one.used_at + HANDOVER > now]

    async def forget(self, upload_id: str) -> None:
        """The service that used the file needs it no more: remove it with its record."""
        await self._files.delete(upload_id)
        await self._uploads.remove(upload_id)

    async def sweep(self) -> int:
        """Remove what has expired and nobody uses; how many uploads."""
        now = self._clock.now()
        expired = await self._uploads.find(
            Query((Where("expires_at", Op.LE, instant_text(now)),), order_by="expires_at", limit=_BATCH)
        )
        removed = 0
        for row in expired:
            if row.value.id in self._busy:
                continue
            with self._alone(row.value):
                removed += await self._sweep_one(row, now)
        return removed

    # ---- inside ------------------------------------------------------------------------------------------------

    async def _sweep_one(self, row: Loaded[Upload], now: datetime) -> bool:
        upload = row.value
        if upload.used_at is not None and await self._files.stat(upload.id) is not None:
            # Somebody else's now; look again much later whether it is gone.
            await self._uploads.change(upload.id, lambda one: one.with_(expires_at=now + self._patience))
            return False
        try:
            await self._discard(row, force=upload.used_at is not None)
        except (StaleRevision, NotFound):
            return False  # used or continued in this very moment
        return True

    async def _discard(self, row: Loaded[Upload], force: bool = False) -> None:
        """Compare-and-set first: a service that was given the file meanwhile keeps it. What a crash leaves after that
        is removed by the sweeper of files."""
        if row.value.used_at is not None and not force:
            raise Conflict(f"a video uses {row.value.name!r}; delete the video, then the file goes too")
        if row.value.completed_at is None:
            await self._files.discard(row.value.id)
        if await self._uploads.remove(row.value.id, row.revision):
            await self._files.delete(row.value.id)

    async def _owned(self, actor: Actor, upload_id: str) -> Upload:
        _require_sender(actor)
        found = await self._uploads.get(upload_id)
        if found is None or not (found.value.created_by == actor.id or actor.may(Right.ADMINISTER)):
            raise NotFound(f"there is no upload {upload_id!r} of yours: announce the file again")
        upload = found.value
        if upload.completed_at is None and upload.expires_at <= self._clock.now():
            raise UploadGone(f"the upload of {upload.name!r} has expired: announce the file again")
        return upload

    async def _offset(self, upload: Upload) -> int:
        """Where the next byte goes. The finished file is looked for first: it exists, and its pieces do not, when a
        crash came before it was noted here."""
        if upload.completed_at is not None or await self._files.stat(upload.id) is not None:
            return upload.length_bytes
        return await self._files.length(upload.id)

    async def _keep_from_sweepers(self, upload: Upload) -> None:
        """Another gateway must not clear away, as expired, what is just arriving here."""
        now = self._clock.now()
        if upload.expires_at - now < self._patience / 2:
            await self._uploads.change(upload.id, lambda one: one.with_(expires_at=now + self._patience))

    async def _finish(self, upload: Upload) -> Upload:
        """Without effect the second time."""
        if upload.completed_at is not None:
            return upload
        stored = await self._files.complete(upload.id, upload.id)
        now = self._clock.now()
        changed = await self._uploads.change(
            upload.id,
            lambda one: one.with_(
                completed_at=one.completed_at or now, sha256=stored.sha256, expires_at=now + self._patience
            ),
        )
        return changed.value

    async def _check_room(self, upload: Upload) -> None:
        largest = self._settings.max_upload_bytes
        if upload.length_bytes > largest:
            raise TooLarge(f"{upload.name!r} has {upload.length_bytes} bytes; the most that may be sent is {largest}")
        if upload.length_bytes == 0:
            raise InvalidInput.field("Upload-Length", f"{upload.name!r} is empty; there is nothing to make a video of")
        free = await self._files.free_bytes(upload.length_bytes + self._settings.min_free_bytes)
        if free is not None and free - upload.length_bytes < self._settings.min_free_bytes:
            raise StorageFull(
                f"there is no room for {upload.name!r} ({upload.length_bytes / 1e6:.1f} MB): {free / 1e6:.1f} MB are "
                f"free, of which {self._settings.min_free_bytes / 1e6:.1f} MB are kept free; delete videos first"
            )

    @contextmanager
    def _alone(self, upload: Upload) -> Iterator[None]:
        """One connection at a time. Between several processes the file store's offset check decides."""
        if upload.id in self._busy:
            raise UploadBusy(f"another connection is sending {upload.name!r}; wait until it ends")
        self._busy.add(upload.id)
        try:
            yield
        finally:
            self._busy.discard(upload.id)


def _require_sender(actor: Actor) -> None:
    """People who request videos, and workers that bring their results."""
    if not actor.may(Right.WORK):
        actor.require(Right.REQUEST)
