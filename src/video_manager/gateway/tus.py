"""Resumable uploads over HTTP: the tus protocol 1.0 (https://tus.io/protocols/resumable-upload), and plain JSON to
look at them."""

import base64
import binascii
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from video_manager.domain.access import Actor
from video_manager.errors import InvalidInput
from video_manager.gateway.problems import MethodNotAllowed
from video_manager.gateway.upload import UploadView
from video_manager.gateway.upload_bytes import ALGORITHMS, Checksum, body_of
from video_manager.gateway.upload_errors import WrongContentType, WrongProtocolVersion
from video_manager.gateway.uploads import UploadsService
from video_manager.web import CurrentActor, Cursor, Items, Limit, RequestIds

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,expiration,checksum"
PIECE_TYPE = "application/offset+octet-stream"


class UploadOut(BaseModel):
    """`id` is what options name as their source file, once `completed_at` is set."""

    id: str
    name: str
    content_type: str
    length_bytes: int
    offset_bytes: int
    created_at: datetime
    expires_at: datetime
    completed_at: datetime | None
    sha256: str | None


class TusHeaders:
    """Puts Tus-Resumable on every answer about uploads, errors included, as the protocol demands."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix):
            await self._app(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Tus-Resumable"] = VERSION
                if message["status"] == 412:
                    headers["Tus-Version"] = VERSION
            await send(message)

        await self._app(scope, receive, marked)


async def required_version(
    tus_resumable: Annotated[str | None, Header(description=f"Always {VERSION}.")] = None,
) -> None:
    if tus_resumable != VERSION:
        raise WrongProtocolVersion(f"send `Tus-Resumable: {VERSION}`; this is what this server speaks")


async def optional_version(tus_resumable: Annotated[str | None, Header()] = None) -> None:
    if tus_resumable is not None:
        await required_version(tus_resumable)


async def overrides_patch(x_http_method_override: Annotated[str | None, Header()] = None) -> None:
    if (x_http_method_override or "").upper() != "PATCH":
        raise MethodNotAllowed(
            "an upload's bytes are sent by PATCH, or by POST with `X-HTTP-Method-Override: PATCH`",
            ["GET", "HEAD", "PATCH", "DELETE", "OPTIONS"],
        )


SpeaksTus = Depends(required_version)


def upload_routes(uploads: UploadsService, max_upload_bytes: int, base: str) -> APIRouter:
    """`base` is the path below which the router will be reached, for the addresses of uploads."""
    router = APIRouter(prefix="/uploads", tags=["uploads"])
    _add_discovery(router, max_upload_bytes)
    _add_creation(router, uploads, base)
    _add_transfer(router, uploads)
    _add_listing(router, uploads)
    return router


def _add_discovery(router: APIRouter, max_upload_bytes: int) -> None:
    @router.options("", status_code=204, include_in_schema=False)
    @router.options("/{upload_id}", status_code=204, include_in_schema=False)
    async def capabilities(_actor: CurrentActor) -> Response:
        headers = {
            "Tus-Version": VERSION,
            "Tus-Extension": EXTENSIONS,
            "Tus-Max-Size": str(max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
        }
        return Response(status_code=204, headers=headers)


def _add_creation(router: APIRouter, uploads: UploadsService, base: str) -> None:
    @router.post("", status_code=201, dependencies=[SpeaksTus], response_class=Response)
    async def create(
        request: Request,
        actor: CurrentActor,
        new_id: RequestIds,
        upload_length: Annotated[int, Header(ge=0, le=2**53, description="Bytes of the whole file.")],
        upload_metadata: Annotated[str, Header(max_length=4000, description="`filename BASE64,filetype BASE64`")] = "",
        upload_checksum: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """Announce a file; `Location` is where its bytes go (by PATCH). The first bytes may come along as the body."""
        about = read_metadata(upload_metadata)
        name = about.get("filename") or about.get("name") or "file"
        made = await uploads.create(
            actor, new_id("upload"), upload_length, name, about.get("filetype") or about.get("type")
        )
        if request.headers.get("content-type") == PIECE_TYPE:
            made = await _append(request, uploads, actor, made.upload.id, made.offset_bytes, upload_checksum)
        location = f"{base}/uploads/{made.upload.id}"
        return Response(status_code=201, headers={"Location": location, **_state(made)})


def _add_transfer(router: APIRouter, uploads: UploadsService) -> None:
    @router.head("/{upload_id}", dependencies=[SpeaksTus], response_class=Response)
    async def offset(actor: CurrentActor, upload_id: str) -> Response:
        """How many bytes are here: continue from there."""
        view = await uploads.get(actor, upload_id)
        about = {"Upload-Length": str(view.upload.length_bytes), "Upload-Metadata": write_metadata(view)}
        return Response(headers={"Cache-Control": "no-store", **about, **_state(view)})

    async def append(
        request: Request,
        actor: CurrentActor,
        upload_id: str,
        upload_offset: Annotated[int, Header(ge=0)],
        upload_checksum: Annotated[
            str | None, Header(max_length=200, description="`sha256 BASE64` of this request's bytes.")
        ] = None,
    ) -> Response:
        """Send bytes from `Upload-Offset` on, as many as you like. After the last one the file is ready."""
        if request.headers.get("content-type") != PIECE_TYPE:
            raise WrongContentType(f"send the bytes as {PIECE_TYPE}")
        view = await _append(request, uploads, actor, upload_id, upload_offset, upload_checksum)
        return Response(status_code=204, headers=_state(view))

    binary = {"requestBody": {"content": {PIECE_TYPE: {"schema": {"type": "string", "format": "binary"}}}}}
    router.patch(
        "/{upload_id}", status_code=204, dependencies=[SpeaksTus], response_class=Response, openapi_extra=binary
    )(append)

    @router.post(
        "/{upload_id}", status_code=204, dependencies=[Depends(overrides_patch), SpeaksTus], include_in_schema=False
    )
    async def overridden(
        request: Request,
        actor: CurrentActor,
        upload_id: str,
        upload_offset: Annotated[int, Header(ge=0)],
        upload_checksum: Annotated[str | None, Header(max_length=200)] = None,
    ) -> Response:
        """PATCH for clients whose network lets only POST through."""
        return await append(request, actor, upload_id, upload_offset, upload_checksum)

    @router.delete("/{upload_id}", status_code=204, dependencies=[Depends(optional_version)])
    async def remove(actor: CurrentActor, upload_id: str) -> None:
        """Give the upload up and free its space."""
        await uploads.remove(actor, upload_id)


def _add_listing(router: APIRouter, uploads: UploadsService) -> None:
    @router.get("")
    async def mine(actor: CurrentActor, cursor: Cursor = None, limit: Limit = 50) -> Items[UploadOut]:
        """Your uploads, the newest first."""
        page = await uploads.page(actor, cursor, limit)
        return Items(items=[_upload_out(view) for view in page.items], next=page.next)

    @router.get("/{upload_id}")
    async def one(actor: CurrentActor, upload_id: str) -> UploadOut:
        return _upload_out(await uploads.get(actor, upload_id))


async def _append(
    request: Request, uploads: UploadsService, actor: Actor, upload_id: str, offset: int, checksum: str | None
) -> UploadView:
    expected = Checksum.read(checksum) if checksum is not None else None
    return await uploads.append(actor, upload_id, offset, body_of(request), expected)


def read_metadata(header: str) -> dict[str, str]:
    """`key BASE64,key BASE64`. Raises InvalidInput."""
    pairs: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in header.split(","))):
        key, _, value = part.partition(" ")
        try:
            pairs[key] = base64.b64decode(value.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise InvalidInput.field("Upload-Metadata", f"the value of {key!r} is no UTF-8 text in base64") from error
    return pairs


def write_metadata(view: UploadView) -> str:
    pairs = {"filename": view.upload.name, "filetype": view.upload.content_type}
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def _state(view: UploadView) -> dict[str, str]:
    state = {"Upload-Offset": str(view.offset_bytes)}
    if view.upload.completed_at is None:
        state["Upload-Expires"] = format_datetime(view.upload.expires_at.astimezone(UTC), usegmt=True)
    return state


def _upload_out(view: UploadView) -> UploadOut:
    facts = view.upload.model_dump(include=set(UploadOut.model_fields))
    return UploadOut(offset_bytes=view.offset_bytes, **facts)
