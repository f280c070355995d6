"""A large video to a platform: memory and speed of two publishers, with a bare httpx upload in the same run.

    PYTHONPATH=src python benchmarks/uploads.py [MEGABYTES] [ROUNDS]

MEGABYTES (default 5000) is the size of the file, which is sparse: no disk takes part. It goes to a receiver on this
machine that throws it away. Each upload is a process of its own; its memory is what it needed more at its peak than
right before the first byte. Each rate is the middle one of so many ROUNDS (default 3), by turns: other programs on the
same machine move them.
"""

import asyncio
import json
import re
import resource
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from video_manager.adapters.clock import SystemClock
from video_manager.outbound import OutboundTransport
from video_manager.plugins.api import Handle, Post
from video_manager.plugins.publishers.peertube import PeerTubeOptions, PeerTubePublisher
from video_manager.plugins.publishers.vimeo_tus import TusUpload
from video_manager.publishing.context import Call, PublishingContext, Surroundings

MEBIBYTE = 1 << 20
MOST_GROWTH_BYTES = 150 * 10**6
LEAST_SHARE = 0.8
BARE = "bare httpx"
KINDS = ("peertube", "tus", BARE)


@dataclass(frozen=True)
class Sample:
    """Of one upload; `peak_bytes` is how much the peak of the process's memory grew."""

    peak_bytes: int
    seconds: float
    processor_seconds: float


@dataclass(frozen=True)
class Figures:
    growth_bytes: int
    """The most of all rounds."""
    rate: float
    """MB/s, the middle one."""
    processor_seconds: float
    """Of the uploading process for a GB, the middle one."""

    @classmethod
    def of(cls, megabytes: int, samples: list[Sample]) -> "Figures":
        return cls(
            max(one.peak_bytes for one in samples),
            statistics.median(megabytes / one.seconds for one in samples),
            statistics.median(one.processor_seconds * 1000 / megabytes for one in samples),
        )


# ---- the receiver -------------------------------------------------------------------------------------------


class _Receiver(socketserver.StreamRequestHandler):
    """As little of HTTP, of PeerTube's upload and of tus as an uploader needs; bodies are read and forgotten."""

    rbufsize = MEBIBYTE

    def handle(self) -> None:
        buffer = memoryview(bytearray(MEBIBYTE))
        while line := self.rfile.readline():
            method = line.split()[0].decode()
            headers = dict(self._headers())
            left, length = int(headers.get("content-length", 0)), int(headers.get("content-length", 0))
            while left > 0:
                left -= self.rfile.readinto(buffer[: min(left, MEBIBYTE)]) or left
            self.wfile.write(self._answer(method, headers, length))

    def _headers(self) -> Iterator[tuple[str, str]]:
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            yield name.lower(), value.strip()

    def _answer(self, method: str, headers: dict[str, str], length: int) -> bytes:
        if method == "PATCH":
            return _http("204 No Content", f"Upload-Offset: {int(headers['upload-offset']) + length}")
        if method == "POST":
            return _http("201 Created", "Location: /?upload_id=1")
        if method == "GET":  # the account's videos, and the one that was made
            return _http("200 OK", "", {"data": [], "state": {"id": 1}})
        found = re.fullmatch(r"bytes \d+-(\d+)/(\d+)", headers.get("content-range", ""))
        if found and int(found[1]) + 1 < int(found[2]):
            return _http("308 Resume Incomplete", f"Range: bytes=0-{found[1]}")
        return _http("200 OK", "", {"video": {"uuid": "1"}})


