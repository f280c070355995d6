"""The human side: review, comments, metadata, approval for channels. Nothing is published around this file."""

from collections.abc import Awaitable, Callable
from typing import Any

from video_manager.contracts.envelope import Envelope, envelope
from video_manager.contracts.events import ReviewDecided
from video_manager.domain import review as rules
from video_manager.domain.access import Actor, Right
from video_manager.domain.posting import Composed
from video_manager.domain.video import (
    Comment,
    Decision,
    MediaFile,
    MediaRole,
    Review,
    Verdict,
    Version,
    VersionState,
    Video,
)
from video_manager.errors import Conflict, InvalidInput, InvalidTransition, NotFound
from video_manager.manager.approving import Approving, Outdated, Prepared
from video_manager.manager.lifetimes import Lifetimes
from video_manager.manager.metadata import merge_metadata
from video_manager.manager.requests import (
    CompositionRequest,
    MetadataEdit,
    NewComment,
    PublicationRequest,
    ReviewRequest,
    Target,
    VersionRequest,
    VideoEdit,
)
from video_manager.manager.service import Channels, NewId, SourceFiles, VideoService
from video_manager.manager.views import VideoView
from video_manager.manager.withdrawal import publication_id, withdraw_messages
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, FileStore
from video_manager.repository import Change, Loaded, Repository

MAX_THUMBNAIL_BYTES = 10 * 2**20
THUMBNAIL_TYPES = ("image/jpeg", "image/png")
COMPOSE_TRIES = 5
"""How often a decision is composed again because somebody else changed the video meanwhile."""

Prepare = Callable[[Video], Awaitable[None]]


class ReviewService:
    """Use cases of reviewers. A decision, its edits and its publications are one write."""

    def __init__(
        self, videos: Repository[Video], service: VideoService, registry: Registry, clock: Clock, channels: Channels,
        sources: SourceFiles, files: FileStore, lifetimes: Lifetimes,
    ) -> None:  # fmt: skip
        self._videos = videos
        self._service = service
        self._clock = clock
        self._approving = Approving(registry, channels)
        self._sources = sources
        self._files = files
        self._lifetimes = lifetimes

    async def review(
        self, actor: Actor, id: str, request: ReviewRequest, new_id: NewId, expected_revision: int | None = None
    ) -> VideoView:
        """Decide on one version: approve for channels, reject with a reason, or ask for another version."""
        actor.require(Right.REVIEW)
        video = (await self._videos.load(id)).value
        targets = _targets(video, request)
        if request.decision is Decision.APPROVE and targets:
            actor.require(Right.PUBLISH)
        base = video.version(request.version)
        again = VersionRequest(options=request.options, seed=request.seed)
        next_spec = self._service.next_spec(base, again) if request.decision is Decision.REGENERATE else None
        if next_spec is not None:
            await self._service.require_sources(next_spec[0])
            await self._lifetimes.note_sources(id, [next_spec[0]])

        prepared: list[Prepared] = []

        def decide(old: Video) -> Change[Video]:
            noted = self._note(old, request, actor, new_id)
            review = Review(
                id=new_id("review"), version=request.version, decision=request.decision, reason=request.reason,
                author=actor.name, at=self._clock.now(),
            )  # fmt: skip
            if any(item.id == review.id for item in old.reviews):
                return Change(old)
            if request.decision is Decision.APPROVE:
                changed, messages = self._approving.approve(noted, review, None, prepared, new_id)
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

        async def prepare(current: Video) -> None:
            if request.decision is Decision.APPROVE:
                prepared[:] = await self._approving.compose(current, request.version, request.metadata, targets)
                self._approving.require_fit(prepared)

        loaded = await self._decided(video, prepare, decide, expected_revision)
        if set(loaded.value.let_go) - set(video.let_go):  # else whoever let go of it sees to it
            await self._lifetimes.settle(id)
        await self._lifetimes.release_sources(self._lifetimes.sources_of(loaded.value.versions))
        return (await self._service.view([loaded]))[0]

    async def _decided(
        self, video: Video, prepare: Prepare, decide: Callable[[Video], Change[Video]], expected_revision: int | None
    ) -> Loaded[Video]:
        """Compose, then decide in one write; again from the start when the video was changed in between."""
        for _ in range(COMPOSE_TRIES):
            await prepare(video)
            try:
                return await self._videos.change(video.id, decide, expected_revision=expected_revision)
            except Outdated:
                video = (await self._videos.load(video.id)).value
        raise Conflict(f"video {video.id} is being changed by somebody else: look at it again, then decide")

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

    def _regenerate(
        self, video: Video, review: Review, next_spec: Any, actor: Actor
    ) -> tuple[Video, tuple[Envelope, ...]]:
        spec, given = next_spec
        change = self._service.add_version(video, video.version(review.version), spec, given, actor, review.id)
        return change.value.with_(reviews=(*change.value.reviews, review)), change.messages

    async def publish(
        self, actor: Actor, request: PublicationRequest, new_id: NewId, expected_revision: int | None = None
    ) -> str:
        """Approve an approved version for one more channel; the publication's id."""
        actor.require(Right.PUBLISH)
        target = Target(
            channel_id=request.channel_id, metadata=request.metadata, publish_at=request.publish_at,
            options=request.options,
        )  # fmt: skip
        prepared: list[Prepared] = []
        made: list[str] = []

        async def prepare(current: Video) -> None:
            _require_approved(current, request.version)
            prepared[:] = await self._approving.compose(current, request.version, None, [target])
            self._approving.require_fit(prepared)

        def decide(video: Video) -> Change[Video]:
            _require_approved(video, request.version)
            review = Review(
                id=new_id("review"), version=request.version, decision=Decision.APPROVE, author=actor.name,
                at=self._clock.now(), reason="published to one more channel",
            )  # fmt: skip
            changed, messages = self._approving.approve(video, review, None, prepared, new_id)
            made[:] = [publication_id(changed.approvals[-1])]
            return Change(changed, (*messages, *withdraw_messages(video, changed)))

        video = (await self._videos.load(request.video_id)).value
        again = new_id("approval", 0)
        if any(item.id == again for item in video.approvals):
            return publication_id(next(item for item in video.approvals if item.id == again))
        await self._decided(video, prepare, decide, expected_revision)
        return made[0]

    async def compose(self, actor: Actor, id: str, request: CompositionRequest) -> list[Composed]:
        """What each channel would post of a version, and what its platform would refuse."""
        actor.require(Right.VIEW)
        video = (await self._videos.load(id)).value
        prepared = await self._approving.compose(video, request.version, request.metadata, request.targets)
        return [one.composed for one in prepared]

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
        metadata = merge_metadata(video, version, version.metadata, edit)
        return rules.edit_metadata(video, version.number, metadata, self._clock.now())

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


def _targets(video: Video, request: ReviewRequest) -> list[Target]:
    """Those of the request, else the channels that the video was asked for."""
    named = request.all_targets()
    if named is not None:
        return named
    return [Target(channel_id=channel, publish_at=request.publish_at) for channel in video.channels]


def _require_approved(video: Video, number: int) -> None:
    if video.version(number).verdict is not Verdict.APPROVED:
        raise InvalidTransition(f"version {number} of video {video.id} is not approved: review it first")
