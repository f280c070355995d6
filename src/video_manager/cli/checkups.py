"""What `doctor` looks at. Each checkup looks for itself and changes nothing that stays."""

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import video_manager
from video_manager.cli.output import size_text
from video_manager.errors import SettingsError, VideoManagerError
from video_manager.settings import PREFIX, Settings, read_settings

COMFORTABLE_BYTES = 5 * 10**9
MEMORY_BYTES = 1_500 * 10**6
CLOCK_ZONE_FILE = "/etc/localtime"


@dataclass(frozen=True)
class Finding:
    level: Literal["ok", "warn", "fail"]
    subject: str
    text: str
    advice: str = ""


def examine(*, quick: bool = False) -> Iterator[Finding]:
    """One finding for each thing that the system needs, in the order in which it needs them."""
    yield check_python()
    try:
        settings = read_settings()
    except SettingsError as error:
        yield Finding("fail", "settings", error.detail, "docs/settings.md lists every setting")
        return
    yield check_settings(settings)
    checks: list[Callable[[], Finding]] = [
        lambda: check_data_folder(settings), lambda: check_space(settings), check_memory, check_ffmpeg, check_fonts,
        *([] if quick else [check_voice]), lambda: check_port(settings), check_clock,
    ]  # fmt: skip
    for check in checks:
        yield check()
    yield from check_servers(settings)


def check_python() -> Finding:
    """Which Python it is; one that is too old could not have started this."""
    return Finding("ok", "python", f"{'.'.join(map(str, sys.version_info[:3]))} ({sys.executable})")


def check_settings(settings: Settings) -> Finding:
    given = sorted(name for name in os.environ if name.startswith(PREFIX))
    text = f"profile {settings.profile}; " + (f"set: {', '.join(given)}" if given else "all at their defaults")
    if settings.host not in ("127.0.0.1", "localhost", "::1") and not settings.base_url.startswith("https://"):
        return Finding(
            "warn", "settings", f"{text}; it listens on {settings.host}, and passwords travel unencrypted",
            f"put a reverse proxy with TLS before it and set {PREFIX}PUBLIC_URL=https://...",
        )  # fmt: skip
    return Finding("ok", "settings", text)


def check_data_folder(settings: Settings) -> Finding:
    folder = settings.data_dir
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"probe")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Finding("fail", "data folder", f"{folder} cannot be written: {error.strerror}",
                       f"make it writable, or name another one by {PREFIX}DATA_DIR")  # fmt: skip
    return Finding("ok", "data folder", str(folder) if folder.exists() else f"{folder} (made at the first start)")


def check_space(settings: Settings) -> Finding:
    existing = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{size_text(free)} free"
    if free < settings.min_free_bytes:
        return Finding("fail", "disk", f"{text}: new work is refused below {size_text(settings.min_free_bytes)}",
                       "free some space, delete videos, or lower the retention")  # fmt: skip
    if free < COMFORTABLE_BYTES:
        return Finding("warn", "disk", text, "a video of a minute takes about 50 MB while it is made; free some space")
    return Finding("ok", "disk", text)


def check_memory() -> Finding:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return Finding("warn", "memory", "cannot be measured here", "1.5 GB should be free")
    text = f"{size_text(available)} available, {os.cpu_count()} processors"
    if available < MEMORY_BYTES:
        return Finding(
            "warn", "memory", text, f"one render takes 600 MB: lower {PREFIX}RENDER_SLOTS or close something"
        )
    return Finding("ok", "memory", text)


def check_ffmpeg() -> Finding:
    from video_manager.media.ffmpeg_binary import ffmpeg_path, missing_capabilities

    try:
        path = ffmpeg_path()
        missing = missing_capabilities(path)
    except SettingsError as error:
        return Finding("fail", "ffmpeg", error.detail, "the text before says what to do")
    if missing:
        return Finding("fail", "ffmpeg", f"{path} lacks: {', '.join(missing)}",
                       f"name a full ffmpeg by {PREFIX}FFMPEG")  # fmt: skip
    return Finding("ok", "ffmpeg", path)


def check_fonts() -> Finding:
    from video_manager.media.fonts import Font

    try:
        bad = [font.family for font in Font if not font.metrics.has("A")]
    except (OSError, ImportError, ValueError, VideoManagerError) as error:
        return Finding("fail", "fonts", f"a caption font is missing or broken: {error}", _REINSTALL)
    if bad:
        return Finding("fail", "fonts", f"these draw no letters: {', '.join(bad)}", _REINSTALL)
    return Finding("ok", "fonts", ", ".join(font.family for font in Font))


def check_voice() -> Finding:
    from video_manager.media.speech import Voice

    started = time.monotonic()
    try:
        seconds = sum(part.duration_seconds for part in Voice().speak("The voice works."))
    except (OSError, ImportError, RuntimeError, VideoManagerError) as error:
        return Finding("fail", "voice", f"it does not speak: {error}", _REINSTALL)
    if seconds < 0.3:
        return Finding("fail", "voice", f"it said only {seconds:.2f} s of a sentence", _REINSTALL)
    return Finding("ok", "voice", f"spoke {seconds:.1f} s in {time.monotonic() - started:.1f} s")


def check_port(settings: Settings) -> Finding:
    server = settings.data_dir / "server.json"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if server.exists():
                return Finding("ok", "port", f"{settings.port} is in use; {server} says by this system")
            if _is_a_service(settings):
                return Finding("ok", "port", f"{settings.port} is in use, by a service of this system")
            return Finding("fail", "port", f"{settings.host}:{settings.port} is not to be had: {error.strerror}",
                           f"end what uses it, or set {PREFIX}PORT")  # fmt: skip
    return Finding("ok", "port", f"{settings.host}:{settings.port} is free")


def _is_a_service(settings: Settings) -> bool:
    """Whether one of the cluster's answers here: it writes down nothing about itself."""
    import httpx

    own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - no address to listen at
    host = f"[{own}]" if ":" in own else own
    try:
        said = httpx.get(f"http://{host}:{settings.port}/health/ready", timeout=5, trust_env=False).json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(said, dict) and said.keys() == {"status", "dependencies"}


def check_servers(settings: Settings) -> Iterator[Finding]:
    """Those of the cluster profile; the laptop profile has none."""
    if not (settings.uses_mongodb or settings.uses_gridfs or settings.uses_rabbitmq or settings.warehouse_url):
        return
    import asyncio

    from video_manager.bootstrap import look_at_servers

    for state in asyncio.run(look_at_servers(settings)):
        if state.problem is None:
            yield Finding("ok", state.name, "it answers, and may be written to")
        else:
            yield Finding("fail", state.name, state.problem)


def check_clock() -> Finding:
    now = datetime.now(UTC)
    installed = datetime.fromtimestamp(Path(video_manager.__file__).stat().st_mtime, UTC)
    if now < installed:
        return Finding("fail", "clock", f"it says {now:%Y-%m-%d %H:%M} UTC, before this release was installed",
                       "set the clock (timedatectl set-ntp true): schedules and sign-ins depend on it")  # fmt: skip
    local = datetime.now().astimezone()
    if "TZ" not in os.environ and not Path(CLOCK_ZONE_FILE).exists():
        return Finding("warn", "clock", f"{local:%Y-%m-%d %H:%M} {local.tzname()}: this machine has no time zone",
                       "set one (timedatectl set-timezone Europe/Berlin), or times are meant in UTC")  # fmt: skip
    return Finding("ok", "clock", f"{local:%Y-%m-%d %H:%M} {local.tzname()}")


_REINSTALL = "install the packages again: remove .venv and start ./run"
