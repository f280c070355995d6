"""PeerTube: any server, by user name and password.

The video is uploaded as private, under a file name that is the publication's id; publishing sets its privacy, now or,
where the server is given the time, by a change that it plans. Whatever answer is lost, the account's own list of videos
with their file names tells what there is.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field

from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError, RetryableError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    PlatformLimits,
    Post,
    Published,
    PublisherContext,
    SchedulingPublisher,
    Token,
    secret,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers.peertube_api import PUBLISHED, PeerTube, content_of

PRIVATE = 3
PRIVACY = {"public": 1, "unlisted": 2, "internal": 4}
COMMENTS = {"enabled": 1, "disabled": 2, "approval": 3}
LEAST_CHARACTERS, MOST_NAME_CHARACTERS = 3, 120
MOST_TAGS = 5
TAG_CHARACTERS = (2, 30)
_UNDER_WAY = timedelta(minutes=1)
"""So near its time a plan may be under way although it has just been removed."""
_SETTLING_SECONDS = 5.0


class PeerTubeOptions(Options):
    server: str = Field(
        description="Address of the PeerTube server, for example https://peertube.example.", max_length=300,
        pattern=r"^https?://[^/\s?#]+/?$",
    )  # fmt: skip
    username: str = Field(description="Name of the account that publishes.", min_length=1, max_length=200)
    password: str = secret("Its password.", min_length=1, max_length=500)
    channel: str = Field(
        "", max_length=200, description="Name or number of the account's channel; empty: its first one."
    )


class PeerTubePostOptions(Options):
    privacy: Literal["public", "unlisted", "internal"] = Field(
        "public", description="Who may watch it: everybody, who has the link, or who has an account on the server."
    )
    category: int | None = Field(None, ge=1, le=1000, description="Number of one of the server's categories.")
    licence: int | None = Field(None, ge=1, le=1000, description="Number of one of the server's licences.")
    comments: Literal["enabled", "disabled", "approval"] = Field("enabled", description="Whether people may comment.")
    sensitive: bool = Field(False, description="Mark it as sensitive (NSFW).")
    download: bool = Field(True, description="Whether people may download it.")


class PeerTubePublisher(SchedulingPublisher[PeerTubeOptions]):
    name = "peertube"
    title = "PeerTube"
    description = "Publishes on any PeerTube server."
    Options = PeerTubeOptions
    server_option = "server"
    PostOptions = PeerTubePostOptions
    limits = PlatformLimits(max_title_characters=MOST_NAME_CHARACTERS, max_description_characters=10_000)
    keeps_hours = 72.0
    """As a private video."""
    guide = "An account with a channel on a PeerTube server, without two-factor sign-in; nothing to register."
    publish_timeout_seconds: ClassVar[float] = 60.0

    async def connect(self, options: PeerTubeOptions, context: PublisherContext) -> Account:
        me = await PeerTube(options.server, context).me()
        channels: list[dict[str, Any]] = me.get("videoChannels") or []
        wanted = options.channel.partition("@")[0]
        found = [one for one in channels if not wanted or wanted in (one["name"], str(one["id"]))]
        if not found:
            names = ", ".join(one["name"] for one in channels[:20]) or "none"
            raise ActionRequiredError(f"the account {options.username} has no channel {wanted!r}; it has: {names}")
        channel = found[0]
        return Account(
            name=channel.get("displayName") or channel["name"], id=str(channel["id"]),
            url=f"{options.server.rstrip('/')}/c/{channel['name']}/videos",
            facts={"channel_id": channel["id"], "quota_bytes": me.get("videoQuota", -1)},
        )  # fmt: skip

    async def renew(self, token: Token | None, options: PeerTubeOptions, context: PublisherContext) -> Token:
        refresh = token.refresh if token else None
        return await PeerTube(options.server, context).signed_in(refresh, options.username, options.password)

    async def check(
        self, post: Post, options: PeerTubeOptions, context: PublisherContext
    ) -> tuple[Finding, ...]:  # fmt: skip
        quota = int(context.account.get("quota_bytes") or -1)
        limits = self.limits.model_copy(update={"max_size_bytes": quota if quota > 0 else None})
        return (*beyond(self.name, post, limits), *self._faults(post))

    def _faults(self, post: Post) -> Iterator[Finding]:
        least = LEAST_CHARACTERS
        if len(post.title) < least:
            text = f"the title has {len(post.title)} characters; at least {least} are needed"
            yield fault(self.name, "title_too_short", text, measured=len(post.title), limit=least, unit="characters")
        if post.description and description_of(post) is None:
            text = f"a description of fewer than {least} characters is left out"
            yield fault(self.name, "description_left_out", text, severity=Severity.WARNING)
        left = [tag for tag in post.tags if tag not in tags_of(post)]
        if left:
            text = f"left out, as PeerTube takes {MOST_TAGS} tags of 2 to 30 characters: {', '.join(left)[:200]}"
            yield fault(self.name, "tags_left_out", text, severity=Severity.WARNING)

    async def upload(self, post: Post, options: PeerTubeOptions, context: PublisherContext) -> Handle:
        peertube = PeerTube(options.server, context)
        video = await self._video(post, peertube, context)
        handle = {"video": video}
        await context.save_handle(handle)
        await peertube.processed(video)
        if post.thumbnail is not None:
            image = ("thumbnail.jpg", await content_of(post.thumbnail), "image/jpeg")
            await peertube.change(video, {"thumbnailfile": image})
        if post.captions is not None:
            content = await content_of(post.captions)
            await peertube.caption(video, language_of(post), f"captions{post.captions.suffix}", content)
        return handle

    async def _video(self, post: Post, peertube: PeerTube, context: PublisherContext) -> str:
        """The uploaded video, with as few bytes sent as possible."""
        earlier = context.earlier or {}
        if earlier:
            await context.save_handle(earlier)
        if earlier.get("video") and await peertube.video(earlier["video"]) is not None:
            return str(earlier["video"])
        session = earlier.get("session")
        found = await peertube.send(session, post, begun=True) if session else None
        # A session ends when its video is made; its answer may have been lost, of this attempt or of any before.
        found = found or await peertube.find(post.title, filename_of(post))
        if found is not None:
            return found
        session = await peertube.begin(post, self._body(post, context))
        await context.save_handle({"session": session})
        found = await peertube.send(session, post, begun=False) or await peertube.find(post.title, filename_of(post))
        if found is None:
            raise RetryableError("PeerTube forgot the upload before it was complete: it begins anew")
        return found

    def _body(self, post: Post, context: PublisherContext) -> Mapping[str, Any]:
        chosen = PeerTubePostOptions.model_validate(post.extra)
        body = {
            "channelId": context.account["channel_id"], "filename": filename_of(post), "name": post.title,
            "privacy": PRIVATE, "waitTranscoding": True, "description": description_of(post),
            "tags": list(tags_of(post)), "language": language_of(post), "category": chosen.category,
            "licence": chosen.licence, "commentsPolicy": COMMENTS[chosen.comments], "nsfw": chosen.sensitive,
            "downloadEnabled": chosen.download,
        }  # fmt: skip
        return {name: value for name, value in body.items() if value is not None}

    async def publish(
        self, post: Post, handle: Handle, options: PeerTubeOptions, context: PublisherContext
    ) -> Published:
        chosen = PeerTubePostOptions.model_validate(post.extra)
        wanted = {"privacy": (None, str(PRIVACY[chosen.privacy]))}
        await PeerTube(options.server, context).change(handle["video"], wanted, publishes=True)
        asked = await self.ask(post, handle, options, context)
        if asked.published is None:
            raise RetryableError(asked.detail)
        return asked.published

    async def ask(self, post: Post, handle: Handle, options: PeerTubeOptions, context: PublisherContext) -> Asked:
        video = await PeerTube(options.server, context).video(str(handle["video"]))
        if video is None:
            # It may have been public before: uploading it again could be against somebody's will.
            return Asked(Answer.UNKNOWN, detail="PeerTube has no such video any more: perhaps somebody deleted it")
        if video["privacy"]["id"] == PRIVATE:
            planned = video.get("scheduledUpdate") or {}
            if planned.get("privacy"):
                return Asked(Answer.PENDING, detail=f"PeerTube publishes it at {str(planned.get('updateAt'))[:40]}")
            return Asked(Answer.ABSENT, detail="PeerTube still keeps the video private")
        if video["state"]["id"] != PUBLISHED:
            return Asked(Answer.PENDING, detail="PeerTube still processes the video")
        url = f"{options.server.rstrip('/')}/w/{video.get('shortUUID') or video['uuid']}"
        return Asked(Answer.PUBLISHED, Published(video["uuid"], url, _warning(video, post)))

    async def hand_over(
        self, post: Post, handle: Handle, at: datetime, options: PeerTubeOptions, context: PublisherContext
    ) -> None:
        """The server holds one plan for each video: giving it again replaces it."""
        privacy = PRIVACY[PeerTubePostOptions.model_validate(post.extra).privacy]
        await PeerTube(options.server, context).schedule(str(handle["video"]), at, privacy, publishes=True)

    async def recall(self, post: Post, handle: Handle, options: PeerTubeOptions, context: PublisherContext) -> Asked:
        """The privacy is left alone: setting it could take down what has just become public."""
        peertube, id = PeerTube(options.server, context), str(handle["video"])
        video = await peertube.video(id)
        if video is None:
            return Asked(Answer.ABSENT, detail="PeerTube has no such video any more")
        if planned := video.get("scheduledUpdate"):
            await peertube.schedule(id, None, PRIVATE)
            if _is_near(planned, context.now()):
                await context.sleep(_SETTLING_SECONDS)
        return await self.ask(post, handle, options, context)

    async def delete(self, external_id: str, options: PeerTubeOptions, context: PublisherContext) -> None:
        await PeerTube(options.server, context).delete(external_id)


def filename_of(post: Post) -> str:
    """The marker by which the post is found."""
    return f"{post.publication_id}{post.video.suffix.lower() or '.mp4'}"


def description_of(post: Post) -> str | None:
    """None: none is sent."""
    return post.description if len(post.description) >= LEAST_CHARACTERS else None


def language_of(post: Post) -> str:
    """PeerTube knows languages without their countries."""
    return post.language.partition("-")[0].lower()


def tags_of(post: Post) -> tuple[str, ...]:
    least, most = TAG_CHARACTERS
    fitting = dict.fromkeys(tag for tag in post.tags if least <= len(tag) <= most)
    return tuple(fitting)[:MOST_TAGS]


def _is_near(planned: Mapping[str, Any], now: datetime) -> bool:
    """Whether the server may have begun to carry out this plan."""
    try:
        return datetime.fromisoformat(str(planned.get("updateAt"))).astimezone(UTC) - now < _UNDER_WAY
    except ValueError:
        return True


def _warning(video: Mapping[str, Any], post: Post) -> str | None:
    if video.get("blacklisted"):
        return "PeerTube holds the video back until a moderator of the server has looked at it"
    wanted = PeerTubePostOptions.model_validate(post.extra).privacy
    if video["privacy"]["id"] != PRIVACY[wanted]:
        return f"PeerTube shows it as {str(video['privacy'].get('label'))[:100]} instead of {wanted}"
    return None
