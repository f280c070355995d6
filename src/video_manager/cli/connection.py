"""Finds the running system of this data folder, or starts one for the length of a command."""

import asyncio
import fcntl
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from video_manager.cli.client import Api
from video_manager.cli.exits import CommandError, Exit
from video_manager.collector import no_collections
from video_manager.settings import Settings

ANSWER_SECONDS = 15.0
"""How long a server that is just starting, or busy, may take to answer."""


@asynccontextmanager
async def connect(settings: Settings, *, workers: bool = False) -> AsyncIterator[Api]:
    """The API of this data folder's system. `workers` says that an embedded system has to do the work, too; in the
    cluster its services do."""
    server = await _running_server(settings.data_dir)
    if server is not None:
        async with _remote(settings, server) as http:
            yield Api(http, embedded=False)
        return
    with no_collections():
        from video_manager.bootstrap import run_embedded
        from video_manager.telemetry import configure_logging

    quiet = settings if "log_level" in settings.model_fields_set else settings.model_copy(
        update={"log_level": "WARNING"}
    )  # fmt: skip
    configure_logging(quiet)
    async with run_embedded(quiet, workers=workers and settings.keeps_data) as http:
        yield Api(http, embedded=True)


async def _running_server(data_dir: Path) -> dict[str, Any] | None:
    """What the server wrote about itself; None when there is none.

    Whether one runs is told by its lock alone: a killed server leaves its note behind, but never its lock.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while _is_locked(data_dir / "lock"):
        try:
            return dict(json.loads((data_dir / "server.json").read_text(encoding="utf-8")))
        except FileNotFoundError:  # just starting or ending, or a command without a server
            if time.monotonic() > deadline:
                raise CommandError(
                    f"another video-manager command is using {data_dir}; try again when it is done",
                    Exit.NOT_REACHABLE,
                ) from None
        except (ValueError, TypeError) as error:
            raise CommandError(
                f"{data_dir / 'server.json'} cannot be read ({error}): start the server anew", Exit.NOT_REACHABLE
            ) from error
        await asyncio.sleep(0.1)
    return None


def _is_locked(path: Path) -> bool:
    """Looks for a moment only; a start that meets this look tries again."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@asynccontextmanager
async def _remote(settings: Settings, server: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    token = settings.data_dir / "cli-token"
    try:
        secret = token.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CommandError(
            f"the server at {server['url']} runs, but {token} cannot be read ({error.strerror}); "
            "run this command as the same user as the server",
            Exit.NOT_REACHABLE,
        ) from error
    timeout = httpx.Timeout(60, connect=5)
    headers = {"Authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(
        base_url=server["url"], headers=headers, timeout=timeout, trust_env=False,
        verify=server["url"].startswith("https:"),  # else all certificate authorities are read for nothing
    ) as http:  # fmt: skip
        await _wait_for_answer(http, server)
        yield http


async def _wait_for_answer(http: httpx.AsyncClient, server: dict[str, Any]) -> None:
    deadline = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            await http.get("/health/live")
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise CommandError(
                    f"the server (process {server['pid']}) does not answer at {server['url']}; "
                    "stop it and start it again, or look at its log",
                    Exit.NOT_REACHABLE,
                ) from error
            await asyncio.sleep(0.3)
        else:
            return
