"""The `folder` platform: a video with its thumbnail, captions and a metadata sidecar, in a folder of this machine.

Everything is first staged in a hidden folder beside its destination and synced to disk. Publishing renames the files
into place, the sidecar last: whoever watches the folder takes the sidecar's appearance as the sign that the video is
complete. The sidecar leaves its staging folder only by that rename, and the emptied staging folder stays; so it can be
told for ever whether a post was made, even when somebody moved the published files away at once.
"""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

import asyncio
import errno
import json
import os
import re
import secrets
import shutil
import threading
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from video_manager.errors import ActionRequiredError, Cancelled, PermanentError
from video_manager.plugins.api import (
    Account,
    Answer,
    Asked,
    Handle,
    Options,
    Post,
    Published,
    Publisher,
    PublisherContext,
)  # fmt: skip

FOLDER_FORMAT = "folder-path"
"""JSON Schema `format` of an option that names a folder to write into; the service checks it against its settings."""

HIDDEN = ".video-manager"
SIDECAR = "metadata.json"
CHUNK_BYTES = 4 * 2**20
SLUG_BYTES = 100
"""Of the 255 that file systems allow, so that the id, the extension and other tools' suffixes fit."""


class FolderOptions(Options):
    path: str = Field(
        "", max_length=1000, description="Folder for the finished videos; a relative one starts at the system's own.",
        json_schema_extra={"format": FOLDER_FORMAT},
    )  # fmt: skip

    @field_validator("path")
    @classmethod
    def _one_line(cls, path: str) -> str:
        if any(unicodedata.category(character) == "Cc" for character in path):
            raise ValueError("must not contain control characters")
        return path.strip()


class FolderPublisher(Publisher[FolderOptions]):
    name = "folder"
    title = "Folder"
    description = "Writes the video with its thumbnail, captions and metadata into a folder."
    Options = FolderOptions
    # Renaming a few files; long only on a network drive that hangs.
    publish_timeout_seconds: ClassVar[float] = 20.0

    async def connect(self, options: FolderOptions, context: PublisherContext) -> Account:
        folder = destination(options, context)
        await asyncio.to_thread(_prove_writable, folder)
        return Account(name=str(folder), url=folder.as_uri())

    async def upload(self, post: Post, options: FolderOptions, context: PublisherContext) -> Handle:
        folder = destination(options, context)
        name = file_name(post.title, post.publication_id)
        staging = await _stoppable(lambda stopped: _stage(post, folder, name, _Copying(context, stopped)))
        handle = {"staging": staging.name, "name": name}
        await context.save_handle(handle)
        return handle

    async def publish(self, post: Post, handle: Handle, options: FolderOptions, context: PublisherContext) -> Published:
        folder = destination(options, context)
        return await asyncio.to_thread(_put_in_place, folder, handle)

    async def ask(self, post: Post, handle: Handle, options: FolderOptions, context: PublisherContext) -> Asked:
        folder = destination(options, context)
        return await asyncio.to_thread(_look, folder, handle, post.publication_id)

    async def delete(self, external_id: str, options: FolderOptions, context: PublisherContext) -> None:
        folder = destination(options, context)
        await asyncio.to_thread(_remove, folder, external_id)


def destination(options: FolderOptions, context: PublisherContext) -> Path:
    """The folder's real path. A relative one must stay below the system's own folder."""
    home = context.published_folder.resolve()
    folder = (home / Path(options.path).expanduser()).resolve()
    if not Path(options.path).expanduser().is_absolute() and not folder.is_relative_to(home):
        raise ActionRequiredError(f"the folder {options.path!r} leads out of {home}: choose another for this channel")
    return folder


def file_name(title: str, publication_id: str) -> str:
    """A safe name for any title, without extension: its letters and digits, then a part of the publication's id."""
    text = unicodedata.normalize("NFKC", title).casefold()
    slug = "-".join(re.findall(r"\w+", text.replace("_", " ")))
    slug = unicodedata.normalize("NFC", slug).encode()[:SLUG_BYTES].decode(errors="ignore").strip("-")
    marker = re.sub(r"[^0-9a-z]", "", publication_id.lower())[:12]
    return f"{slug or 'video'}-{marker}"


async def _stoppable(work: Callable[[threading.Event], Path]) -> Path:
    """Run in a thread. Cancelling waits until the thread has noticed, so that nothing is copied behind the ledger's
    back."""
    stopped = threading.Event()
    running = asyncio.ensure_future(asyncio.to_thread(work, stopped))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.gather(running, return_exceptions=True)
        raise


