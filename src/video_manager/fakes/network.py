"""All fake platforms behind one address: the host that a call was meant for is the first part of its path.

    http://127.0.0.1:9000/www.googleapis.com/upload/youtube/v3/videos?...

Every call is written down, and a test may let any of them go wrong, before or after the platform has acted.
"""

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Router
from starlette.types import Message, Receive, Scope, Send

from video_manager.fakes.page import posts_page


@dataclass
class Call:
    """One call as it came. `status` is the answer's, None while or when there was none."""

    number: int
    method: str
    host: str
    path: str
    query: str
    status: int | None = None

    @property
    def text(self) -> str:
        return f"{self.method} {self.host}{self.path}"


@dataclass
class Fault:
    """What goes wrong with the calls it fits: those whose "METHOD host/path", with or without its query, the pattern
    finds, or the one with that number.

    `before`: the connection breaks before the platform has acted. `after`: it has acted, and its answer is lost.
    `answer`: it does not act and gives this answer. `happens` is called at that moment (a test kills a process there).
    """

    kind: Literal["before", "after", "answer"]
    pattern: str = ""
    number: int | None = None
    times: int = 1
    """How often it happens."""
    status: int = 503
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    happens: Callable[[Call], None] = lambda _call: None

    def fits(self, call: Call) -> bool:
        if self.times < 1 or (self.number is not None and self.number != call.number):
            return False
        return any(re.search(self.pattern, text) for text in (call.text, f"{call.text}?{call.query}"))


@dataclass
class FakePost:
    """What anybody can see on a platform. `sha256` and `size_bytes` are those of the video's bytes as they arrived."""

    id: str
    account: str
    text: str
    """Everything that people wrote: title, description, caption."""
    sha256: str
    size_bytes: int
    at: float
    public: bool = True
    extra: dict[str, Any] = field(default_factory=dict)


class Fake(ABC):
    """One platform. `hosts` are those its API is reached at."""

    name: ClassVar[str]
    hosts: ClassVar[tuple[str, ...]]

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.posts: dict[str, FakePost] = {}

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """Of all its hosts: a path that two hosts share is told apart by `request.scope["fake_host"]`."""

    def catch_up(self) -> None:  # noqa: B027 - most platforms keep no times
        """Make public what was to be public by now. Called before each call, and before anybody looks."""

    def public_posts(self, text: str = "") -> list[FakePost]:
        """Those that anybody can see and whose text contains it."""
        self.catch_up()
        return [post for post in self.posts.values() if post.public and text in post.text]


class FakeNetwork:
    """An ASGI app. `skew_seconds` moves the platforms' clocks, for what takes hours."""

    def __init__(self, kinds: Sequence[type[Fake]]) -> None:
        self.skew_seconds = 0.0
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.fakes = {kind.name: kind(self.now) for kind in kinds}
        self._routers: dict[str, Router] = {}
        for fake in self.fakes.values():
            router = Router(routes=list(fake.routes()), redirect_slashes=False)
            self._routers |= dict.fromkeys(fake.hosts, router)

    def now(self) -> float:
        return time.time() + self.skew_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        host, _, path = scope["path"].lstrip("/").partition("/")
        call = Call(len(self.calls) + 1, scope["method"], host, f"/{path}", scope["query_string"].decode())
        self.calls.append(call)
        fault = next((one for one in self.faults if one.fits(call)), None)
        if fault is not None:
            fault.times -= 1
        if fault is not None and fault.kind == "before":
            fault.happens(call)
            await _break(send)
        elif fault is not None and fault.kind == "answer":
            fault.happens(call)
            call.status = fault.status
            await _drain(receive)
            answer = JSONResponse(fault.body, fault.status, headers=fault.headers)
            await answer(scope, receive, send)
        else:
            await self._act(call, scope, receive, send, fault)

    async def _act(self, call: Call, scope: Scope, receive: Receive, send: Send, fault: Fault | None) -> None:
        for fake in self.fakes.values():
            fake.catch_up()
        router = self._routers.get(call.host)
        if not call.host:
            await HTMLResponse(posts_page(self.fakes.values()))(scope, receive, send)
            return
        if router is None:
            await Response(f"no such host: {call.host}", 502)(scope, receive, send)
            return
        inner = {
            **scope, "path": call.path, "raw_path": call.path.encode(), "root_path": "", "fake_host": call.host,
        }  # fmt: skip
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                call.status = message["status"]
            if fault is None:
                await send(message)
            else:
                answer.append(message)

        await router(inner, receive, keep)
        if fault is not None:
            fault.happens(call)
            await _break(send)


async def _drain(receive: Receive) -> None:
    while (await receive()).get("more_body"):
        pass


async def _break(send: Send) -> None:
    """An answer that never comes: the server closes the connection when a body it was promised does not follow."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000000")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
