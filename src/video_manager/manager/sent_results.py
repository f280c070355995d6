"""What a worker outside our package sends as the result of a render. Nothing it says is believed: the files are looked
at, their numbers are measured by processing, and all texts and numbers are bounded."""

import re
from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from video_manager.domain.access import Actor
from video_manager.domain.job import JobResult
from video_manager.domain.video import MediaFile, MediaRole, Suggestion
from video_manager.errors import Conflict, InvalidInput, NotFound
from video_manager.manager.requests import Id, RequestBody, Tag, Text, Title
from video_manager.manager.service import SourceFiles
from video_manager.ports import FileStore

MOST_CAPTION_BYTES = 5 * 2**20
_HEAD_BYTES = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SRT = re.compile(rb"\s*\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d\d\d -->")
_ISO_MEDIA = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})


def _printable(text: str) -> str:
    return _CONTROL.sub("", text)


def _on_one_line(text: str) -> str:
    return " ".join(_printable(text).split())


Printable = AfterValidator(_printable)
OneLine = AfterValidator(_on_one_line)
FactName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,59}$")]
FactText = Annotated[str, StringConstraints(max_length=500), OneLine]
FactNumber = Annotated[int, Field(ge=-(2**53), le=2**53)] | float


class SentFile(RequestBody):
    """A finished upload of the same key."""

    id: Id
    role: Literal["source", "captions"]


class Suggested(RequestBody):
    """Texts to start from where no person has written any."""

    title: Annotated[Title, OneLine] | None = None
    description: Annotated[Text, Printable] | None = None
    tags: Annotated[list[Annotated[Tag, OneLine]], Field(max_length=100)] = []


class RenderResult(RequestBody):
    """One `source` (the video), perhaps `captions` (WebVTT or SRT), and facts worth showing."""

    files: Annotated[list[SentFile], Field(min_length=1, max_length=2)]
    facts: Annotated[dict[FactName, FactText | FactNumber], Field(max_length=50)] = {}
    suggested: Suggested | None = None

    @model_validator(mode="after")
    def _one_of_each(self) -> "RenderResult":
        roles = sorted(file.role for file in self.files)
        if roles not in (["source"], ["captions", "source"]):
            raise ValueError("name one file with the role source, and at most one with the role captions")
        return self


class SentResults:
    def __init__(self, sent: SourceFiles, files: FileStore) -> None:
        self._sent = sent
        self._files = files

    async def take_over(self, actor: Actor, job_id: str, result: RenderResult) -> JobResult:
        """The result with the files as they were sent in. From now on they belong to the version: their uploads do not
        expire any more. Raises InvalidInput for a file that this key did not send, that is another job's, or that is no
        video or captions."""
        files = [
            await self._take_file(actor, job_id, file, f"result.files.{n}.id") for n, file in enumerate(result.files)
        ]
        suggested = result.suggested and Suggestion(
            title=result.suggested.title, description=result.suggested.description, tags=tuple(result.suggested.tags)
        )
        return JobResult(files=tuple(files), facts=dict(result.facts), suggested=suggested)

    async def _take_file(self, actor: Actor, job_id: str, file: SentFile, field: str) -> MediaFile:
        try:
            stored = await self._sent.completed_file(file.id, created_by=actor.id, result_of=job_id)
        except (NotFound, Conflict) as error:
            raise InvalidInput.field(field, error.detail) from error
        head = await _joined(self._files.read(file.id, 0, min(_HEAD_BYTES, stored.size_bytes)))
        if file.role == "captions":
            if stored.size_bytes > MOST_CAPTION_BYTES:
                raise InvalidInput.field(field, f"captions of {stored.size_bytes} bytes; at most {MOST_CAPTION_BYTES}")
            suffix, content_type = _captions_type(head, field)
        else:
            suffix, content_type = _video_type(head, field)
        return MediaFile(
            id=stored.id, role=MediaRole(file.role), name=PurePath(stored.name).stem[:100] + suffix,
            content_type=content_type, size_bytes=stored.size_bytes, sha256=stored.sha256,
        )  # fmt: skip


async def _joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def _video_type(head: bytes, field: str) -> tuple[str, str]:
    """By the first bytes. Whether it can be shown is found out by processing, in a process of its own."""
    if head[4:8] in _ISO_MEDIA:
        return (".mov", "video/quicktime") if head[8:12] == b"qt  " else (".mp4", "video/mp4")
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return (".webm", "video/webm") if b"webm" in head[:64] else (".mkv", "video/x-matroska")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return ".avi", "video/x-msvideo"
    if head[:1] == b"\x47" and head[188:189] == b"\x47":
        return ".ts", "video/mp2t"
    raise InvalidInput.field(field, "this is no video that is taken here: send MP4, MOV, WebM, MKV, AVI or MPEG-TS")


def _captions_type(head: bytes, field: str) -> tuple[str, str]:
    text = head.removeprefix(b"\xef\xbb\xbf")
    if text.startswith(b"WEBVTT"):
        return ".vtt", "text/vtt"
    if _SRT.match(text):
        return ".srt", "application/x-subrip"
    raise InvalidInput.field(field, "these are no captions: send WebVTT or SRT")