def _http(status: str, header: str, body: Any = None) -> bytes:
    content = json.dumps(body).encode() if body is not None else b""
    lines = [f"HTTP/1.1 {status}", *([header] if header else [])]
    if not status.startswith("204"):
        lines.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*lines, "", ""]).encode() + content


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def receiver() -> Iterator[str]:
    with _Server(("127.0.0.1", 0), _Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


# ---- the uploaders, each in a process of its own --------------------------------------------------------------


class _Access:
    async def token(self, _renew: Any, _refused: Any) -> str:
        return "token"


async def _save(_handle: Handle) -> None:
    """Nobody goes on with it."""


async def _publisher(kind: str, url: str, file: Path, size: int) -> "Sample":
    transport = OutboundTransport(allow_private=True, setting="(a benchmark)")
    async with httpx.AsyncClient(transport=transport, timeout=60.0, trust_env=False) as http:
        nothing: Any = None
        access: Any = _Access()
        around = Surroundings(http, SystemClock(), nothing, file.parent)
        call = Call(file.parent, save_handle=_save)
        context = PublishingContext(kind, call, around, access, {"channel_id": 1}, nothing)
        post = Post(
            publication_id="1" * 32, video_id="v1", version=1, title="A large video", description="", tags=(),
            language="en", video=file, video_sha256="", thumbnail=None, thumbnail_sha256=None, captions=None,
            captions_sha256=None, duration_seconds=1.0, video_bytes=size,
        )  # fmt: skip
        begin = _now()
        if kind == "tus":
            await TusUpload(f"{url}/files/1", file, size, context, "the receiver").send(begun=False)
        else:
            options = PeerTubeOptions(server=url, username="demo", password="demo", channel="")  # noqa: S106
            await PeerTubePublisher().upload(post, options, context)
        return _since(begin)


def _bare(url: str, file: Path, size: int) -> "Sample":
    """As httpx's documentation shows it."""
    with httpx.Client(timeout=60.0, trust_env=False) as http, file.open("rb") as content:
        begin = _now()
        http.put(url, content=content, headers={"Content-Length": str(size)}).raise_for_status()
        return _since(begin)


def _now() -> "Sample":
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Sample(used.ru_maxrss * 1024, time.perf_counter(), used.ru_utime + used.ru_stime)


def _since(begin: "Sample") -> "Sample":
    now = _now()
    return Sample(
        now.peak_bytes - begin.peak_bytes, now.seconds - begin.seconds, now.processor_seconds - begin.processor_seconds
    )


# ---- measuring ------------------------------------------------------------------------------------------------


def measured(megabytes: int, rounds: int, kinds: tuple[str, ...] = KINDS) -> dict[str, Figures]:
    found: dict[str, list[Sample]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder, receiver() as url:
        file = Path(folder) / "video.mp4"
        with file.open("wb") as sparse:
            sparse.truncate(megabytes * 10**6)
        with file.open("rb") as stored:  # into the system's cache, which the first uploader would pay for alone
            while stored.read(MEBIBYTE):
                pass
        for _ in range(rounds):
            for kind in kinds:
                command = [sys.executable, __file__, "--upload", kind, url, str(file)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[kind].append(Sample(**json.loads(done.stdout)))
    return {kind: Figures.of(megabytes, samples) for kind, samples in found.items()}


def _upload(kind: str, url: str, file: Path) -> Sample:
    size = file.stat().st_size
    return _bare(url, file, size) if kind == BARE else asyncio.run(_publisher(kind, url, file, size))


def main() -> None:
    if sys.argv[1:2] == ["--upload"]:
        print(json.dumps(asdict(_upload(sys.argv[2], sys.argv[3], Path(sys.argv[4])))))
        return
    megabytes, rounds = [*sys.argv[1:], *("5000", "3")[len(sys.argv) - 1 :]]
    print(f"file of {megabytes} MB, middle of {rounds}")
    found = measured(int(megabytes), int(rounds))
    bare = found[BARE].rate
    for kind, one in found.items():
        speed = f"{one.rate:>8,.0f} MB/s {one.rate / bare:>6.0%} of bare"
        print(f"{kind:<12}{speed}{one.processor_seconds:>8.2f} s processor a GB{one.growth_bytes / 1e6:>8.1f} MB more")
    wrong = [
        kind for kind, one in found.items() if one.growth_bytes >= MOST_GROWTH_BYTES or one.rate < LEAST_SHARE * bare
    ]
    sys.exit(f"too slow or too large: {', '.join(wrong)}" if wrong else 0)


if __name__ == "__main__":
    main()
