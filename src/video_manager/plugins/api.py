"""What a plugin author sees: the five plugin kinds, what they get and what they return.

A plugin is one file: a class with a `name`, a pydantic `Options` model (its JSON Schema draws the form) and one
async method (a publisher has the few its platform's protocol needs). Times are seconds, sizes bytes, and paths
are local files inside `context.work_folder` unless said otherwise. A plugin reports failure by raising
`RetryableError`, `ActionRequiredError` or `PermanentError` from `video_manager.errors`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol

from video_manager.domain.metrics import MetricSnapshot
from video_manager.domain.schedule import Pace
from video_manager.domain.video import Finding
from video_manager.plugins.plugin import (
    SOURCE_FILE_FORMAT,
    Context,
    MediaTool,
    Options,
    OptionsT,
    PlatformLimits,
    Plugin,
    drawn,
    source_file,
)
from video_manager.plugins.publisher_api import (
    SECRET_FORMAT,
    Account,
    Answer,
    Asked,
    Handle,
    Post,
    Published,
    Publisher,
    PublisherContext,
    Quota,
    SchedulingPublisher,
    SiteShelf,
    Token,
    secret,
)
from video_manager.plugins.signing_in import OAuth, OAuthApp, SignInServer

__all__ = [
    "SECRET_FORMAT",
    "SOURCE_FILE_FORMAT",
    "Account",
    "Answer",
    "Asked",
    "Check",
    "CheckInput",
    "Collector",
    "CollectorContext",
    "Context",
    "Generator",
    "Handle",
    "MediaTool",
    "OAuth",
    "OAuthApp",
    "Options",
    "OptionsT",
    "Pace",
    "PlatformLimits",
    "Plugin",
    "Post",
    "ProcessingStep",
    "Published",
    "PublishedPost",
    "Publisher",
    "PublisherContext",
    "Quota",
    "RenderInput",
    "RenderResult",
    "SchedulingPublisher",
    "SignInServer",
    "SiteCounts",
    "SiteShelf",
    "StepInput",
    "StepResult",
    "SuggestedMetadata",
    "Token",
    "drawn",
    "secret",
    "source_file",
]


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


@dataclass(frozen=True)
class CheckInput:
    """The processed video, and the limits of each platform (by name) it may be sent to."""

    video: Path
    limits: Mapping[str, PlatformLimits] = field(default_factory=dict)


class Check(Plugin, ABC, Generic[OptionsT]):
    """Looks for faults and changes nothing. `Finding.check` must be the check's own name."""

    @abstractmethod
    async def examine(self, input: CheckInput, options: OptionsT, context: Context) -> tuple[Finding, ...]: ...


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
