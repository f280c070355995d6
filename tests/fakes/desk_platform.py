"""The platform of DeskPublisher: little but its sign-in desk, which is the fakes' own."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes.desk import Desk, Refused
from video_manager.fakes.network import Fake, FakePost

PEOPLE = {"ada": "Ada's channel", "bob": "Bob's channel"}


class DeskFake(Fake):
    """`pages` are further accounts of everybody who signs in."""

    name: ClassVar[str] = "deskgram"
    hosts: ClassVar[tuple[str, ...]] = ("desk.invalid",)

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(now)
        self.desk = Desk(now, PEOPLE, rotates=True, needs_pkce=True)
        self.pages: tuple[tuple[str, str], ...] = ()

    def routes(self) -> Sequence[BaseRoute]:
        return [
            *self.desk.routes("/authorize", "/token"),
            Route("/accounts", self._accounts),
            Route("/drafts/{key}", self._draft, methods=["POST"]),
            Route("/posts/{key}", self._post, methods=["GET", "POST", "DELETE"]),
        ]

    async def _accounts(self, request: Request) -> Response:
        try:
            grant = self.desk.require(request)
        except Refused as refused:
            return JSONResponse({"error": refused.reason}, refused.status)
        own = (grant.account, PEOPLE[grant.account])
        return JSONResponse({"accounts": [{"id": id, "name": name} for id, name in (own, *self.pages)]})

    async def _draft(self, request: Request) -> Response:
        try:
            self.desk.require(request, "post")
        except Refused as refused:
            return JSONResponse({"error": refused.reason}, refused.status)
        return JSONResponse({})

    async def _post(self, request: Request) -> Response:
        try:
            grant = self.desk.require(request, "post")
        except Refused as refused:
            return JSONResponse({"error": refused.reason}, refused.status)
        key = request.path_params["key"]
        if request.method == "POST":
            text = (await request.json())["text"]
            self.posts[key] = FakePost(id=key, account=grant.account, text=text, sha256="", size_bytes=0, at=self.now())
        elif request.method == "DELETE":
            self.posts.pop(key, None)
        elif key not in self.posts:
            return JSONResponse({"error": "no such post"}, 404)
        return JSONResponse({"id": key})
