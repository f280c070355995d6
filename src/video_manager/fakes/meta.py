"""Meta's Graph API, as far as publishing to Instagram and to Facebook Pages uses it. Both platforms share the hosts,
the sign-in desk and the Pages, so that they are one fake."""

import json
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes import facebook, instagram
from video_manager.fakes.desk import Desk, Grant, Refused
from video_manager.fakes.facebook import FacebookSide
from video_manager.fakes.instagram import InstagramSide
from video_manager.fakes.meta_graph import GraphError, UploadRefused, chosen, known, unseen
from video_manager.fakes.network import Fake

VERSIONS = ("v22.0", "v23.0", "v24.0", "v25.0", "v26.0")
PERSON = "100001"
PAGE, OTHER_PAGE = "200001", "200002"
ACCOUNT = "17841400000000001"
SHORT_SECONDS, LONG_SECONDS = 3600.0, 60 * 24 * 3600.0
TASKS = ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MANAGE", "MESSAGING", "MODERATE"]


class MetaFake(Fake):
    name: ClassVar[str] = "meta"
    hosts: ClassVar[tuple[str, ...]] = ("graph.facebook.com", "rupload.facebook.com", "www.facebook.com")

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.desk = Desk(
            now, accounts={PERSON: "Rita Demo"}, access_seconds=SHORT_SECONDS, refreshes=False, scope_separator=","
        )
        self.pages: dict[str, dict[str, Any]] = {
            PAGE: {"name": "Demo page", "tasks": TASKS, "instagram": {"id": ACCOUNT, "username": "demo_reels"}},
            OTHER_PAGE: {"name": "Other page", "tasks": TASKS, "instagram": None},
        }
        self.instagram = InstagramSide(now, self.posts)
        self.facebook = FacebookSide(now, self.posts)

    def page_token(self, page: str, scopes: Sequence[str]) -> str:
        """One that acts for a Page and does not end by itself."""
        token: str = self.desk.issue(page, scopes)["access_token"]
        self.desk.access[token].until = None
        return token

    def routes(self) -> Sequence[BaseRoute]:
        authorize, token = self.desk.routes("/{version}/dialog/oauth", "/{version}/oauth/access_token")
        redeem = cast("Route", token).endpoint
        return [
            authorize,
            Route("/{version}/oauth/access_token", partial(self._token, redeem), methods=["POST", "GET"]),
            Route("/ig-api-upload/{version}/{id}", self._graph(self._take_reel), methods=["POST"]),
            Route("/video-upload/{version}/{id}", self._graph(self._take_video), methods=["POST"]),
            Route("/{version}/me/{edge}", self._graph(self._me), methods=["GET"]),
            Route("/{version}/{id}", self._graph(self._node), methods=["GET", "DELETE"]),
            Route("/{version}/{id}/{edge}", self._graph(self._edge), methods=["GET", "POST"]),
        ]

    def _graph(
        self, act: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:  # fmt: skip
        """Refusals as Meta words them."""
        outdated = GraphError(400, 2635, "(#2635) You are calling a deprecated version of the API")

        async def answer(request: Request) -> Response:
            if request.path_params["version"] not in VERSIONS:
                return outdated.answer
            try:
                return await act(request)
            except (GraphError, UploadRefused) as refused:
                return refused.answer
            except Refused as refused:
                return _refusal(refused, request).answer

        return answer

    # ---- signing in ---------------------------------------------------------------------------------------------

    async def _token(self, redeem: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
        """Meta's token answers name no scopes, and its errors are those of the Graph API."""
        form = await request.form()
        if form.get("grant_type") == "fb_exchange_token":
            return self._exchange({name: str(value) for name, value in form.items()})
        answer = await redeem(request)
        body = json.loads(bytes(answer.body))
        if answer.status_code != 200:
            return GraphError(400, 100, f"Error validating verification code: {body['error']}", 36009).answer
        return JSONResponse({name: body[name] for name in ("access_token", "token_type", "expires_in")})

    def _exchange(self, form: dict[str, str]) -> Response:
        if (form.get("client_id"), form.get("client_secret")) != (self.desk.client_id, self.desk.client_secret):
            return GraphError(400, 101, "Error validating application. Invalid application ID or secret.").answer
        try:
            grant = self.desk.holder(form.get("fb_exchange_token", ""))
        except Refused as refused:
            return GraphError(400, 190, f"Error validating access token: {refused.reason}", 463).answer
        token = self.desk.issue(grant.account, sorted(grant.scopes))["access_token"]
        self.desk.access[token].until = self.now() + LONG_SECONDS
        return JSONResponse({"access_token": token, "token_type": "bearer", "expires_in": int(LONG_SECONDS)})

    async def _me(self, request: Request) -> Response:
        grant = self._grant(request)
        match request.path_params["edge"]:
            case "permissions":
                asked = [*sorted(grant.scopes), *sorted(self.desk.unticked)]
                data = [{"permission": scope, "status": "granted" if scope in grant.scopes else "declined"}
                        for scope in asked]  # fmt: skip
                return JSONResponse({"data": data})
            case "accounts":
                self._grant(request, "pages_show_list")
                return JSONResponse(self._list_pages(request, grant))
        raise GraphError(400, 2500, "Unknown path components")

    def _list_pages(self, request: Request, grant: Grant) -> dict[str, Any]:
        """One Page each time, so that nobody forgets the rest of the list."""
        ids = list(self.pages)
        start = ids.index(request.query_params["after"]) + 1 if "after" in request.query_params else 0
        shown = ids[start : start + 1]
        data = [self._page_entry(id, grant) for id in shown]
        more = {"next": "https://graph.facebook.com/next"} if ids[start + 1 :] else {}
        return {"data": data, "paging": {"cursors": {"after": shown[-1]}, **more}} if shown else {"data": []}

    def _page_entry(self, id: str, grant: Grant) -> dict[str, Any]:
        page = self.pages[id]
        entry = {**_page(id, page), "tasks": page["tasks"], "access_token": self.page_token(id, sorted(grant.scopes))}
        if page["instagram"] and "instagram_basic" in grant.scopes:
            entry["instagram_business_account"] = page["instagram"]
        return entry

    # ---- the graph ----------------------------------------------------------------------------------------------

    def _grant(self, request: Request, *any_of: str) -> Grant:
        token = request.query_params.get("access_token")
        if token:
            return self.desk.holder(token, *any_of)
        scheme = request.headers.get("Authorization", "").partition(" ")[0]
        return self.desk.require(request, *any_of, scheme=scheme if scheme == "OAuth" else "Bearer")

    def _may(self, request: Request, page: str | None, *any_of: str) -> None:
        """Whether this token may act for the Page."""
        grant = self._grant(request, *any_of)
        if page is None or grant.account not in (PERSON, page):
            raise unseen(request.path_params["id"])

    def _page_of(self, account: str) -> str | None:
        """The Page of an Instagram account."""
        return next((id for id, page in self.pages.items() if (page["instagram"] or {}).get("id") == account), None)

    async def _node(self, request: Request) -> Response:
        id = request.path_params["id"]
        if container := self.instagram.containers.get(id):
            self._may(request, self._page_of(container.owner), "instagram_basic")
            return self.instagram.show(container, request)
        if video := self.facebook.videos.get(id):
            self._may(request, video.owner, "pages_manage_posts", "pages_read_engagement")
            return self.facebook.delete(video) if request.method == "DELETE" else self.facebook.show(video, request)
        if (post := self.posts.get(id)) and (page := self._page_of(post.account)) and request.method == "GET":
            self._may(request, page, "instagram_basic")
            return self.instagram.show_post(post, request)
        if request.method == "GET" and id in self.pages:
            self._may(request, id, "pages_show_list", "pages_read_engagement")
            return chosen(request, _page(id, self.pages[id]))
        if request.method == "GET" and (page := self._page_of(id)):
            self._may(request, page, "instagram_basic")
            return chosen(request, {"name": "Demo reels", **self.pages[page]["instagram"]})
        raise unseen(id)

    async def _edge(self, request: Request) -> Response:
        id, edge = request.path_params["id"], request.path_params["edge"]
        if id in self.pages:
            return await self._page_edge(id, edge, request)
        page = self._page_of(id)
        match request.method, edge:
            case "POST", "media":
                self._may(request, page, instagram.PUBLISH)
                return await self.instagram.begin(id, request.path_params["version"], request)
            case "POST", "media_publish":
                self._may(request, page, instagram.PUBLISH)
                return await self.instagram.publish(id, request)
            case "GET", "content_publishing_limit":
                self._may(request, page, instagram.PUBLISH, "instagram_basic")
                return self.instagram.show_limit(id, request)
            case "GET", "media":
                self._may(request, page, "instagram_basic")
                return self.instagram.list_posts(id, request)
        raise GraphError(400, 2500, f"Unknown path components: /{edge}")

    async def _page_edge(self, id: str, edge: str, request: Request) -> Response:
        if (request.method, edge) != ("POST", "video_reels"):
            raise GraphError(400, 2500, f"Unknown path components: /{edge}")
        self._may(request, id, facebook.PUBLISH)
        if "CREATE_CONTENT" not in self.pages[id]["tasks"]:
            raise GraphError(403, 200, "(#200) The user must be able to create content on this Page")
        return await self.facebook.reels(id, request.path_params["version"], request)

    # ---- bytes --------------------------------------------------------------------------------------------------

    async def _take_reel(self, request: Request) -> Response:
        self._uploader(request, instagram.PUBLISH)
        container = self.instagram.containers.get(request.path_params["id"])
        if container is None or self.instagram.state(container) != "IN_PROGRESS":
            raise UploadRefused(404, "NotFoundError", "no such upload")
        return await container.receive(request, instagram.MOST_BYTES)

    async def _take_video(self, request: Request) -> Response:
        self._uploader(request, facebook.PUBLISH)
        video = self.facebook.videos.get(request.path_params["id"])
        if video is None:
            raise UploadRefused(404, "NotFoundError", "no such upload")
        return await video.receive(request, facebook.MOST_BYTES)

    def _uploader(self, request: Request, scope: str) -> None:
        """The host of the bytes wants `Authorization: OAuth`."""
        known(dict(request.query_params), ())
        self.desk.require(request, scope, scheme="OAuth")


def _page(id: str, page: dict[str, Any]) -> dict[str, Any]:
    return {"id": id, "name": page["name"], "link": f"https://www.facebook.com/{id}"}


def _refusal(refused: Refused, request: Request) -> GraphError | UploadRefused:
    if request.scope["fake_host"] == "rupload.facebook.com":
        return UploadRefused(refused.status, "NotAuthorizedError", "unauthorized user request")
    if refused.status == 401:
        return GraphError(400, 190, f"Error validating access token: {refused.reason}", 463)
    return GraphError(403, 10, f"(#10) Application does not have permission for this action: {refused.reason}")
