"""A receiver of one's own: signed messages (Standard Webhooks) offer a video, send its bytes, and say when to show it.

The receiver promises to act once on each `webhook-id`, which for the publishing message is the publication's id, so a
repeat makes nothing twice. A lost answer is asked about where the receiver can be asked, and else left to a person:
asking by sending the message again could publish what was withdrawn meanwhile.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
from pydantic import Field
from standardwebhooks import Webhook as Signer

from video_manager.errors import ActionRequiredError, PermanentError, RetryableError, WorkError
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
    secret,
)
from video_manager.plugins.platform_http import Api, file_bytes, words

LONGEST_ADDRESS = 2000
LONGEST_ID = 200
_ADDRESS = r"^https?://[^/\s@?#]+(/[^\s#]*)?$"


class WebhookOptions(Options):
    url: str = Field(
        description="Address of your receiver, for example https://example.org/videos.", max_length=1000,
        pattern=_ADDRESS,
    )  # fmt: skip
    signing_secret: str = secret(
        "What messages are signed with, as Standard Webhooks says: whsec_ and 24 or more random bytes in base64.",
        pattern=r"^whsec_[A-Za-z0-9+/]{32,}={0,2}$", max_length=200,
    )  # fmt: skip
    can_be_asked: bool = Field(
        True, description="Whether the receiver tells what became of a publication (GET ?publication_id=)."
    )


class WebhookPublisher(Publisher[WebhookOptions]):
    name = "webhook"
    title = "Webhook"
    description = "Hands videos to a receiver of your own, by signed messages."
    Options = WebhookOptions
    limits = PlatformLimits()
    guide = "A receiver of your own that follows docs/platforms/webhook.md, and a secret that both sides know."
    publish_timeout_seconds: ClassVar[float] = 60.0

    async def connect(self, options: WebhookOptions, context: PublisherContext) -> Account:
        """A signed message without a video; the receiver shows that it knows the secret by taking it."""
        moment = context.now().strftime("%Y%m%dT%H%M%S%f")
        await _Receiver(options, context).send("channel.connected", f"connect-{moment}", {})
        address = urlsplit(options.url)
        return Account(name=address.netloc, id=options.url[:LONGEST_ID], url=f"{address.scheme}://{address.netloc}")

    async def upload(self, post: Post, options: WebhookOptions, context: PublisherContext) -> Handle:
        handle = {"publication_id": post.publication_id}
        await context.save_handle(handle)
        receiver = _Receiver(options, context)
        offered = await receiver.send("publication.offered", f"{post.publication_id}-offer", described(post))
        files = (
            ("captions_url", post.captions, post.captions_sha256, "text/vtt"),
            ("thumbnail_url", post.thumbnail, post.thumbnail_sha256, "image/jpeg"),
            ("upload_url", post.video, post.video_sha256, post.video_type),
        )
        for name, path, sha256, kind in files:
            wanted = offered.get(name)
            if wanted and path is not None and sha256 is not None:
                await receiver.put(_address(wanted, name), path, sha256, kind)
        return handle

    async def publish(
        self, post: Post, handle: Handle, options: WebhookOptions, context: PublisherContext
    ) -> Published:
        body = {"publication_id": post.publication_id, "sha256": post.video_sha256}
        answer = await _Receiver(options, context).send(
            "publication.publish", post.publication_id, body, publishes=True
        )  # fmt: skip
        if answer.get("state") == "pending":
            raise RetryableError("the receiver has taken the publication on and not shown it yet")
        return _published(answer, post)

    async def ask(self, post: Post, handle: Handle, options: WebhookOptions, context: PublisherContext) -> Asked:
        if not options.can_be_asked:
            return Asked(Answer.UNKNOWN, detail="the receiver cannot be asked: look there")
        answer = await _Receiver(options, context).about(post.publication_id)
        match answer.get("state"):
            case "published":
                return Asked(Answer.PUBLISHED, _published(answer, post))
            case "pending":
                return Asked(Answer.PENDING, detail="the receiver has not shown it yet")
            case "absent":
                return Asked(Answer.ABSENT, detail="the receiver has not published it")
        return Asked(Answer.UNKNOWN, detail=f"the receiver told no state: {json.dumps(answer)[:200]}")

    async def delete(self, external_id: str, options: WebhookOptions, context: PublisherContext) -> None:
        await _Receiver(options, context).send("publication.deleted", f"{external_id}-delete", {"id": external_id})


def described(post: Post) -> dict[str, Any]:
    """The facts and texts of a publication, as they are offered."""
    return {
        "publication_id": post.publication_id, "title": post.title, "description": post.description,
        "tags": list(post.tags), "language": post.language,
        "video": {
            "sha256": post.video_sha256, "size_bytes": post.video_bytes, "type": post.video_type,
            "duration_seconds": post.duration_seconds, "width": post.width, "height": post.height,
        },
        "thumbnail": {"sha256": post.thumbnail_sha256} if post.thumbnail is not None else None,
        "captions": {"sha256": post.captions_sha256} if post.captions is not None else None,
    }  # fmt: skip


class _Receiver:
    def __init__(self, options: WebhookOptions, context: PublisherContext) -> None:
        self._url = options.url
        self._context = context
        self._api = Api(context, "the receiver", _fault, hidden=(options.signing_secret,))
        try:
            self._signer = Signer(options.signing_secret)
        except (binascii.Error, ValueError) as error:
            raise ActionRequiredError("the webhook's secret is no base64 after whsec_: enter it again") from error

    async def send(
        self, kind: str, id: str, body: Mapping[str, Any], *, publishes: bool = False
    ) -> dict[str, Any]:  # fmt: skip
        """The receiver's answer: a JSON object, or nothing."""
        moment = self._context.now().isoformat()
        text = json.dumps({"type": kind, "timestamp": moment, "data": body}, ensure_ascii=False)
        answer = await self._api.call(
            "POST", self._url, signed=False, headers=self._signed(id, text), content=text.encode(),
            publishes=publishes,
        )  # fmt: skip
        return _object(answer)

    async def about(self, publication_id: str) -> dict[str, Any]:
        answer = await self._api.call(
            "GET", self._url, signed=False, headers=self._signed(publication_id, ""), ok={200, 404},
            params=httpx.QueryParams(urlsplit(self._url).query).set("publication_id", publication_id),
        )  # fmt: skip
        return {"state": "absent"} if answer.status_code == 404 else _object(answer)

    async def put(self, address: str, path: Path, sha256: str, kind: str) -> None:
        size = (await asyncio.to_thread(path.stat)).st_size

        def sent(done: int) -> None:
            self._context.progress(done / size if size else 1.0, "uploading")

        digest = base64.b64encode(bytes.fromhex(sha256)).decode()
        headers = {"Content-Length": str(size), "Content-Type": kind, "Content-Digest": f"sha-256=:{digest}:"}
        api = Api(self._context, "the receiver", _fault, hidden=(address,))
        await api.call("PUT", address, signed=False, headers=headers, stream=file_bytes(path, sent=sent))

    def _signed(self, id: str, body: str) -> dict[str, str]:
        now = self._context.now()
        return {
            "Content-Type": "application/json", "User-Agent": "video-manager", "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": self._signer.sign(id, now, body),
        }  # fmt: skip


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json() if answer.content else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _address(wanted: Any, name: str) -> str:
    if not isinstance(wanted, str) or len(wanted) > LONGEST_ADDRESS or not wanted.startswith(("https://", "http://")):
        raise PermanentError(f"the receiver's {name} is no web address: {str(wanted)[:100]}")
    return wanted


def _published(answer: Mapping[str, Any], post: Post) -> Published:
    id, url = answer.get("id"), answer.get("url")
    is_address = isinstance(url, str) and len(url) <= LONGEST_ADDRESS and url.startswith(("https://", "http://"))
    named = isinstance(id, str | int) and 0 < len(str(id)) <= LONGEST_ID
    return Published(str(id) if named else post.publication_id, str(url) if is_address else None)


def _fault(answer: httpx.Response) -> WorkError | None:
    status, text = answer.status_code, f"the receiver answered {answer.status_code}: {words(answer)}"
    if 300 <= status < 400:
        return ActionRequiredError(f"{text}; redirects are not followed: enter the final address")
    if status in (401, 403):
        return ActionRequiredError(f"{text}; look whether both sides have the same secret")
    if status in (404, 405, 410):
        return ActionRequiredError(f"{text}; nothing takes messages at this address: edit the channel")
    return RetryableError(text) if status == 409 else None
