"""Bytes to an address that takes them by tus 1.0.0."""

from pathlib import Path

import httpx

from video_manager.errors import LimitReached, RetryableError
from video_manager.plugins.api import PublisherContext
from video_manager.plugins.platform_http import Api, file_bytes

CHUNK_BYTES = 64 * 2**20
BREAK_SECONDS = 5.0
MOST_STALLS = 4
"""So often in a row a part may go wrong; then the ledger tries again later."""
_VERSION = {"Tus-Resumable": "1.0.0"}
_GONE = {403, 404, 410}


class TusUpload:
    """One file to one upload address, which the platform made beforehand and which is a secret.

    Written here because the clients that there are do not fit: aiotus cannot resume by address, tuspy is synchronous,
    and neither sends through a given httpx client, whose transport keeps calls away from private addresses.
    """

    def __init__(self, link: str, path: Path, size_bytes: int, context: PublisherContext, title: str) -> None:
        self._link = link
        self._path = path
        self._size = size_bytes
        self._context = context
        self._title = title
        self._api = Api(context, title, _fault, hidden=(link, httpx.URL(link).path))

    async def send(self, *, begun: bool) -> bool:
        """The bytes that are missing. False: the address does not exist any more.

        Of an upload that had `begun`, and after every connection that breaks, the server is asked where it stands."""
        at = await self._where() if begun else 0
        stalls = 0
        while at is not None and at < self._size:
            reached = await self._step(at)
            stalls = 0 if reached is None or reached > at else stalls + 1
            if stalls > MOST_STALLS:
                raise RetryableError(f"{self._title} takes no more of the upload after {at} bytes")
            at = reached
        return at is not None

    async def _step(self, at: int) -> int | None:
        try:
            return await self._part(at)
        except LimitReached:
            raise
        except RetryableError:
            await self._context.sleep(BREAK_SECONDS)
            return await self._where()

    async def _part(self, at: int) -> int | None:
        length = min(CHUNK_BYTES, self._size - at)

        def sent(done: int) -> None:
            self._context.progress(0.9 * (at + done) / self._size, "uploading")

        headers = {
            **_VERSION, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(length),
        }  # fmt: skip
        answer = await self._api.call(
            "PATCH", self._link, signed=False, headers=headers, ok={200, 204, *_GONE},
            stream=file_bytes(self._path, at, length, sent),
        )  # fmt: skip
        return self._offset(answer)

    async def _where(self) -> int | None:
        answer = await self._api.call("HEAD", self._link, signed=False, headers=_VERSION, ok={200, 204, *_GONE})
        return self._offset(answer)

    def _offset(self, answer: httpx.Response) -> int | None:
        if answer.status_code in _GONE:
            return None
        offset = answer.headers.get("Upload-Offset", "")
        if not offset.isdigit() or int(offset) > self._size:
            raise RetryableError(f"{self._title} does not say how much of the upload it has")
        return int(offset)


def _fault(answer: httpx.Response) -> RetryableError | None:
    """A wrong offset (409), or another connection that has not ended yet (423): ask, then go on."""
    if answer.status_code in (409, 423):
        return RetryableError(f"the upload stands elsewhere ({answer.status_code})")
    return None
