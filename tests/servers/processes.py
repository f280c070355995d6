"""Finds, signals and ends the processes of a server, whoever started them.

A server's processes carry its folder in their environment, so that they are found again by another program, after
their parent was killed, and wherever they moved to (epmd and PostgreSQL's workers leave their session).
"""

import os
import signal
import socket
import time
from collections.abc import Iterable
from pathlib import Path
from random import SystemRandom

MARK = "VIDEO_MANAGER_TEST_SERVER"
_LOWEST_PORT = 15_000
_POLL_SECONDS = 0.01


def marked(folder: Path) -> set[int]:
    """The running processes that carry the folder's mark, with all their descendants."""
    wanted = f"{MARK}={folder}".encode()
    found: set[int] = set()
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        process = int(entry.name)
        try:
            parents[process] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.add(process)
        except OSError:
            continue  # it has ended, or belongs to somebody else
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return {process for process in found if is_running(process)}


def is_running(process: int) -> bool:
    """A zombie has ended, whether or not its parent looked."""
    return _state(process) not in ("Z", "X", None)


def pause(folder: Path, seconds: float = 10) -> None:
    """Stop every process of the folder, and return when all stand still. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while moving := {process for process in marked(folder) if _state(process) != "T"}:
        send(moving, signal.SIGSTOP)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(moving)} of {folder} do not stop")
        time.sleep(_POLL_SECONDS)


def _state(process: int) -> str | None:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def started_at(process: int) -> int | None:
    """In clock ticks since the machine started: with it a process is told from a later one of the same number."""
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return None


def send(processes: Iterable[int], number: signal.Signals) -> None:
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            continue


def wait_until_ended(processes: Iterable[int], seconds: float) -> set[int]:
    """Those still running after that time."""
    left = set(processes)
    deadline = time.monotonic() + seconds
    while left := {process for process in left if is_running(process)}:
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    return left


def kill(folder: Path, seconds: float = 10) -> None:
    """End every process of the folder by SIGKILL. Raises TimeoutError when one does not end."""
    deadline = time.monotonic() + seconds
    while processes := marked(folder):  # again: one may have started another in between
        # All stand still before the first one dies: PostgreSQL starts new processes when one of its own is killed, and
        # those could no longer be found once their parent is gone.
        send(processes, signal.SIGSTOP)
        while new := marked(folder) - processes:
            send(new, signal.SIGSTOP)
            processes |= new
        send(processes, signal.SIGKILL)
        wait_until_ended(processes, seconds)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(processes)} of {folder} do not end")


def free_port() -> int:
    """A port on which nothing listens, below those the system gives to outgoing connections: there a client that
    connects again and again to a server which is down may meet itself, and the server finds its port taken."""
    lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    choose = SystemRandom()
    for _ in range(1000):
        port = choose.randrange(_LOWEST_PORT, max(lowest_outgoing, _LOWEST_PORT + 1000))
        if is_free(port):
            return port
    raise OSError("no free port was found")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
