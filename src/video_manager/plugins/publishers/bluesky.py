"""Bluesky and other servers of the AT Protocol, by app password.

The post's record key is chosen here, from the publication: a record can be made under it only once, and asked for.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from video_manager.domain.video import Finding, Severity
from video_manager.errors import ActionRequiredError, PermanentError, RetryableError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    PlatformLimits,
    Post,
    Published,
    Publisher,
    PublisherContext,
    Quota,
    Token,
    secret,
)
from video_manager.plugins.platform_limits import beyond, fault
from video_manager.plugins.publishers import bluesky_record as records
from video_manager.plugins.publishers.bluesky_api import Xrpc, cid_of, renewed, sign_in
from video_manager.plugins.publishers.bluesky_video import VideoService

OFFICIAL = "https://bsky.social"
MOST_CAPTION_BYTES = 20_000
_POINTS_OF_CREATING = 3


class BlueskyOptions(Options):
    service: str = Field(
        OFFICIAL, max_length=500, pattern=r"^https?://[^/?#\s]+/?$",
        description="The server that you sign in at; another one for an account that is hosted elsewhere.",
    )  # fmt: skip
    handle: str = Field(
        description="The account's handle, such as name.bsky.social, without the @.", min_length=3, max_length=253
    )
    app_password: str = secret(
        "An app password, made under Settings > Privacy and security > App passwords.",
        min_length=8, max_length=200,
    )  # fmt: skip
    videos_through: Literal["automatic", "video_service", "server"] = Field(
        "automatic",
        description="How videos get there. `video_service`: Bluesky's own service makes them ready before the post; "
        "`server`: straight to the account's server, within its size limit. `automatic` takes the service for accounts "
        "that Bluesky itself hosts.",
    )

    @field_validator("handle")
    @classmethod
    def _bare(cls, handle: str) -> str:
        return handle.strip().removeprefix("@")


class BlueskyPostOptions(Options):
    alt_text: str = Field(
        "", max_length=1000, description="What the video shows, for people who cannot see it; empty: the title."
    )
    label: Literal["none", "sexual", "nudity", "porn", "graphic-media"] = Field(
        "none", description="A warning that Bluesky shows before the video."
    )
    presentation: Literal["default", "gif"] = Field(
        "default", description="`gif`: shown as a short loop without sound."
    )  # fmt: skip


class BlueskyPublisher(Publisher[BlueskyOptions]):
    name = "bluesky"
    title = "Bluesky"
    description = "Posts to an account of Bluesky, or of another server of the AT Protocol."
    Options = BlueskyOptions
    server_option = "service"
    PostOptions = BlueskyPostOptions
    limits = PlatformLimits(max_size_bytes=300_000_000, max_duration_seconds=600.0)
    quotas = (Quota("writes of an hour", 5000, timedelta(hours=1)), Quota("writes of a day", 35_000))
    guide = (
        "Make an app password for the account (Settings > Privacy and security > App passwords). Bluesky takes videos "
        "from accounts whose e-mail address is confirmed. No registration or review is needed."
    )
    publish_timeout_seconds: ClassVar[float] = 60.0

    async def connect(self, options: BlueskyOptions, context: PublisherContext) -> Account:
        session = await _home(options, context).get("com.atproto.server.getSession")
        did, handle = str(session.get("did", "")), str(session.get("handle", ""))
        if not did.startswith("did:"):
            raise RetryableError(f"{options.service} answered a session without an account")
        if session.get("active") is False:
            raise ActionRequiredError(f"the account {handle} is {session.get('status') or 'not active'} at Bluesky")
        facts = {"did": did, "handle": handle, "pds": _pds_of(session) or options.service}
        if session.get("emailConfirmed") is False and _through_service(options, facts["pds"]):
            raise ActionRequiredError(
                f"the e-mail address of {handle} is not confirmed, and Bluesky takes no videos without: confirm it in "
                "Bluesky's settings, then connect again"
            )
        return Account(name=handle, url=f"https://bsky.app/profile/{handle}", id=did, facts=facts)

    async def renew(self, token: Token | None, options: BlueskyOptions, context: PublisherContext) -> Token:
        xrpc = _home(options, context)
        if token is not None and token.refresh:
            try:
                return await renewed(xrpc, token.refresh)
            except ActionRequiredError:
                context.log.info("the session of %s is over; a new one is begun", options.handle)
        return await sign_in(xrpc, options.handle, options.app_password)

    async def check(self, post: Post, options: BlueskyOptions, context: PublisherContext) -> tuple[Finding, ...]:
        return (*beyond(self.name, post, self.limits), *_faults(self.name, post))

    async def upload(self, post: Post, options: BlueskyOptions, context: PublisherContext) -> Handle:
        handle: dict[str, Any] = {"did": _did(context), "key": records.key_of(post.publication_id)}
        earlier = context.earlier or {}
        handle |= {name: earlier[name] for name in ("upload", "job", "video", "captions") if earlier.get(name)}
        await context.save_handle(handle)
        xrpc = _home(options, context)
        context.progress(0.05, "uploading")
        if "video" not in handle:
            handle["video"] = await self._video(post, options, context, handle)
            await context.save_handle(handle)
        if "captions" not in handle and _takes_captions(post) and post.captions is not None:
            handle["captions"] = await xrpc.upload_blob(post.captions, "text/vtt", post.captions_bytes)
        for quota in self.quotas:
            await context.spend(quota.name, _POINTS_OF_CREATING)
        context.progress(0.95, "uploaded")
        return handle

    async def publish(
        self, post: Post, handle: Handle, options: BlueskyOptions, context: PublisherContext
    ) -> Published:
        chosen = BlueskyPostOptions.model_validate(post.extra).model_dump()
        record = records.record_of(post, handle["video"], handle.get("captions"), chosen, context.now())
        made = await _home(options, context).post(
            "com.atproto.repo.createRecord", publishes=True,
            json={"repo": handle["did"], "collection": records.COLLECTION, "rkey": handle["key"], "record": record},
        )  # fmt: skip
        return _published(str(made.get("uri") or _uri(handle)), context)

    async def ask(self, post: Post, handle: Handle, options: BlueskyOptions, context: PublisherContext) -> Asked:
        did, key = handle.get("did") or _did(context), handle.get("key") or records.key_of(post.publication_id)
        try:
            await _home(options, context).get(
                "com.atproto.repo.getRecord", repo=did, collection=records.COLLECTION, rkey=key
            )
        except PermanentError as error:
            if "RecordNotFound" in error.detail:
                return Asked(Answer.ABSENT)
            raise RetryableError(error.detail) from error
        return Asked(Answer.PUBLISHED, _published(_uri({"did": did, "key": key}), context))

    async def delete(self, external_id: str, options: BlueskyOptions, context: PublisherContext) -> None:
        did, collection, key = external_id.removeprefix("at://").split("/")
        await _home(options, context).post(
            "com.atproto.repo.deleteRecord", json={"repo": did, "collection": collection, "rkey": key}
        )

    async def _video(
        self, post: Post, options: BlueskyOptions, context: PublisherContext, handle: dict[str, Any]
    ) -> dict[str, Any]:
        xrpc = _home(options, context)
        pds = str(context.account.get("pds") or options.service)
        if _through_service(options, pds):

            async def keep(learnt: Mapping[str, Any]) -> None:
                handle.update(learnt)
                await context.save_handle(handle)

            return dict(await VideoService(xrpc, context, handle["did"], pds, keep).blob_of(post, handle))

        def sent(done: int) -> None:
            context.progress(0.05 + 0.85 * done / max(post.video_bytes, 1), "uploading")

        blob = await xrpc.upload_blob(post.video, post.video_type, post.video_bytes, sent)
        if blob["ref"]["$link"] != cid_of(post.video_sha256):
            raise RetryableError("the video arrived at Bluesky with other bytes than those that were approved")
        if blob.get("mimeType") != "video/mp4":
            raise PermanentError(f"Bluesky takes the video for {str(blob.get('mimeType'))[:100]}, and posts MP4 only")
        return blob


def _faults(platform: str, post: Post) -> Iterator[Finding]:
    text = records.text_of(post)
    seen, size = records.graphemes(text), len(text.encode())
    if seen > records.MOST_GRAPHEMES:
        message = f"title, description and tags have {seen} characters; {records.MOST_GRAPHEMES} are allowed"
        yield fault(platform, "text_too_long", message, measured=seen, limit=records.MOST_GRAPHEMES)
    elif size > records.MOST_TEXT_BYTES:
        message = f"title, description and tags have {size} bytes; {records.MOST_TEXT_BYTES} are allowed"
        yield fault(platform, "text_too_large", message, measured=size, limit=records.MOST_TEXT_BYTES, unit="bytes")
    if post.video_type != "video/mp4":
        yield fault(platform, "wrong_type", f"the video is {post.video_type}; Bluesky takes MP4 only")
    if post.captions_bytes > MOST_CAPTION_BYTES:
        message = f"the captions have {post.captions_bytes} bytes; more than {MOST_CAPTION_BYTES} are left out"
        yield fault(
            platform, "captions_left_out", message, measured=post.captions_bytes, limit=MOST_CAPTION_BYTES,
            unit="bytes", severity=Severity.WARNING,
        )  # fmt: skip


def _home(options: BlueskyOptions, context: PublisherContext) -> Xrpc:
    return Xrpc(options.service, context, options.app_password)


def _takes_captions(post: Post) -> bool:
    return post.captions is not None and 0 < post.captions_bytes <= MOST_CAPTION_BYTES


def _through_service(options: BlueskyOptions, pds: str) -> bool:
    if options.videos_through != "automatic":
        return options.videos_through == "video_service"
    host = pds.split("://", 1)[-1].rstrip("/")
    return host == "bsky.social" or host.endswith(".host.bsky.network")


def _pds_of(session: dict[str, Any]) -> str | None:
    """The server that holds the account, by the account's own document."""
    document = session.get("didDoc")
    services = document.get("service") if isinstance(document, dict) else None
    for service in services if isinstance(services, list) else ():
        if isinstance(service, dict) and str(service.get("id", "")).endswith("#atproto_pds"):
            return str(service.get("serviceEndpoint", ""))[:500] or None
    return None


def _did(context: PublisherContext) -> str:
    return str(context.account.get("did") or context.account["id"])


def _uri(handle: Handle) -> str:
    return f"at://{handle['did']}/{records.COLLECTION}/{handle['key']}"


def _published(uri: str, context: PublisherContext) -> Published:
    did, _, key = uri.removeprefix("at://").split("/")
    handle = context.account.get("handle")
    # A handle can change and may be shown as invalid; the account's id always leads there.
    who = handle if handle and handle != "handle.invalid" else did
    return Published(uri, f"https://bsky.app/profile/{who}/post/{key}")
