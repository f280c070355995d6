"""Files to and from the server: resumable, with progress, and checked by their hash."""

import asyncio
import base64
import hashlib
import mimetypes
import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from video_manager.cli.client import API, Api, raise_for_problem
from video_manager.cli.exits import CommandError, Exit
from video_manager.cli.output import err

CHUNK_BYTES = 1 << 20
TRIES = 8
"""How often a broken transfer goes on without a byte arriving between two breaks."""
_TUS = {"Tus-Resumable": "1.0.0"}


async def upload(api: Api, path: Path) -> str:
    """Send a file by tus 1.0 and return its id. A broken connection goes on where the server has it."""
    size = (await asyncio.to_thread(path.stat)).st_size
    url = await _create(api, path, size)
    offset, tries = 0, 0
    with _progress() as progress:
        task = progress.add_task(path.name, total=size)
        while offset < size:
            try:
                offset = await _send_from(api, url, path, offset, progress, task)
            except httpx.TransportError as error:
                tries += 1
                if tries >= TRIES:
                    raise CommandError(f"{path.name} could not be sent ({error})", Exit.NOT_REACHABLE) from error
                await asyncio.sleep(min(0.3 * 2**tries, 10))
                arrived = await _offset(api, url)
                tries = 0 if arrived > offset else tries
                offset = arrived
                progress.update(task, completed=offset)
    return urlsplit(url).path.rstrip("/").rsplit("/", 1)[-1]


async def _create(api: Api, path: Path, size: int) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    facts = {"filename": path.name, "filetype": kind}
    encoded = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in facts.items())
    try:
        response = await api.http.post(
            f"{API}/uploads", headers={**_TUS, "Upload-Length": str(size), "Upload-Metadata": encoded}
        )
    except httpx.TransportError as error:
        raise CommandError(f"the server stopped answering ({error})", Exit.NOT_REACHABLE) from error
    raise_for_problem(response)
    return str(response.headers["Location"])


async def _send_from(api: Api, url: str, path: Path, offset: int, progress: Progress, task: object) -> int:
    headers = {**_TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    response = await api.http.patch(url, headers=headers, content=_read(path, offset, progress, task))
    if response.status_code == 409:  # another offset than we believed: ask
        return await _offset(api, url)
    raise_for_problem(response)
    return int(response.headers["Upload-Offset"])


async def _offset(api: Api, url: str) -> int:
    try:
        response = await api.http.head(url, headers=_TUS)
    except httpx.TransportError:
        return 0
    if response.status_code in (404, 410):
        raise CommandError("the server no longer has the upload; start again", Exit.FAILED)
    raise_for_problem(response)
    return int(response.headers["Upload-Offset"])


async def _read(path: Path, offset: int, progress: Progress, task: object) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield chunk
            progress.update(task, completed=file.tell())  # type: ignore[arg-type]  # rich's TaskID is an int


async def download(api: Api, url: str, path: Path, size: int, sha256: str) -> None:
    """Save a file under `path`, complete or not at all."""
    part = path.with_name(f".{path.name}.part")
    digest = hashlib.sha256()
    try:
        with _progress() as progress, part.open("wb") as file:
            task = progress.add_task(path.name, total=size)
            async with api.http.stream("GET", url) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise_for_problem(response)
                async for chunk in response.aiter_bytes(CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    progress.update(task, advance=len(chunk))
            file.flush()
            os.fsync(file.fileno())
        if digest.hexdigest() != sha256:
            raise CommandError(f"{path.name} arrived damaged (its sha256 differs); try again", Exit.FAILED)
        part.replace(path)
    except httpx.TransportError as error:
        raise CommandError(f"{path.name} could not be fetched ({error})", Exit.NOT_REACHABLE) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", Exit.FAILED) from error
    finally:
        part.unlink(missing_ok=True)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, console=err.console, transient=True)
