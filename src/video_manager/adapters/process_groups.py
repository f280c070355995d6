"""Ends a child process together with all that it started."""

import asyncio
import contextlib
import logging
import os
import signal
from pathlib import Path

_POLL_SECONDS = 0.005
_PATIENCE_SECONDS = 5.0
"""A killed process ends at once, unless the kernel waits for a disk on its behalf."""
_log = logging.getLogger(__name__)


async def end_group(leader: asyncio.subprocess.Process) -> None:
    """Kill the child and its process group; on return none of them runs any more: nothing writes into the work folder
    or holds the memory that the next job needs. Being cancelled meanwhile, even repeatedly, does not cut this short."""
    ending = asyncio.ensure_future(_end(leader))
    cancelled: asyncio.CancelledError | None = None
    while not ending.done():
        try:
            await asyncio.wait({ending})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    await ending


async def _end(leader: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended, or changed its user
        os.killpg(leader.pid, signal.SIGKILL)
    await leader.wait()
    if not _exists(leader.pid):
        return
    left = _members(leader.pid)  # complete: a process with a pending SIGKILL starts no other
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _PATIENCE_SECONDS
    while left := [process for process in left if _group_of_running(process) == leader.pid]:
        if loop.time() > deadline:
            _log.warning("processes %s were killed %.0f s ago and have not ended", left, _PATIENCE_SECONDS)
            return
        await asyncio.sleep(_POLL_SECONDS)


def _exists(group: int) -> bool:
    """Also true while only zombies are left, which end when process 1 looks after them."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _members(group: int) -> list[int]:
    names = [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(name) for name in names if _group_of_running(int(name)) == group]


def _group_of_running(process: int) -> int | None:
    """Its process group; None when it has ended, as a zombie has."""
    try:
        state, _parent, group = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return None if state in "ZX" else int(group)
