"""The human side: review, comments, metadata, approval for channels. Nothing is published around this file."""

from collections.abc import Sequence
from typing import Any

from video_manager.contracts.commands import CreatePublication
from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import ReviewDecided
from video_manager.domain import review as rules
from video_manager.domain.access import Actor, Right
from video_manager.domain.model import Instant
from video_manager.domain.video import (
    Approval,
    Comment,
    Decision,
    MediaFile,
    MediaRole,
    Metadata,
    Review,
    Verdict,
    Version,
    VersionState,
    Video,
)
from video_manager.domain.wall_clock import instant_of
from video_manager.errors import Conflict, FieldError, InvalidInput, InvalidTransition, NotFound
from video_manager.manager.lifetimes import Lifetimes
from video_manager.manager.requests import (
    MetadataEdit,
    NewComment,
    PublicationRequest,
    PublishAt,
    ReviewRequest,
    Target,
    VersionRequest,
    VideoEdit,
    WallClock,
)
from video_manager.manager.service import Channels, NewId, SourceFiles, VideoService
from video_manager.manager.views import VideoView
from video_manager.manager.withdrawal import publication_id, withdraw_messages
from video_manager.plugins.api import PlatformLimits
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, FileStore
from video_manager.repository import Change, Repository

MAX_THUMBNAIL_BYTES = 10 * 2**20
THUMBNAIL_TYPES = ("image/jpeg", "image/png")
ENDED_WITHOUT_POST = frozenset({"failed", "cancelled", "withdrawn"})
ON_ITS_WAY = frozenset({"uploading", "pending", "unknown"})


