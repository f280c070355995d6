"""A Mastodon instance, as far as a publisher uses it; its answers have the shape of a real 4.7.3's."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from video_manager.fakes import mastodon_shapes as shapes
from video_manager.fakes.bytes_in import Arrived
from video_manager.fakes.mastodon_desk import MastodonDesk
from video_manager.fakes.mastodon_schedule import Planned, Schedule, Unplannable
from video_manager.fakes.network import Fake, FakePost

HOST = "mastodon.example"
TOKEN = "demo-access-token"  # noqa: S105 - of a fake
ACCOUNT = "117440810532227399"
VIDEO_TYPES = ("video/webm", "video/mp4", "video/quicktime", "video/ogg", "video/x-ms-asf")
VIDEO_BYTES, CHARACTERS = 103_809_024, 500
KEY_SECONDS = 3600.0
POLLS = 3
LIMITS = {"media": (30, 1800.0), "statuses": (300, 10_800.0)}
ORPHAN_SECONDS = 86_400.0
"""So long a video without a post is kept."""


class _Refused(Exception):
    def __init__(self, status: int, error: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(error)
        self.answer = JSONResponse({"error": error}, status, headers=headers)


class MastodonFake(Fake):
    name: ClassVar[str] = "mastodon"
    hosts: ClassVar[tuple[str, ...]] = (HOST,)

    def __init__(self, now: Any) -> None:
        super().__init__(now)
        self.tokens = {TOKEN: {"profile", "read", "write"}}
        """Those that were made by hand, and what they allow."""
        self.sign_in = MastodonDesk(now, HOST, ACCOUNT)
        self.fails_processing = False
        self.media: dict[str, dict[str, Any]] = {}
        self.statuses: dict[str, dict[str, Any]] = {}
        self.schedule = Schedule(now)
        self.keeps_times = True
        """False: other software, which knows nothing of scheduled statuses."""
        self._keys: dict[str, tuple[float, str, str]] = {}
        """When a key came, and what was made then: "scheduled" or "status", and its id."""
        self._used: dict[str, list[float]] = {}
        self._ids = 117_440_818_351_645_173

    def routes(self) -> Sequence[BaseRoute]:
        calls: list[tuple[str, str, Any]] = [
            ("GET", "/api/v1/accounts/verify_credentials", self._me),
            ("GET", "/api/v1/apps/verify_credentials", self._app),
            ("GET", "/api/v2/instance", self._instance),
            ("POST", "/api/v2/media", self._post_media),
            ("GET", "/api/v1/media/{id}", self._get_media),
            ("POST", "/api/v1/statuses", self._post_status),
            ("GET", "/api/v1/statuses/{id}", self._get_status),
            ("DELETE", "/api/v1/statuses/{id}", self._delete_status),
            ("GET", "/api/v1/accounts/{id}/statuses", self._list_statuses),
            ("GET", "/api/v1/scheduled_statuses", self._list_scheduled),
            ("GET", "/api/v1/scheduled_statuses/{id}", self._get_scheduled),
            ("PUT", "/api/v1/scheduled_statuses/{id}", self._move_scheduled),
            ("DELETE", "/api/v1/scheduled_statuses/{id}", self._delete_scheduled),
        ]
        own = [Route(path, _answering(call), methods=[method]) for method, path, call in calls]
        return [*own, *self.sign_in.routes()]

    def _require(self, request: Request, scope: str) -> set[str]:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        granted = self._granted(token)
        if kind != "Bearer" or granted is None:
            raise _Refused(401, "The access token is invalid")
        if not granted & {scope, scope.partition(":")[0]}:
            raise _Refused(403, "This action is outside the authorized scopes")
        return granted

    def _granted(self, token: str) -> set[str] | None:
        return self.tokens.get(token) or self.sign_in.scopes_of(token)

    def _limit(self, name: str) -> None:
        most, seconds = LIMITS[name]
        recent = [at for at in self._used.get(name, []) if self.now() - at < seconds]
        if len(recent) >= most:
            until = datetime.fromtimestamp(recent[0] + seconds, UTC)
            headers = {
                "X-RateLimit-Limit": str(most), "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": until.isoformat().replace("+00:00", "Z"),
            }  # fmt: skip
            raise _Refused(429, "Too many requests", headers)
        self._used[name] = [*recent, self.now()]

    def _id(self) -> str:
        self._ids += 1
        return str(self._ids)

    # ---- who and where ------------------------------------------------------------------------------------------

    async def _me(self, request: Request) -> Response:
        if "profile" not in self._require_any(request):
            self._require(request, "read:accounts")
        return JSONResponse(shapes.account(ACCOUNT, HOST) | shapes.own_account())

    async def _app(self, request: Request) -> Response:
        return JSONResponse(shapes.app(sorted(self._require_any(request))))

    def _require_any(self, request: Request) -> set[str]:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        granted = self._granted(token)
        if granted is None:
            raise _Refused(401, "The access token is invalid")
        return granted

    async def _instance(self, _request: Request) -> Response:
        return JSONResponse(shapes.instance(HOST, VIDEO_TYPES, VIDEO_BYTES, CHARACTERS))

    # ---- media --------------------------------------------------------------------------------------------------

    async def _post_media(self, request: Request) -> Response:
        self._require(request, "write:media")
        self._limit("media")
        async with request.form() as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise _Refused(422, "Validation failed: File can't be blank")
            if file.content_type not in VIDEO_TYPES:
                raise _Refused(422, "Validation failed: File content type is invalid")
            arrived = Arrived()
            while piece := await file.read(2**20):
                arrived.add(piece)
            thumbnail, description = form.get("thumbnail"), str(form.get("description") or "")
            if arrived.size_bytes > VIDEO_BYTES:
                raise _Refused(422, "Validation failed: File file size must be less than 99 MB")
        id = self._id()
        self.media[id] = {
            "id": id, "arrived": arrived, "polls": 0, "status": None, "at": self.now(),
            "description": description or None, "thumbnail": isinstance(thumbnail, UploadFile),
        }  # fmt: skip
        return JSONResponse(shapes.media(self.media[id], HOST, ready=False), 202)

    async def _get_media(self, request: Request) -> Response:
        self._require(request, "write:media")
        one = self.media.get(request.path_params["id"])
        if one is None or one["status"] is not None:
            raise _Refused(404, "Record not found")
        one["polls"] += 1
        if one["polls"] < POLLS:
            return JSONResponse(shapes.media(one, HOST, ready=False), 206)
        if self.fails_processing:
            raise _Refused(422, "Error processing thumbnail for uploaded media")
        return JSONResponse(shapes.media(one, HOST, ready=True))

    # ---- posts --------------------------------------------------------------------------------------------------

    async def _post_status(self, request: Request) -> Response:
        self._require(request, "write:statuses")
        key = request.headers.get("Idempotency-Key")
        if key and key in self._keys and self.now() - self._keys[key][0] < KEY_SECONDS:
            return JSONResponse(self._made_before(*self._keys[key][1:]))
        self._limit("statuses")
        given = await _given(request)
        media = self._attached(given)
        text, spoiler = str(given.get("status") or ""), str(given.get("spoiler_text") or "")
        if not text and not media:
            raise _Refused(422, "Validation failed: Text can't be blank")
        if shapes.length(text) + len(spoiler) > CHARACTERS:
            raise _Refused(422, f"Validation failed: Text character limit of {CHARACTERS} exceeded")
        if given.get("visibility", "public") not in ("public", "unlisted", "private", "direct"):
            raise _Refused(422, "Validation failed: Visibility is not included in the list")
        scheduled = self.keeps_times and bool(given.get("scheduled_at"))
        made = self._plan(given, media) if scheduled else self._make(given, media, self.now())
        if key:
            self._keys[key] = (self.now(), "scheduled" if scheduled else "status", made["id"])
        return JSONResponse(made)

    def _made_before(self, kind: str, id: str) -> dict[str, Any]:
        """What a key was used for, unless it is gone: it has been posted, taken back or deleted."""
        if kind == "scheduled" and id in self.schedule.planned:
            return _shown(self.schedule.planned[id])
        if kind == "status" and id in self.statuses:
            return self.statuses[id]
        raise _Refused(404, "Record not found")

    def _attached(self, given: Mapping[str, Any]) -> list[dict[str, Any]]:
        ids = [str(id) for id in given.get("media_ids") or ()]
        found = [self.media[id] for id in ids if id in self.media and self.media[id]["status"] is None]
        if len(found) < len(ids):
            raise _Refused(422, f"Media ({', '.join(ids)}) not found or already attached to another post")
        if any(one["polls"] < POLLS for one in found):
            raise _Refused(422, "Cannot attach files that have not finished processing. Try again in a moment!")
        return found

    def _make(self, given: Mapping[str, Any], media: list[dict[str, Any]], at: float) -> dict[str, Any]:
        id = self._id()
        shown = [shapes.media(one, HOST, ready=True) for one in media]
        made = shapes.status(id, given, shapes.account(ACCOUNT, HOST), shown, HOST, at)
        self.statuses[id] = made
        for one in media:
            one["status"] = id
        first = media[0]["arrived"] if media else Arrived()
        public = made["visibility"] in ("public", "unlisted")
        text = str(given.get("status") or "")
        self.posts[id] = FakePost(
            id, ACCOUNT, text, first.sha256, first.size_bytes, at, public, {"status": made}
        )  # fmt: skip
        return made

    async def _get_status(self, request: Request) -> Response:
        return JSONResponse(self._status(request))

    def _status(self, request: Request) -> dict[str, Any]:
        found = self.statuses.get(request.path_params["id"])
        if found is None:
            raise _Refused(404, "Record not found")
        return found

    async def _delete_status(self, request: Request) -> Response:
        self._require(request, "write:statuses")
        found = self._status(request)
        del self.statuses[found["id"]], self.posts[found["id"]]
        for one in self.media.values():
            if one["status"] == found["id"]:
                one["status"] = None
        text = found.pop("content")
        return JSONResponse(found | {"text": text})

    async def _list_statuses(self, request: Request) -> Response:
        self._require(request, "read:statuses")
        if request.path_params["id"] != ACCOUNT:
            raise _Refused(404, "Record not found")
        query = request.query_params
        before = int(query.get("max_id", 10**30))
        found = [one for id, one in reversed(self.statuses.items()) if int(id) < before]
        return JSONResponse(found[: min(int(query.get("limit", 20)), 40)])

    # ---- later --------------------------------------------------------------------------------------------------

    def _plan(self, given: Mapping[str, Any], media: list[dict[str, Any]]) -> dict[str, Any]:
        try:
            return _shown(self.schedule.add(str(given["scheduled_at"]), given, media))
        except Unplannable as refused:
            raise _Refused(422, f"Validation failed: {refused}") from refused

    def catch_up(self) -> None:
        """Posts are made at their time; one whose video belongs to another post by then is lost."""
        for planned in self.schedule.due():
            if all(one["status"] is None for one in planned.media):
                self._make(planned.given, planned.media, planned.at.timestamp())
        for id, one in list(self.media.items()):
            is_orphan = one["status"] is None and not self.schedule.holds(id)
            if is_orphan and self.now() - one["at"] > ORPHAN_SECONDS:
                del self.media[id]

    async def _list_scheduled(self, request: Request) -> Response:
        self._require(request, "read:statuses")
        if not self.keeps_times:
            raise _Refused(404, "Not Found")
        query = request.query_params
        found = self.schedule.page(int(query.get("limit", 20)), query.get("max_id"))
        return JSONResponse([_shown(one) for one in found])

    def _planned(self, request: Request) -> Planned:
        found = self.schedule.planned.get(request.path_params["id"])
        if found is None:
            raise _Refused(404, "Record not found")
        return found

    async def _get_scheduled(self, request: Request) -> Response:
        self._require(request, "read:statuses")
        return JSONResponse(_shown(self._planned(request)))

    async def _move_scheduled(self, request: Request) -> Response:
        self._require(request, "write:statuses")
        planned = self._planned(request)
        try:
            self.schedule.move(planned, str((await _given(request)).get("scheduled_at")))
        except Unplannable as refused:
            raise _Refused(422, f"Validation failed: {refused}") from refused
        return JSONResponse(_shown(planned))

    async def _delete_scheduled(self, request: Request) -> Response:
        self._require(request, "write:statuses")
        del self.schedule.planned[self._planned(request).id]
        return JSONResponse({})


def _shown(planned: Planned) -> dict[str, Any]:
    media = [shapes.media(one, HOST, ready=True) for one in planned.media]
    return shapes.scheduled(planned.id, planned.at, planned.given, media)


def _answering(call: Any) -> Any:
    async def answer(request: Request) -> Response:
        try:
            answered: Response = await call(request)
        except _Refused as refused:
            return refused.answer
        return answered

    return answer


async def _given(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        given: dict[str, Any] = await request.json()
        return given
    async with request.form() as form:
        fields = {name: value for name, value in form.items() if name != "media_ids[]"}
        return fields | {"media_ids": form.getlist("media_ids[]")}
