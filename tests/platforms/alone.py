"""One publisher by itself at its served fake: no ledger, no channel, a post of made-up bytes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import httpx
import pytest
from tests.integration.publishing.lone_context import FixedAccess, client_of, context_of
from tests.platforms.posts import keep, post_of
from tests.platforms.world import HastyClock

from video_manager.domain.video import Severity
from video_manager.errors import NotPublished, RetryableError, WorkError
from video_manager.fakes.network import Call, Fake, FakeNetwork, Fault
from video_manager.fakes.serving import served
from video_manager.plugins.api import Asked, Handle, Options, Post, Published, Publisher
from video_manager.publishing.context import PublishingContext

A = TypeVar("A", bound="Alone")
F = TypeVar("F", bound=Fake)

SHORT: Mapping[str, Any] = {"title": "Ein Tag", "tags": ("meer",), "duration_seconds": 12.4}
WHOLE: Mapping[str, Any] = {
    "description": "Am Strand.", "language": "de-AT", "thumbnail": b"JPEG" * 100, "captions": b"WEBVTT\n\n"
}  # fmt: skip
"""Some `facts`: a post without picture and captions, and one with everything."""


class SameToken(FixedAccess):
    """As when the token was revoked: asking for another one gives the same."""

    async def token(self, renew: Any, refused: str | None) -> str:
        del renew, refused
        return self.kept


@dataclass(kw_only=True)
class Alone:
    """`handles` are those that were saved, oldest first; `account` is what connecting found; `facts` change those of
    every post (see `post_of`), which is a new one of `video_bytes` where none is given."""

    folder: Path
    network: FakeNetwork
    gateway: str
    http: httpx.AsyncClient
    publisher: Publisher[Any]
    options: Options
    account: Mapping[str, Any] = field(default_factory=dict)
    access: FixedAccess = field(default_factory=FixedAccess)
    handles: list[Handle] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    video_bytes: int = 300_000

    def context(self, earlier: Handle | None = None) -> PublishingContext:
        return context_of(
            self.folder, self.http, save_handle=keep(self.handles), account=self.account, earlier=earlier,
            access=self.access, clock=HastyClock(),
        )  # fmt: skip

    def post(self, size_bytes: int | None = None, **changes: Any) -> Post:
        return post_of(self.folder, size_bytes or self.video_bytes, **{**self.facts, **changes})

    async def upload(self, post: Post | None = None, earlier: Handle | None = None) -> Handle:
        return await self.publisher.upload(post or self.post(), self.options, self.context(earlier))

    async def publish(self, handle: Handle, post: Post | None = None) -> Published:
        return await self.publisher.publish(post or self.post(), handle, self.options, self.context())

    async def published(self, options: Options | None = None, **changes: Any) -> Published:
        """From nothing to public, in one attempt."""
        post, options, context = self.post(**changes), options or self.options, self.context()
        handle = await self.publisher.upload(post, options, context)
        return await self.publisher.publish(post, handle, options, context)

    async def ask(self, handle: Handle, post: Post | None = None) -> Asked:
        return await self.publisher.ask(post or self.post(), handle, self.options, self.context())

    async def faults(self) -> list[str]:
        """The codes of what `check` finds."""
        found = await self.publisher.check(self.post(), self.options, self.context())
        return [finding.code for finding in found if finding.severity is Severity.ERROR]

    async def upload_fails(self, fault: Fault, kind: type[WorkError], text: str) -> WorkError:
        """The error of an upload in which that happens: of exactly that kind, and it says that."""
        self.network.faults.append(fault)
        with pytest.raises(kind, match=text) as raised:
            await self.upload()
        assert type(raised.value) is kind
        return raised.value

    async def interrupted(self, fault: Fault, post: Post | None = None) -> Handle:
        """What is known of an upload that this broke off; the calls are counted anew."""
        self.network.faults.append(fault)
        with pytest.raises(RetryableError):
            await self.upload(post)
        self.network.calls.clear()
        return self.handles[-1]

    async def refused_with(self, handle: Handle, fault: Fault | None = None) -> tuple[WorkError, bool]:
        """What `publish` raises, and whether it is certain that nothing was made."""
        self.network.faults += [fault] if fault else []
        try:
            await self.publish(handle)
        except NotPublished as error:
            return error.cause, True
        except WorkError as error:
            return error, False
        raise AssertionError("it was published")

    def fake_of(self, kind: type[F]) -> F:
        return next(fake for fake in self.network.fakes.values() if isinstance(fake, kind))

    def calls(self, pattern: str) -> list[Call]:
        """Those whose "METHOD host/path" contains it."""
        return [call for call in self.network.calls if pattern in call.text]


@asynccontextmanager
async def alone(
    fake: type[Fake], folder: Path, publisher: Publisher[Any], options: Options | Mapping[str, Any], *,
    kind: type[A] = Alone,  # type: ignore[assignment]  # a default for a type variable
    facts: Mapping[str, Any] = MappingProxyType({}), **more: Any,
) -> AsyncIterator[A]:  # fmt: skip
    """`more` are further fields of `kind`."""
    network = FakeNetwork([fake])
    with served(network) as gateway:
        async with client_of(gateway) as http:
            yield kind(
                folder=folder, network=network, gateway=gateway, http=http, publisher=publisher,
                options=publisher.Options.model_validate(options), facts=dict(facts), **more,
            )  # fmt: skip