class ReviewService:
    """Use cases of reviewers. A decision, its edits and its publications are one write."""

    def __init__(
        self, videos: Repository[Video], service: VideoService, registry: Registry, clock: Clock, channels: Channels,
        sources: SourceFiles, files: FileStore, lifetimes: Lifetimes,
    ) -> None:  # fmt: skip
        self._videos = videos
        self._service = service
        self._registry = registry
        self._clock = clock
        self._channels = channels
        self._sources = sources
        self._files = files
        self._lifetimes = lifetimes

    async def review(
        self, actor: Actor, id: str, request: ReviewRequest, new_id: NewId, expected_revision: int | None = None
    ) -> VideoView:
        """Decide on one version: approve for channels, reject with a reason, or ask for another version."""
        actor.require(Right.REVIEW)
        video = (await self._videos.load(id)).value
        named = request.all_targets()
        targets = [Target(channel_id=channel, publish_at=request.publish_at) for channel in video.channels]
        if named is not None:
            targets = named
        if request.decision is Decision.APPROVE and targets:
            actor.require(Right.PUBLISH)
        platforms = await self._platforms(targets) if request.decision is Decision.APPROVE else {}
        base = video.version(request.version)
        again = VersionRequest(options=request.options, seed=request.seed)
        next_spec = self._service.next_spec(base, again) if request.decision is Decision.REGENERATE else None
        if next_spec is not None:
            await self._service.require_sources(next_spec[0])
            await self._lifetimes.note_sources(id, [next_spec[0]])

        def decide(old: Video) -> Change[Video]:
            noted = self._note(old, request, actor, new_id)
            review = Review(
                id=new_id("review"), version=request.version, decision=request.decision, reason=request.reason,
                author=actor.name, at=self._clock.now(),
            )  # fmt: skip
            if any(item.id == review.id for item in old.reviews):
                return Change(old)
            if request.decision is Decision.APPROVE:
                changed, messages = self._approve(noted, review, targets, platforms, new_id)
            elif request.decision is Decision.REJECT:
                changed = rules.reject(noted, review.version, review, review.at, keep_files=request.keep_files)
                messages = ()
            else:
                changed, messages = self._regenerate(noted, review, next_spec, actor)
            decided = ReviewDecided(
                video_id=id, version=review.version, decision=review.decision, reason=review.reason,
                author=actor.name, title=changed.title,
            )  # fmt: skip
            told = envelope(decided, source="manager", subject=id, id_from=(review.id,))
            return Change(changed, (*messages, *withdraw_messages(old, changed), told))

        loaded = await self._videos.change(id, decide, expected_revision=expected_revision)
        if set(loaded.value.let_go) - set(video.let_go):  # else whoever let go of it sees to it
            await self._lifetimes.settle(id)
        await self._lifetimes.release_sources(self._lifetimes.sources_of(loaded.value.versions))
        return (await self._service.view([loaded]))[0]

    def _note(self, video: Video, request: ReviewRequest, actor: Actor, new_id: NewId) -> Video:
        """Comments and metadata that came with the decision."""
        comments = [
            self._comment(item.model_copy(update={"version": request.version}), actor, new_id("comment", index))
            for index, item in enumerate(request.comments)
        ]
        video = video.with_(comments=(*video.comments, *comments))
        if request.metadata is None:
            return video
        return self._edit(video, video.version(request.version), request.metadata)

    def _approve(
        self, video: Video, review: Review, targets: Sequence[Target], platforms: dict[str, str], new_id: NewId
    ) -> tuple[Video, tuple[Envelope, ...]]:
        version = video.version(review.version)
        for target in targets:
            _require_no_open_post(video, version.number, target.channel_id)
        made = [
            self._approval(video, version, target, platforms[target.channel_id], review, new_id("approval", index))
            for index, target in enumerate(targets)
        ]
        changed = rules.approve(video, version.number, [approval for approval, _ in made], review, review.at)
        state = {publication_id(approval): "scheduled" for approval, _ in made}
        changed = changed.with_(publications={**changed.publications, **state})
        return changed, tuple(message for _, message in made)

    def _regenerate(
        self, video: Video, review: Review, next_spec: Any, actor: Actor
    ) -> tuple[Video, tuple[Envelope, ...]]:
        spec, given = next_spec
        change = self._service.add_version(video, video.version(review.version), spec, given, actor, review.id)
        return change.value.with_(reviews=(*change.value.reviews, review)), change.messages

    # ---- approvals --------------------------------------------------------------------------------------

    async def _platforms(self, targets: Sequence[Target]) -> dict[str, str]:
        ids = [target.channel_id for target in targets]
        if len(set(ids)) != len(ids):
            raise InvalidInput.field("targets", "each channel may be named once")
        platforms = {}
        for id in ids:
            try:
                platforms[id] = await self._channels.channel_platform(id)
            except NotFound as error:
                raise InvalidInput.field("channels", str(error)) from error
        return platforms

    def _approval(
        self, video: Video, version: Version, target: Target, platform: str, review: Review, id: str
    ) -> tuple[Approval, Envelope]:
        """Bind bytes and final metadata for one channel, and the command that publishes them."""
        metadata = self._merge(video, version, version.metadata, target.metadata)
        metadata = metadata.with_(title=metadata.title or video.title)
        self._require_fit(metadata, platform)
        master = version.file(MediaRole.MASTER)
        if master is None or version.state is not VersionState.READY:
            raise InvalidTransition(f"version {version.number} of video {video.id} has no finished file to approve")
        chosen = version.with_(metadata=metadata)
        thumbnail, captions = chosen.file(MediaRole.THUMBNAIL), chosen.file(MediaRole.CAPTIONS)
        approval = Approval(
            id=id, version=version.number, channel_id=target.channel_id, master_sha256=master.sha256,
            thumbnail_sha256=thumbnail and thumbnail.sha256, captions_sha256=captions and captions.sha256,
            metadata=metadata, approved_by=review.author, approved_at=review.at,
        )  # fmt: skip
        command = CreatePublication(
            publication_id=publication_id(approval), approval_id=id, video_id=video.id, version=version.number,
            channel_id=target.channel_id, metadata=metadata, master=master, thumbnail=thumbnail, captions=captions,
            publish_at=resolve_time(target.publish_at), requested_local=_as_written(target.publish_at),
            approved_by=review.author,
        )  # fmt: skip
        return approval, envelope(
            command, source="manager", subject=command.publication_id, correlation_id=video.id, id_from=(id,)
        )

    def _require_fit(self, metadata: Metadata, platform: str) -> None:
        if not metadata.title.strip():
            raise InvalidInput.field("metadata.title", "a title is needed before the video can be approved")
        limits = self._registry.limits([platform]).get(platform, PlatformLimits())
        lengths = {
            "title": (len(metadata.title), limits.max_title_characters),
            "description": (len(metadata.description), limits.max_description_characters),
            "tags": (sum(len(tag) for tag in metadata.tags), limits.max_tags_characters),
        }
        errors = [
            FieldError(f"metadata.{field}", f"{length} characters; {platform} takes at most {limit}")
            for field, (length, limit) in lengths.items()
            if limit is not None and length > limit
        ]
        if errors:
            raise InvalidInput("; ".join(f"{item.field}: {item.reason}" for item in errors), errors)

    async def publish(
        self, actor: Actor, request: PublicationRequest, new_id: NewId, expected_revision: int | None = None
    ) -> str:
        """Approve an approved version for one more channel; the publication's id."""
        actor.require(Right.PUBLISH)
        target = Target(channel_id=request.channel_id, metadata=request.metadata, publish_at=request.publish_at)
        platforms = await self._platforms([target])
        made: list[str] = []

        def decide(video: Video) -> Change[Video]:
            version = video.version(request.version)
            if version.verdict is not Verdict.APPROVED:
                raise InvalidTransition(
                    f"version {version.number} of video {video.id} is not approved: review it first"
                )
            review = Review(
                id=new_id("review"), version=version.number, decision=Decision.APPROVE, author=actor.name,
                at=self._clock.now(), reason="published to one more channel",
            )  # fmt: skip
            changed, messages = self._approve(video, review, [target], platforms, new_id)
            made[:] = [publication_id(changed.approvals[-1])]
            return Change(changed, (*messages, *withdraw_messages(video, changed)))

        loaded = await self._videos.get(request.video_id)
        again = new_id("approval", 0)
        if loaded is not None and any(item.id == again for item in loaded.value.approvals):
            return publication_id(next(item for item in loaded.value.approvals if item.id == again))
        await self._videos.change(request.video_id, decide, expected_revision=expected_revision)
        return made[0]

    # ---- comments and metadata --------------------------------------------------------------------------

    async def comment(self, actor: Actor, id: str, comment: NewComment, new_id: NewId) -> VideoView:
        actor.require(Right.REVIEW)

        def decide(video: Video) -> Video:
            number = comment.version or video.newest.number
            video.version(number)  # raises NotFound for a version that is not there
            made = self._comment(comment.model_copy(update={"version": number}), actor, new_id("comment"))
            if any(old.id == made.id for old in video.comments):
                return video
            return video.with_(comments=(*video.comments, made), updated_at=made.created_at)

        return await self._change(id, decide)

    async def resolve_comment(self, actor: Actor, id: str, comment_id: str, resolved: bool) -> VideoView:
        actor.require(Right.REVIEW)

        def decide(video: Video) -> Video:
            if not any(comment.id == comment_id for comment in video.comments):
                raise NotFound(f"video {id} has no comment {comment_id}")
            comments = [
                comment.with_(resolved=resolved) if comment.id == comment_id else comment for comment in video.comments
            ]
            return video.with_(comments=tuple(comments))

        return await self._change(id, decide)

    def _comment(self, comment: NewComment, actor: Actor, id: str) -> Comment:
        return Comment(
            id=id, version=comment.version or 1, at_seconds=comment.at_seconds, text=comment.text, author=actor.name,
            created_at=self._clock.now(),
        )  # fmt: skip

    async def edit(self, actor: Actor, id: str, edit: VideoEdit, expected_revision: int | None = None) -> VideoView:
        """Change the title or a version's metadata; a real change voids the approvals of that version."""
        actor.require(Right.REVIEW)

        def decide(video: Video) -> Change[Video]:
            changed = video
            if edit.title is not None:
                changed = changed.with_(title=edit.title, updated_at=self._clock.now())
            if edit.metadata is not None:
                number = video.newest.number if edit.version is None else edit.version
                changed = self._edit(changed, changed.version(number), edit.metadata)
            return Change(changed, withdraw_messages(video, changed))

        return await self._change(id, decide, expected_revision)

    def _edit(self, video: Video, version: Version, edit: MetadataEdit) -> Video:
        metadata = self._merge(video, version, version.metadata, edit)
        return rules.edit_metadata(video, version.number, metadata, self._clock.now())

    def _merge(self, video: Video, version: Version, metadata: Metadata, edit: MetadataEdit | None) -> Metadata:
        if edit is None:
            return metadata
        given = {name: getattr(edit, name) for name in edit.model_fields_set if getattr(edit, name) is not None}
        if "tags" in given:
            given["tags"] = tuple(dict.fromkeys(given["tags"]))
        candidates = {file.id for file in version.thumbnails()}
        if "thumbnail" in given and given["thumbnail"] not in candidates:
            raise InvalidInput.field(
                "metadata.thumbnail",
                f"{given['thumbnail']!r} is no thumbnail of version {version.number} of video {video.id}",
            )
        return metadata.with_(**given)

    async def add_thumbnail(self, actor: Actor, id: str, number: int, upload_id: str, new_id: NewId) -> VideoView:
        """Add a picture that was sent in as a candidate, and choose it. JPEG or PNG, at most 10 MiB."""
        actor.require(Right.REVIEW)
        sent = await self._sources.completed_file(upload_id)
        if sent.content_type not in THUMBNAIL_TYPES or sent.size_bytes > MAX_THUMBNAIL_BYTES:
            raise InvalidInput.field(
                "upload_id", f"{sent.name} is {sent.content_type} of {sent.size_bytes} bytes; send a JPEG or PNG "
                f"picture of at most {MAX_THUMBNAIL_BYTES // 2**20} MiB",
            )  # fmt: skip
        copy = await self._files.copy(sent.id, new_id("thumbnail"))
        picture: MediaFile = sent.with_(id=copy.id, role=MediaRole.THUMBNAIL)

        def decide(video: Video) -> Change[Video]:
            version = video.version(number)
            if version.state is not VersionState.READY:
                raise InvalidTransition(f"version {number} of video {id} is {version.state}, not ready")
            if picture.id in {file.id for file in version.files}:
                return Change(video)
            added = video.put(version.with_(files=(*version.files, picture)), self._clock.now())
            changed = self._edit(added, added.version(number), MetadataEdit(thumbnail=picture.id))
            return Change(changed, withdraw_messages(video, changed))

        return await self._change(id, decide)

    async def _change(self, id: str, decide: Any, expected_revision: int | None = None) -> VideoView:
        loaded = await self._videos.change(id, decide, expected_revision=expected_revision)
        return (await self._service.view([loaded]))[0]


def _require_no_open_post(video: Video, number: int, channel_id: str) -> None:
    """One post of a version on a channel: approving again must not send a second one beside the first, whose
    withdrawal may come too late. An approval that was voided counts while its post may be going out this moment."""
    for approval in video.approvals:
        if (approval.version, approval.channel_id) != (number, channel_id):
            continue
        id = publication_id(approval)
        state = video.publications.get(id)
        if state in ON_ITS_WAY or (approval.voided_at is None and state not in ENDED_WITHOUT_POST):
            raise Conflict(
                f"version {number} of video {video.id} already has a publication on that channel ({id}, {state}): "
                "leave the channel out, or cancel that one first; another time needs no new approval"
            )


def resolve_time(at: PublishAt | None) -> Instant | None:
    """The instant of a wall-clock time; see WallClock for skipped and repeated ones."""
    if isinstance(at, WallClock):
        try:
            return instant_of(at.local, at.zone)
        except ValueError as error:
            raise InvalidInput.field("publish_at.local", f"{at.local!r} is no time such as 2026-11-24T18:00") from error
    return at


def _as_written(at: PublishAt | None) -> str | None:
    return f"{at.local} {at.zone}" if isinstance(at, WallClock) else None
