"""What a plugin author sees: the five plugin kinds, what they get and what they return.

A plugin is one file: a class with a `name`, a pydantic `Options` model (its JSON Schema draws the form) and one
async method (a publisher has the few its platform's protocol needs). Times are seconds, sizes bytes, and paths
are local files inside `context.work_folder` unless said otherwise. A plugin reports failure by raising
`RetryableError`, `ActionRequiredError` or `PermanentError` from `video_manager.errors`.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from video_manager.domain.metrics import MetricSnapshot
from video_manager.domain.video import Finding


class Options(BaseModel):
    """Base of every plugin's options: unknown fields are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


OptionsT = TypeVar("OptionsT", bound=Options)

SOURCE_FILE_FORMAT = "source-file"
"""JSON Schema `format` of a string option that holds the id of an uploaded source file."""


def source_file(description: str, accept: str, **field_options: Any) -> Any:
    """A field that holds the id of an uploaded file; `accept` is a MIME pattern such as `image/*`."""
    extra: JsonDict = {"format": SOURCE_FILE_FORMAT, "x-accept": accept}
    return Field(description=description, json_schema_extra=extra, **field_options)


def drawn(choices: Sequence[Any], description: str, **field_options: Any) -> Any:
    """An optional field that is drawn from `choices` by the seed when the person leaves it open.

    The drawn value is stored in the RenderSpec, so that the same spec renders the same video again and the
    analytics can compare the choices. Declare the field as `T | None`.
    """
    return Field(default=None, description=description, json_schema_extra={"x-draw": list(choices)}, **field_options)


class MediaTool(Protocol):
    """Runs ffmpeg for a plugin: with progress, cancellation, a nice level, and its words in the error."""

    async def ffmpeg(
        self, arguments: Sequence[str], *, total_seconds: float | None = None, stage: str | None = None
    ) -> str:
        """Run ffmpeg with these arguments (without the program's name) and return its log (stderr).

        `total_seconds` is the length of the output; given together with `stage`, progress is reported.
        Raises PermanentError with ffmpeg's last lines when it fails, StorageFull when the disk is full.
        """
        ...


class Context(Protocol):
    """What the system hands to every plugin call."""

    @property
    def work_folder(self) -> Path:
        """An empty folder of this call alone; removed afterwards."""
        ...

    @property
    def log(self) -> logging.Logger: ...

    @property
    def media(self) -> MediaTool: ...

    @property
    def secrets(self) -> Mapping[str, str]:
        """Secrets of the plugin's own settings or of the channel, by name. Never log them."""
        ...

    def progress(self, fraction: float, stage: str) -> None:
        """Report progress: `fraction` 0..1 of this call, `stage` a few words for people. Cheap; call often."""
        ...


class Plugin:
    """What all kinds share. `name` is lower case, stable, and unique within its kind."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    Options: ClassVar[type[Options]]


# ---- Generator ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RenderInput:
    """`sources` maps the id of each uploaded file named in the options to its local path."""

    seed: int
    title: str
    sources: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class SuggestedMetadata:
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class RenderResult:
    """The rendered file, optional captions (WebVTT), and facts about the render (numbers and short texts)."""

    video: Path
    captions: Path | None = None
    metadata: SuggestedMetadata = SuggestedMetadata()
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


class Generator(Plugin, ABC, Generic[OptionsT]):
    """Makes a video. The same input and options must give the same video again."""

    default_recipe: ClassVar[tuple[tuple[str, Mapping[str, Any]], ...]] = ()
    """(step name, options) applied when the request names no recipe; empty means the product's default."""

    @abstractmethod
    async def render(self, input: RenderInput, options: OptionsT, context: Context) -> RenderResult: ...


# ---- ProcessingStep -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepInput:
    video: Path
    captions: Path | None
    thumbnails: tuple[Path, ...]
    seed: int
    sources: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class StepResult:
    """What the step changed; None means unchanged."""

    video: Path | None = None
    captions: Path | None = None
    thumbnails: tuple[Path, ...] | None = None
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


class ProcessingStep(Plugin, ABC, Generic[OptionsT]):
    @abstractmethod
    async def apply(self, input: StepInput, options: OptionsT, context: Context) -> StepResult: ...


# ---- Check --------------------------------------------------------------------------------------------


class PlatformLimits(BaseModel):
    """What a platform accepts; None means no limit known. Aspect ratios are width / height."""

    model_config = ConfigDict(frozen=True)

    max_duration_seconds: float | None = None
    min_duration_seconds: float | None = None
    max_size_bytes: int | None = None
    min_aspect: float | None = None
    max_aspect: float | None = None
    max_title_characters: int | None = None
    max_description_characters: int | None = None
    max_tags_characters: int | None = None


@dataclass(frozen=True)
class CheckInput:
    """The processed video, and the limits of each platform (by name) it may be sent to."""

    video: Path
    limits: Mapping[str, PlatformLimits] = field(default_factory=dict)


