"""What people ask the manager for: the bodies of its routes and the arguments of its use cases."""

from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from video_manager.domain.model import Instant
from video_manager.domain.video import Decision, Recipe

Title = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Ids = Annotated[list[Id], Field(max_length=100)]


MOST_STEPS = 50


def _few_steps(recipe: Recipe) -> Recipe:
    if len(recipe.steps) > MOST_STEPS or len(recipe.checks or ()) > MOST_STEPS:
        raise ValueError(f"at most {MOST_STEPS} steps and {MOST_STEPS} checks")
    return recipe


GivenRecipe = Annotated[Recipe, AfterValidator(_few_steps)]


class RequestBody(BaseModel):
    """Unknown fields are refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class OneRequest(RequestBody):
    """One generator, `count` videos. Options not given are drawn by the seed or take their defaults."""

    generator: Id
    title: Title = ""
    options: dict[str, Any] = Field(default={}, description="The generator's options, as its JSON Schema says.")
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="Random unless given; further videos count on.")
    recipe: GivenRecipe | None = Field(
        None, description="Processing steps and checks; default: loudness and thumbnails."
    )
    count: int = Field(1, ge=1, description="How many videos.")
    channels: Ids = Field(default=[], description="Channels it is meant for; the reviewer decides.")
    priority: int = Field(5, ge=0, le=9, description="0 lowest .. 9 highest.")


class VideosRequest(RequestBody):
    """Either the fields of one request, or `requests` with several, perhaps for several generators."""

    requests: list[OneRequest] = Field(min_length=1, max_length=50)

    @model_validator(mode="before")
    @classmethod
    def _wrap_single(cls, data: Any) -> Any:
        return {"requests": [data]} if isinstance(data, dict) and "requests" not in data else data


class VersionRequest(RequestBody):
    """Regenerate: options given here replace those of `from_version` (default: the newest); null draws anew.

    Without any change and without a seed, a new seed is drawn, so that another variant comes out.
    """

    from_version: int | None = None
    generator: Id | None = None
    options: dict[str, Any] = {}
    seed: int | None = Field(None, ge=0, le=2**53 - 1)
    recipe: GivenRecipe | None = None


class WallClock(RequestBody):
    """A wall-clock time in a zone. A skipped time means the next valid instant, a repeated one the first."""

    local: Annotated[str, Field(examples=["2026-11-24T18:00"], max_length=40)]
    zone: Annotated[str, Field(examples=["Europe/Berlin"], max_length=64)]

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"{zone!r} is no IANA time zone such as Europe/Berlin") from error
        return zone


PublishAt = Instant | WallClock | Literal["next_slot"]
"""`next_slot`: the channel's next free posting slot, which publishing chooses when it gets the approved version."""


class MetadataEdit(RequestBody):
    """Fields left out stay as they are. `thumbnail` is the file id of a candidate."""

    title: Title | None = None
    description: Text | None = None
    tags: Annotated[list[Tag], Field(max_length=100)] | None = None
    language: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    thumbnail: Id | None = None


class NewComment(RequestBody):
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=5000)]
    at_seconds: float | None = Field(None, ge=0, description="Where in the video; null: the whole of it.")
    version: int | None = None


class Target(RequestBody):
    """One channel, perhaps with its own metadata, time, and choices on its platform."""

    channel_id: Id
    metadata: MetadataEdit | None = None
    publish_at: PublishAt | None = None
    options: dict[str, Any] = Field(
        default={}, description="As the platform's `post_schema` says; what is left out is the channel's default."
    )


class CompositionRequest(RequestBody):
    """What would be posted of a version, before anybody approves it."""

    version: int
    metadata: MetadataEdit | None = None
    targets: Annotated[list[Target], Field(max_length=100)]


class ReviewRequest(RequestBody):
    version: int
    decision: Decision
    reason: Text = ""
    comments: Annotated[list[NewComment], Field(max_length=200)] = []
    metadata: MetadataEdit | None = None
    channels: Ids | None = Field(None, description="Short for targets without settings of their own.")
    targets: Annotated[list[Target], Field(max_length=100)] | None = None
    publish_at: PublishAt | None = Field(None, description="For all targets without a time of their own.")
    options: dict[str, Any] = Field(default={}, description="With `regenerate`: the changed options.")
    seed: int | None = Field(None, ge=0, le=2**53 - 1, description="With `regenerate`.")
    keep_files: bool = Field(True, description="With `reject`: whether the files stay.")

    @model_validator(mode="after")
    def _one_way_to_name_targets(self) -> Self:
        if self.channels is not None and self.targets is not None:
            raise ValueError("name the channels either in `channels` or in `targets`, not in both")
        if self.decision is Decision.REJECT and not self.reason.strip():
            raise ValueError("say in `reason` why it is rejected")
        return self

    def all_targets(self) -> list[Target] | None:
        """The targets with their times; None when the request names neither channels nor targets."""
        if self.targets is None and self.channels is None:
            return None
        named = self.targets or [Target(channel_id=channel) for channel in self.channels or []]
        return [
            target if target.publish_at is not None else target.model_copy(update={"publish_at": self.publish_at})
            for target in named
        ]


class VideoEdit(RequestBody):
    """PATCH /videos/{id}: fields left out stay. `metadata` is the newest version's, or that of `version`."""

    title: Title | None = None
    metadata: MetadataEdit | None = None
    version: int | None = None
    priority: int | None = Field(None, ge=0, le=9)
    paused: bool | None = None


class PublicationRequest(RequestBody):
    """Publish an approved version to one more channel, or again to one whose publication ended without a post."""

    video_id: Id
    version: int
    channel_id: Id
    metadata: MetadataEdit | None = None
    publish_at: PublishAt | None = None
    options: dict[str, Any] = Field(default={}, description="As for a review's targets.")
