"""The folder publisher by itself: what it makes, and what it answers when asked about a lost attempt."""

import errno
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.integration.publishing.lone_context import client_of, context_of

from video_manager.errors import ActionRequiredError, PermanentError
from video_manager.plugins.api import Answer, Handle, Post
from video_manager.plugins.publishers.folder import FolderOptions, FolderPublisher
from video_manager.publishing.context import Progress

OPTIONS = FolderOptions(path="")


class Case:
    def __init__(self, root: Path, http: httpx.AsyncClient) -> None:
        self.folder = root / "published"
        self.handle: Handle = {}
        self.progress = Progress()
        self.publisher = FolderPublisher()
        self.video = root / "video.mp4"
        self.video.write_bytes(b"x" * 10_000_000)
        self.context = context_of(root, http, self.progress, self.folder, self._save)

    async def _save(self, handle: Handle) -> None:
        self.handle = handle

    def post(self, **changes: Any) -> Post:
        facts: dict[str, Any] = {
            "publication_id": "f" * 32, "video_id": "v", "version": 1, "title": "Titel", "description": "", "tags": (),
            "language": "de", "video": self.video, "video_sha256": "a", "thumbnail": None, "thumbnail_sha256": None,
            "captions": None, "captions_sha256": None, "duration_seconds": 1.0,
        }  # fmt: skip
        return Post(**{**facts, **changes})

    async def upload(self) -> None:
        await self.publisher.upload(self.post(), OPTIONS, self.context)

    async def publish(self) -> str:
        return (await self.publisher.publish(self.post(), self.handle, OPTIONS, self.context)).external_id

    async def ask(self) -> Answer:
        return (await self.publisher.ask(self.post(), self.handle, OPTIONS, self.context)).answer

    def shown(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith("."))


@pytest.fixture
async def case(tmp_path: Path) -> AsyncIterator[Case]:
    async with client_of() as http:
        yield Case(tmp_path, http)


async def test_nothing_is_seen_before_it_is_published(case: Case) -> None:
    await case.upload()
    assert case.shown() == []
    assert case.progress.fraction == 1.0
    assert await case.ask() is Answer.ABSENT
    assert await case.publish() == "titel-ffffffffffff.mp4"
    assert case.shown() == ["titel-ffffffffffff.json", "titel-ffffffffffff.mp4"]
    assert await case.ask() is Answer.PUBLISHED


async def test_files_that_somebody_took_away_were_published_all_the_same(case: Case) -> None:
    await case.upload()
    await case.publish()
    for name in case.shown():
        (case.folder / name).unlink()
    assert await case.ask() is Answer.PUBLISHED


async def test_a_folder_that_is_not_there_is_no_proof_of_absence(case: Case) -> None:
    await case.upload()
    await case.publish()
    shutil.rmtree(case.folder)
    assert await case.ask() is Answer.UNKNOWN
    case.folder.mkdir()
    assert await case.ask() is Answer.UNKNOWN


async def test_a_file_of_somebody_else_is_not_overwritten(case: Case) -> None:
    case.folder.mkdir()
    theirs = case.folder / "titel-ffffffffffff.json"
    for content in (b"my own notes", json.dumps({"publication_id": "other"}).encode(), b"[1]"):
        theirs.write_bytes(content)
        with pytest.raises(PermanentError, match="belongs to something else"):
            await case.upload()
        assert theirs.read_bytes() == content


async def test_a_second_attempt_clears_away_what_the_first_one_left(case: Case) -> None:
    await case.upload()
    await case.upload()
    assert len(list((case.folder / ".video-manager").iterdir())) == 1
    await case.publish()
    assert len(case.shown()) == 2


async def test_a_handle_does_not_lead_elsewhere(case: Case) -> None:
    for handle in ({"staging": "../x", "name": "n"}, {"staging": "s", "name": "/etc/n"}):
        with pytest.raises(PermanentError):
            await case.publisher.publish(case.post(), handle, OPTIONS, case.context)


async def test_a_full_disk_is_something_for_a_person(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ActionRequiredError, match=r"no space left in .*published: free some"):
        await case.upload()


async def test_deleting_takes_away_what_it_wrote_and_nothing_else(case: Case) -> None:
    await case.upload()
    name = await case.publish()
    (case.folder / "mine.txt").write_text("x")
    await case.publisher.delete(name, OPTIONS, case.context)
    await case.publisher.delete(name, OPTIONS, case.context)
    await case.publisher.delete("../../video.mp4", OPTIONS, case.context)
    assert case.shown() == ["mine.txt"]
    assert case.video.exists()
