"""KEDA's queries, asked of a MongoDB that holds jobs as our code writes them."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from tests.deploy.manifest import KUBERNETES, kubectl, render
from tests.deploy.scaling import topic_of

from video_manager.adapters.cluster.documents import MongoDocuments
from video_manager.adapters.cluster.mongo import MongoConnection
from video_manager.domain.job import Job, JobKind, JobState
from video_manager.manager.jobs import JOBS
from video_manager.repository import Repository

pytestmark = pytest.mark.skipif(kubectl() is None, reason="no kubectl 1.27 or newer: nothing of Kubernetes is checked")


@pytest.fixture
async def connection(mongodb_url: str) -> AsyncIterator[MongoConnection]:
    connection = MongoConnection(mongodb_url)
    await connection.open()
    yield connection
    await connection.close()


def _job(topic: str, state: JobState, *, paused: bool = False) -> Job:
    kind = JobKind.PROCESSING if topic == "processing" else JobKind.RENDER
    name = f"{topic}-{state}-{paused}"
    return Job(
        id=name, video_id=name, version=1, kind=kind, topic=topic, input={}, state=state, paused=paused,
        created_at=datetime.now(UTC),
    )  # fmt: skip


async def test_each_worker_is_wanted_for_its_own_jobs_that_are_claimed_or_may_be(connection: MongoConnection) -> None:
    manifest = render(KUBERNETES / "overlays" / "production")
    topics = {
        one.name: topic_of(one) for one in manifest.services() if one.args[1:2] in (["generation"], ["processing"])
    }
    documents = MongoDocuments(connection)
    jobs = Repository(documents, JOBS, Job)
    await jobs.register()
    for topic in topics.values():
        for state in JobState:
            await jobs.add(_job(topic, state))
        await jobs.add(_job(topic, JobState.QUEUED, paused=True))

    for name, topic in topics.items():
        facts = manifest.get("ScaledObject", name)["spec"]["triggers"][0]["metadata"]
        found = connection.database[facts["collection"]].find(json.loads(facts["query"]))
        assert sorted([one["_id"] async for one in found]) == [f"{topic}-claimed-False", f"{topic}-queued-False"]
