"""Workers outside our package: they send files by the upload API and name them when they finish a job."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from tests.integration.manager.conftest import ADMIN, Played

from video_manager.domain.access import Actor, Role
from video_manager.domain.video import MediaRole, VersionState
from video_manager.gateway.problems import install_problems
from video_manager.manager import job_routes
from video_manager.web import current_actor

WORKER = Actor(id="k1", name="key renderer", role=Role.WORKER)


@pytest.fixture
async def worker(played: Played) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problems(app)

    def actor(_request: Request) -> Actor:
        return WORKER

    app.dependency_overrides[current_actor] = actor
    app.include_router(job_routes.router(played.jobs, played.sent))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def _claim(played: Played, worker: httpx.AsyncClient) -> str:
    view = await played.request()
    await played.settled()
    claimed = await worker.post(f"/jobs/{view.id}.1.render/claim", json={"worker": "w"})
    assert claimed.status_code == 200, claimed.text
    return view.id


def _result(id: str) -> dict[str, object]:
    file = {"id": id, "role": "source", "name": "a.mp4", "content_type": "video/mp4", "size_bytes": 1, "sha256": "no"}
    return {"attempt": 1, "result": {"files": [file]}}


async def test_a_sent_in_result_belongs_to_the_version_with_the_bytes_it_really_has(
    played: Played, worker: httpx.AsyncClient
) -> None:
    video = await _claim(played, worker)
    sent = await played.store("sent", MediaRole.SOURCE, b"the bytes")
    played.sent.files["sent"] = sent
    answer = await worker.post(f"/jobs/{video}.1.render/finish", json=_result("sent"))
    assert answer.status_code == 204, answer.text
    await played.settled()
    version = (await played.videos.get(ADMIN, video)).versions[0]
    assert version.state is VersionState.PROCESSING
    assert (version.files[0].size_bytes, version.files[0].sha256) == (9, sent.sha256)
    played.sent.files.clear()  # gone its way; the answer was lost and the worker repeats itself
    assert (await worker.post(f"/jobs/{video}.1.render/finish", json=_result("sent"))).status_code == 204


async def test_a_result_cannot_name_a_file_of_another_video(played: Played, worker: httpx.AsyncClient) -> None:
    other = await played.make_ready()
    video = await _claim(played, worker)
    answer = await worker.post(f"/jobs/{video}.1.render/finish", json=_result(other.versions[0].files[0].id))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "result.files.0.id"
    await played.videos.delete(ADMIN, video)
    assert len([item async for item in played.files.list()]) == len(other.versions[0].files)