class Check(Plugin, ABC, Generic[OptionsT]):
    """Looks for faults and changes nothing. `Finding.check` must be the check's own name."""

    @abstractmethod
    async def examine(self, input: CheckInput, options: OptionsT, context: Context) -> tuple[Finding, ...]: ...


# ---- Publisher ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Account:
    """The connected account, shown to the person before the channel is saved."""

    name: str
    url: str | None = None


@dataclass(frozen=True)
class Post:
    """One approved version for one channel. `publication_id` is the marker that must make the post findable."""

    publication_id: str
    video_id: str
    version: int
    title: str
    description: str
    tags: tuple[str, ...]
    language: str
    video: Path
    video_sha256: str
    thumbnail: Path | None
    thumbnail_sha256: str | None
    captions: Path | None
    captions_sha256: str | None
    duration_seconds: float
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    external_id: str
    url: str | None


class Answer(StrEnum):
    """What a platform says of a post that may have been made."""

    PUBLISHED = "published"
    PENDING = "pending"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Asked:
    """`published` is set exactly when `answer` is PUBLISHED."""

    answer: Answer
    published: Published | None = None
    detail: str = ""


Handle = Mapping[str, Any]
"""The remote handle: small, JSON, stored in the attempt before any call that can make something public."""


class PublisherContext(Context, Protocol):
    """A publisher runs inside the service; the ledger stores what it must not lose."""

    @property
    def save_handle(self) -> Callable[[Handle], Awaitable[None]]:
        """Store the remote handle durably; returns after the write. Call it as soon as there is one."""
        ...

    @property
    def site(self) -> "SiteShelf":
        """The product's own public site."""
        ...

    @property
    def published_folder(self) -> Path:
        """Where the `folder` platform puts files when its options name a relative path."""
        ...


class SiteShelf(Protocol):
    """Where the `site` publisher puts its own copy of a video and its page."""

    async def stage(self, post: Post) -> str:
        """Copy the files under ids derived from the publication; returns the page's id. Nothing is public."""
        ...

    async def show(self, post: Post, page_id: str) -> str:
        """Make the page public (again without effect); returns its URL."""
        ...

    async def find(self, page_id: str) -> str | None:
        """The URL of a public page, None when it is not public."""
        ...

    async def remove(self, page_id: str) -> None: ...


class Publisher(Plugin, ABC, Generic[OptionsT]):
    """Protocol: `upload` (nothing public), then the ledger arms the attempt, then `publish` (one short call).

    `ask` answers for an armed attempt whose outcome was lost; `remembers` is False on platforms that cannot be
    asked, whose lost answers become `unknown`.
    """

    limits: ClassVar[PlatformLimits] = PlatformLimits()
    remembers: ClassVar[bool] = True
    publish_timeout_seconds: ClassVar[float] = 60.0

    @abstractmethod
    async def connect(self, options: OptionsT, context: PublisherContext) -> Account:
        """Prove that the channel works and say which account it is."""

    async def check(self, post: Post, options: OptionsT, context: PublisherContext) -> tuple[Finding, ...]:
        """Faults that this platform would refuse, found before anything is sent."""
        del post, options, context  # a platform without limits of its own
        return ()

    @abstractmethod
    async def upload(self, post: Post, options: OptionsT, context: PublisherContext) -> Handle: ...

    @abstractmethod
    async def publish(self, post: Post, handle: Handle, options: OptionsT, context: PublisherContext) -> Published: ...

    @abstractmethod
    async def ask(self, post: Post, handle: Handle, options: OptionsT, context: PublisherContext) -> Asked: ...

    @abstractmethod
    async def delete(self, external_id: str, options: OptionsT, context: PublisherContext) -> None: ...


# ---- Collector ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublishedPost:
    """A post whose numbers are wanted."""

    publication_id: str
    external_id: str
    published_at: datetime


class SiteCounts(Protocol):
    """The site's own honest counts of one page: views, watch_seconds, likes; None when there is no page."""

    async def counts(self, page_id: str) -> Mapping[str, float] | None: ...


class CollectorContext(Context, Protocol):
    @property
    def site_counts(self) -> SiteCounts: ...


class Collector(Plugin, ABC, Generic[OptionsT]):
    """Brings the numbers back. `collect` returns the platform's raw answer for each post, which is kept as it
    is; `read` turns one raw answer into a snapshot, so that old answers can be loaded again."""

    interval_seconds: ClassVar[float] = 3600.0

    @abstractmethod
    async def collect(
        self, posts: Sequence[PublishedPost], options: OptionsT, context: CollectorContext
    ) -> Mapping[str, Mapping[str, Any]]:
        """Raw payload by publication id; a post the platform no longer knows is left out."""

    @abstractmethod
    def read(self, publication_id: str, payload: Mapping[str, Any], taken_at: datetime) -> MetricSnapshot: ...