# ---- what runs in a thread ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Copying:
    context: PublisherContext
    stopped: threading.Event

    def copy(self, source: Path, target: Path, what: str, done: float, share: float) -> None:
        """Copy and sync; progress goes from `done` on by `share`. Raises Cancelled."""
        size_bytes = max(1, source.stat().st_size)
        with source.open("rb") as reader, target.open("wb") as writer:
            while chunk := reader.read(CHUNK_BYTES):
                if self.stopped.is_set():
                    raise Cancelled(f"stopped copying to {target}")
                writer.write(chunk)
                self.context.progress(done + share * reader.tell() / size_bytes, f"copying the {what}")
            writer.flush()
            os.fsync(writer.fileno())


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """A full, read-only or vanished disk is something for a person; the channel waits for them."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ActionRequiredError(f"no space left in {folder}: free some and resume the channel") from error
        reason = f"{error.strerror or error}"
        raise ActionRequiredError(f"cannot write to {folder} ({reason}): make it writable for this program") from error


def _prove_writable(folder: Path) -> None:
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f"{HIDDEN}-probe-{secrets.token_hex(8)}"
        try:
            probe.write_bytes(b"x")
        finally:
            probe.unlink(missing_ok=True)


def _stage(post: Post, folder: Path, name: str, copying: _Copying) -> Path:
    """Copy everything into a new hidden folder and sync it, the sidecar last."""
    with _explained(folder):
        hidden = folder / HIDDEN
        hidden.mkdir(parents=True, exist_ok=True)
        _refuse_foreign(folder / f"{name}.json", post.publication_id)
        marker = re.sub(r"[^0-9A-Za-z-]", "_", post.publication_id)
        for leftover in hidden.glob(f"{marker}.*"):
            # An earlier attempt that never got as far as being armed.
            shutil.rmtree(leftover, ignore_errors=True)
        staging = hidden / f"{marker}.{secrets.token_hex(6)}"
        staging.mkdir()
        files = {"video": post.video, "thumbnail": post.thumbnail, "captions": post.captions}
        named = {role: (path, f"{name}{path.suffix.lower()}") for role, path in files.items() if path is not None}
        for index, (role, (path, final)) in enumerate(named.items()):
            copying.copy(path, staging / final, role, index / len(named), 1 / len(named))
        sidecar = _sidecar(post, {role: final for role, (_, final) in named.items()})
        _write_durably(staging / SIDECAR, sidecar)
        for parent in (staging, hidden, folder):
            _sync_folder(parent)
    return staging


def _refuse_foreign(sidecar: Path, publication_id: str) -> None:
    try:
        owner = json.loads(sidecar.read_bytes()).get("publication_id")
    except FileNotFoundError:
        return
    except (ValueError, AttributeError):
        owner = None
    if owner != publication_id:
        raise PermanentError(f"{sidecar} belongs to something else: move it away, then try again")


def _sidecar(post: Post, files: dict[str, str]) -> bytes:
    facts: dict[str, Any] = {
        "publication_id": post.publication_id,
        "video_id": post.video_id,
        "version": post.version,
        "title": post.title,
        "description": post.description,
        "tags": list(post.tags),
        "language": post.language,
        "duration_seconds": post.duration_seconds,
        "files": files,
        "sha256": {
            role: value
            for role, value in (
                ("video", post.video_sha256), ("thumbnail", post.thumbnail_sha256), ("captions", post.captions_sha256)
            )
            if role in files
        },
    }  # fmt: skip
    return json.dumps(facts, ensure_ascii=False, indent=2).encode() + b"\n"


def _write_durably(target: Path, content: bytes) -> None:
    with target.open("wb") as writer:
        writer.write(content)
        writer.flush()
        os.fsync(writer.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _paths(folder: Path, handle: Handle) -> tuple[Path, Path]:
    """The staging folder, and the sidecar's final path. A handle is data: it must not lead elsewhere."""
    staging, name = str(handle["staging"]), str(handle["name"])
    if Path(staging).name != staging or Path(name).name != name:
        raise PermanentError(f"the stored handle {dict(handle)} is not one of the folder platform")
    return folder / HIDDEN / staging, folder / f"{name}.json"


def _put_in_place(folder: Path, handle: Handle) -> Published:
    staging, sidecar = _paths(folder, handle)
    with _explained(folder):
        facts = json.loads((staging / SIDECAR).read_bytes())
        for final in facts["files"].values():
            (staging / final).replace(folder / final)
        _sync_folder(folder)
        # Gone from here and there at once: the moment at which the post is made.
        (staging / SIDECAR).replace(sidecar)
        for changed in (folder, staging):
            _sync_folder(changed)
    return _published(folder, str(facts["files"]["video"]))


def _published(folder: Path, video: str) -> Published:
    return Published(external_id=video, url=(folder / video).as_uri())


def _look(folder: Path, handle: Handle, publication_id: str) -> Asked:
    staging, sidecar = _paths(folder, handle)
    if (staging / SIDECAR).is_file():
        return Asked(Answer.ABSENT, detail=f"{sidecar} is not there yet")
    try:
        facts = json.loads(sidecar.read_bytes())
    except FileNotFoundError:
        facts = None
    except (OSError, ValueError) as error:
        return Asked(Answer.UNKNOWN, detail=f"{sidecar} cannot be read: {error}")
    if facts is not None and facts.get("publication_id") == publication_id:
        return Asked(Answer.PUBLISHED, _published(folder, str(facts["files"]["video"])))
    if staging.is_dir():
        # The sidecar left by the rename, and somebody took the files away since.
        name = str(handle["name"])
        return Asked(Answer.PUBLISHED, Published(external_id=name, url=folder.as_uri()), "moved away since")
    return Asked(
        Answer.UNKNOWN,
        detail=f"neither {sidecar} nor its staged files are there: is the right disk mounted at {folder}?",
    )


def _remove(folder: Path, external_id: str) -> None:
    """The sidecar goes first, so that nobody takes a half-deleted video for a complete one."""
    stem = Path(Path(external_id).name).stem
    sidecar = folder / f"{stem}.json"
    with _explained(folder):
        try:
            facts = json.loads(sidecar.read_bytes())
        except FileNotFoundError:
            return
        names = [Path(name).name for name in facts["files"].values()]
        sidecar.unlink(missing_ok=True)
        for name in names:
            (folder / name).unlink(missing_ok=True)
        _sync_folder(folder)
