"""What Meta's fakes have in common: errors as the Graph API words them, the fields of an object, and uploads."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from video_manager.fakes.bytes_in import Arrived, take

CONTAINER_SECONDS = 24 * 3600.0
PROCESSING_POLLS = 2
"""How often an upload is still being processed when somebody asks."""


class GraphError(Exception):
    """An error as the Graph API answers it. `said` goes to `error_user_msg`, as for people."""

    def __init__(
        self, status: int, code: int, message: str, subcode: int | None = None, *, transient: bool = False
    ) -> None:
        super().__init__(message)
        error = {
            "message": message, "type": "OAuthException", "code": code, "is_transient": transient,
            "fbtrace_id": "AaDemoTrace",
        }  # fmt: skip
        if subcode is not None:
            error |= {"error_subcode": subcode, "error_user_title": "Refused", "error_user_msg": message}
        self.answer = JSONResponse({"error": error}, status)


class UploadRefused(Exception):
    """A refusal of the host that takes the bytes, whose answers look different."""

    def __init__(self, status: int, type: str, message: str, *, retriable: bool = False) -> None:
        super().__init__(message)
        info = {"retriable": retriable, "type": type, "message": message}
        self.answer = JSONResponse({"debug_info": info}, status)


def unseen(id: str) -> GraphError:
    return GraphError(
        400, 100, f"Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation", 33,
    )  # fmt: skip


def chosen(request: Request, whole: Mapping[str, Any | Callable[[], Any]]) -> Response:
    """The object's `id` and the fields that were asked for; an unknown one fails the whole request."""
    wanted = _split(request.query_params.get("fields", ""))
    unknown = [name for name in wanted if name.partition("{")[0] not in whole]
    if unknown:
        raise GraphError(400, 100, f"(#100) Tried accessing nonexisting field ({unknown[0]})")
    names = dict.fromkeys(["id", *(name.partition("{")[0] for name in wanted)])
    values = {name: whole[name]() if callable(whole[name]) else whole[name] for name in names if name in whole}
    return JSONResponse(values)


def _split(fields: str) -> list[str]:
    """At the commas that are not inside braces."""
    parts, depth = [""], 0
    for one in fields:
        depth += (one == "{") - (one == "}")
        if one == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += one
    return [part for part in parts if part]


async def given(request: Request) -> dict[str, str]:
    """The parameters, which may stand in the query, a form or JSON."""
    found = dict(request.query_params)
    if request.headers.get("content-type", "").startswith("application/json"):
        found |= {name: value if isinstance(value, str) else json.dumps(value)
                  for name, value in (await request.json()).items()}  # fmt: skip
    elif request.method == "POST":
        found |= {name: str(value) for name, value in (await request.form()).items()}
    found.pop("access_token", None)
    return found


def known(fields: Mapping[str, str], names: Collection[str]) -> None:
    """Refuses parameters that the edge does not have."""
    strange = next((name for name in fields if name not in names), None)
    if strange is not None:
        raise GraphError(400, 100, f"(#100) The parameter {strange} is not known here")


@dataclass
class Upload:
    """One file on its way: an Instagram container, a Facebook video. Its bytes come in order, from where it stands."""

    id: str
    owner: str
    at: float
    fields: dict[str, str] = field(default_factory=dict)
    arrived: Arrived = field(default_factory=Arrived)
    size_bytes: int | None = None
    polls: int = 0
    """How often somebody asked since there was something to process."""

    @property
    def is_whole(self) -> bool:
        return self.size_bytes is not None and self.arrived.size_bytes == self.size_bytes

    @property
    def phase(self) -> dict[str, Any]:
        """`uploading_phase`, without the number of bytes, whose name differs."""
        if self.is_whole:
            return {"status": "complete"}
        return {"status": "in_progress" if self.arrived.size_bytes else "not_started"}

    async def receive(self, request: Request, most_bytes: int) -> Response:
        """Raises UploadRefused. What arrives before a connection breaks stays."""
        try:
            offset, size = int(request.headers["offset"]), int(request.headers["file_size"])
        except (KeyError, ValueError) as error:
            raise UploadRefused(400, "MissingHeaderError", "offset and file_size are needed") from error
        if size > most_bytes or size < 1:
            raise UploadRefused(400, "FileSizeError", f"at most {most_bytes} bytes")
        if self.size_bytes not in (None, size):
            raise UploadRefused(400, "FileSizeError", f"file_size was {self.size_bytes}")
        if offset != self.arrived.size_bytes or self.is_whole:
            raise UploadRefused(400, "OffsetInvalidError", f"the offset must be {self.arrived.size_bytes}")
        self.size_bytes = size
        try:
            await take(request, self.arrived, size - offset)
        except ValueError as error:
            raise UploadRefused(400, "FileSizeError", "more bytes than file_size") from error
        if self.arrived.size_bytes < size:
            raise UploadRefused(400, "PartialRequestError", "fewer bytes than file_size", retriable=True)
        return JSONResponse({"success": True, "message": "Upload successful."})
