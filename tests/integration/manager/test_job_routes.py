"""Workers outside our package: they register, take jobs of their generators, send files, and name them in the end."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI, Request
from tests.integration.manager.conftest import ADMIN, PRODUCER, Played

from video_manager.contracts.envelope import Envelope
from video_manager.domain.access import Actor, Role
from video_manager.domain.job import JobState
from video_manager.domain.video import MediaRole, VersionState
from video_manager.errors import InvalidInput
from video_manager.gateway.problems import install_problems
from video_manager.manager import job_routes, plugin_routes
from video_manager.manager.sent_results import SentResults
from video_manager.manager.worker_desk import WorkerDesk
from video_manager.plugins.registry import PluginKind
from video_manager.ports import Subscription
from video_manager.web import current_actor

WORKER = Actor(id="k1", name="key painter", role=Role.WORKER)
REPLACED = Actor(id="k9", name="key painter", role=Role.WORKER)
STRANGER = Actor(id="k2", name="key stranger", role=Role.WORKER)
MP4 = b"\x00\x00\x00\x20ftypisom" + b"the rest"
DREAM = {
    "name": "dream",
    "title": "Dream",
    "description": "Dreams.",
    "options_schema": {
        "type": "object",
        "properties": {
            "mood": {"enum": ["calm", "wild"], "x-draw": ["calm", "wild"]},
            "picture": {"type": "string", "format": "source-file"},
        },
        "additionalProperties": False,
    },
}

ClientOf = Callable[[Actor], httpx.AsyncClient]


@pytest.fixture
async def client_of(played: Played) -> ClientOf:
    app = FastAPI()
    install_problems(app)

    def actor(request: Request) -> Actor:
        return Actor.model_validate_json(request.headers["actor"])

    app.dependency_overrides[current_actor] = actor
    desk = WorkerDesk(played.jobs, played.generators, SentResults(played.sent, played.files))
    app.include_router(job_routes.router(desk, played.files))
    terms = plugin_routes.WorkerTerms(90, 30, 2, 1000)
    app.include_router(plugin_routes.router(played.jobs._registry, played.generators, terms))
    transport = httpx.ASGITransport(app)

    def client(actor: Actor) -> httpx.AsyncClient:
        headers = {"actor": actor.model_dump_json()}
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    return client


@pytest.fixture
async def worker(played: Played, client_of: ClientOf) -> AsyncIterator[httpx.AsyncClient]:
    """A worker whose generator is registered, and who hears the commands."""

    async def hear(_message: Envelope) -> None:
        pass

    await played.bus.consume(Subscription("render.dream", ("render.dream",), hear))
    async with client_of(WORKER) as client:
        assert (await client.post("/generators", json=DREAM)).status_code == 200
        yield client


async def _claimed(played: Played, worker: httpx.AsyncClient, **options: object) -> str:
    view = await played.request(generator="dream", options=options)
    await played.settled()
    claimed = await worker.post(f"/jobs/{view.id}.1.render/claim", json={"worker": "w"})
    assert claimed.status_code == 200, claimed.text
    return view.id


async def _sent(played: Played, name: str, content: bytes, actor: Actor = WORKER) -> str:
    played.sent.files[name] = await played.store(name, MediaRole.SOURCE, content)
    played.sent.senders[name] = actor.id
    return name


def _result(*files: tuple[str, str], **more: object) -> dict[str, object]:
    return {"attempt": 1, "result": {"files": [{"id": id, "role": role} for id, role in files], **more}}


# ---- registering --------------------------------------------------------------------------------------------


async def test_registering_tells_the_worker_what_it_needs(played: Played, client_of: ClientOf) -> None:
    async with client_of(WORKER) as worker, client_of(ADMIN) as admin:
        first = (await worker.post("/generators", json=DREAM)).json()
        assert first == {
            "name": "dream", "owner": "key painter", "registered_at": first["registered_at"],
            "last_seen_at": first["registered_at"], "message_type": "render.dream", "exchange": "video-manager",
            "queue": "video-manager.render.dream", "register_again_seconds": 30, "renew_seconds": 2,
            "lease_seconds": 30, "max_upload_bytes": 1000,
        }  # fmt: skip
        again = (await worker.post("/generators", json={**DREAM, "title": "Dreams"})).json()
        assert again["registered_at"] == first["registered_at"]
        assert again["last_seen_at"] > first["last_seen_at"]
        (listed,) = [item for item in (await admin.get("/generators")).json()["items"] if item["external"]]
    assert (listed["name"], listed["title"], listed["offline"]) == ("dream", "Dreams", False)
    assert listed["json_schema"] == DREAM["options_schema"]
    assert (await played.bus.depth())["render.dream"] == 0, "its queue waits for the first command"


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"name": "paint"}, 409, None),
        ({"name": "finished"}, 422, "name"),
        ({"name": "Dream"}, 422, "name"),
        ({"options_schema": {"type": "array"}}, 422, "options_schema"),
        ({"options_schema": {"type": "object", "$id": "https://a.invalid"}}, 422, "options_schema"),
        ({"key": "other"}, 422, "key"),
    ],
)
async def test_a_wrong_registration_is_refused(
    client_of: ClientOf, changes: dict[str, object], status: int, field: str | None
) -> None:
    async with client_of(WORKER) as worker:
        answer = await worker.post("/generators", json={**DREAM, **changes})
    assert answer.status_code == status, answer.text
    assert field is None or answer.json()["errors"][0]["field"] == field


async def test_a_name_belongs_to_the_key_that_registered_it(worker: httpx.AsyncClient, client_of: ClientOf) -> None:
    async with client_of(STRANGER) as stranger, client_of(REPLACED) as replaced, client_of(ADMIN) as admin:
        taken = await stranger.post("/generators", json=DREAM)
        assert (taken.status_code, taken.json()["code"]) == (409, "already_exists")
        assert (await replaced.post("/generators", json=DREAM)).status_code == 200, "a new key of the same name"
        assert (await admin.post("/generators", json=DREAM)).status_code == 422, "for whom?"
        given = (await admin.post("/generators", json={**DREAM, "key": "stranger"})).json()
        assert (given["owner"], given["last_seen_at"]) == ("key stranger", None)
        assert (await worker.post("/generators", json=DREAM)).status_code == 409
        assert (await stranger.post("/generators", json=DREAM)).json()["last_seen_at"] is not None


async def test_one_key_may_not_fill_the_list(worker: httpx.AsyncClient) -> None:
    for number in range(19):
        assert (await worker.post("/generators", json={**DREAM, "name": f"dream-{number}"})).status_code == 200
    refused = await worker.post("/generators", json={**DREAM, "name": "one-more"})
    assert refused.status_code == 409
    assert (await worker.post("/generators", json=DREAM)).status_code == 200, "those it has stay alive"


async def test_a_generator_with_open_jobs_is_not_removed(
    played: Played, worker: httpx.AsyncClient, client_of: ClientOf
) -> None:
    view = await played.request(generator="dream")
    await played.settled()
    async with client_of(ADMIN) as admin:
        refused = await admin.delete("/generators/dream")
        assert refused.status_code == 409
        assert "1 jobs" in refused.json()["detail"]
        await played.videos.cancel(ADMIN, view.id)
        await played.settled()
        assert (await admin.delete("/generators/dream")).status_code == 204
        assert (await admin.delete("/generators/dream")).status_code == 404
    with pytest.raises(InvalidInput, match="not installed"):
        await played.request(generator="dream")
    assert (await worker.post("/generators", json=DREAM)).status_code == 200, "it may come back"


async def test_a_video_whose_generator_went_away_fails_and_can_be_retried(
    played: Played, worker: httpx.AsyncClient, client_of: ClientOf
) -> None:
    await played.relay.stop()
    view = await played.request(generator="dream")
    async with client_of(ADMIN) as admin:
        await admin.delete("/generators/dream")  # no job is open: the message that opens it is still on its way
    await played.relay.start()
    await played.settled()
    version = (await played.videos.get(ADMIN, view.id)).versions[0]
    assert version.state is VersionState.FAILED
    assert "'dream' is not installed" in (version.error or "")
    await worker.post("/generators", json=DREAM)
    await played.videos.retry(ADMIN, view.id)
    await played.settled()
    assert (await played.jobs.get(f"{view.id}.1.render")).state is JobState.QUEUED


async def test_another_process_hears_of_it_or_looks_when_it_does_not_know(
    played: Played, worker: httpx.AsyncClient
) -> None:
    registry = played.jobs._registry
    played.generators.known.forget("dream")  # as in a process that has not heard of it
    assert "dream" not in registry.names(PluginKind.GENERATOR)
    await played.request(generator="dream")
    assert registry.is_external(PluginKind.GENERATOR, "dream")
    await worker.post("/generators", json={**DREAM, "title": "Other"})
    assert registry.description(PluginKind.GENERATOR, "dream").title == "Other"


# ---- a key works on its own jobs only -----------------------------------------------------------------------


async def test_a_key_neither_sees_nor_touches_jobs_of_others(
    played: Played, worker: httpx.AsyncClient, client_of: ClientOf
) -> None:
    mine = await _claimed(played, worker)
    built_in = await played.request()
    await played.settled()
    processing = f"{built_in.id}.1.processing"
    await played.render(built_in.id)
    calls: list[tuple[str, str, object]] = [
        ("GET", "", None), ("POST", "/claim", {"worker": "w"}), ("POST", "/renew", {"attempt": 1}),
        ("POST", "/finish", _result(("f", "source"))), ("POST", "/fail", {"attempt": 1, "error": "x"}),
        ("POST", "/give-back", {"attempt": 1}), ("GET", "/sources/f", None),
    ]  # fmt: skip
    async with client_of(STRANGER) as stranger:
        for id in (f"{mine}.1.render", f"{built_in.id}.1.render", processing, "unknown"):
            for method, path, body in calls:
                answer = await stranger.request(method, f"/jobs/{id}{path}", json=body)
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), f"{method} {path} of {id}"
        assert (await stranger.get("/jobs")).json()["items"] == []
        assert (await stranger.get("/jobs", params={"generator": "dream", "state": "claimed"})).json()["items"] == []
    assert (await played.jobs.get(f"{mine}.1.render")).state is JobState.CLAIMED
    assert (await worker.get(f"/jobs/{processing}")).status_code == 404, "processing is ours"
    async with client_of(PRODUCER) as producer:
        assert (await producer.get(f"/jobs/{mine}.1.render")).status_code == 200, "people may look"
        assert (await producer.get("/jobs")).status_code == 403


async def test_waiting_jobs_are_listed_the_most_urgent_first(played: Played, worker: httpx.AsyncClient) -> None:
    views = [await played.request(generator="dream", priority=priority) for priority in (5, 9, 5)]
    paused = await played.request(generator="dream")
    await played.videos.adjust(ADMIN, paused.id, priority=None, paused=True)
    await played.request()  # of a generator of ours
    await played.settled()
    items = (await worker.get("/jobs", params={"generator": "dream", "state": "queued"})).json()["items"]
    assert [item["video_id"] for item in items] == [views[1].id, views[0].id, views[2].id]
    assert len((await worker.get("/jobs", params={"limit": 2})).json()["items"]) == 2
    assert items[0]["input"]["options"]["mood"] in ("calm", "wild")


async def test_source_files_are_for_whoever_has_claimed_the_job(
    played: Played, worker: httpx.AsyncClient, client_of: ClientOf
) -> None:
    picture = await _sent(played, "picture", b"0123456789", ADMIN)
    await _sent(played, "other", b"secret", ADMIN)
    view = await played.request(generator="dream", options={"picture": picture})
    await played.settled()
    job = f"/jobs/{view.id}.1.render"
    assert (await worker.get(f"{job}/sources/picture")).status_code == 409, "not claimed yet"
    claimed = (await worker.post(f"{job}/claim", json={"worker": "w"})).json()
    assert claimed["input"]["sources"] == ["picture"]
    whole = await worker.get(f"{job}/sources/picture")
    assert (whole.status_code, whole.content) == (200, b"0123456789")
    part = await worker.get(f"{job}/sources/picture", headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    assert (await worker.get(f"{job}/sources/other")).status_code == 404
    assert (await worker.post(f"{job}/give-back", json={"attempt": 1})).status_code == 204
    assert (await worker.get(f"{job}/sources/picture")).status_code == 409


async def test_a_cancelled_job_tells_its_worker_to_stop(played: Played, worker: httpx.AsyncClient) -> None:
    video = await _claimed(played, worker)
    renewal = {"attempt": 1, "progress": 0.5, "stage": "half\x07way\nthrough"}
    assert (await worker.post(f"/jobs/{video}.1.render/renew", json=renewal)).status_code == 204
    assert (await played.jobs.get(f"{video}.1.render")).stage == "halfway through"
    await played.videos.cancel(ADMIN, video)
    await played.settled()
    for path, body in (("renew", renewal), ("finish", _result(("f", "source"))), ("give-back", {"attempt": 1})):
        answer = await worker.post(f"/jobs/{video}.1.render/{path}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "lease_lost"), path


async def test_a_worker_elsewhere_keeps_its_job_when_the_laptop_system_starts_again(
    played: Played, worker: httpx.AsyncClient
) -> None:
    video = await _claimed(played, worker)
    assert await played.leases.void(played.generators.known.works_elsewhere) == 0
    assert (await worker.post(f"/jobs/{video}.1.render/renew", json={"attempt": 1})).status_code == 204


# ---- nothing a worker says is believed ----------------------------------------------------------------------


async def test_a_sent_in_result_belongs_to_the_version_with_the_bytes_it_really_has(
    played: Played, worker: httpx.AsyncClient
) -> None:
    video = await _claimed(played, worker)
    await _sent(played, "sent", MP4)
    await _sent(played, "words", b"WEBVTT\n\n")
    body = _result(
        ("sent", "source"), ("words", "captions"), facts={"model": "m", "steps": 3}, suggested={"title": "T"}
    )
    answer = await worker.post(f"/jobs/{video}.1.render/finish", json=body)
    assert answer.status_code == 204, answer.text
    await played.settled()
    version = (await played.videos.get(ADMIN, video)).versions[0]
    assert version.state is VersionState.PROCESSING
    source, captions = version.files
    assert (source.size_bytes, source.content_type, source.duration_seconds) == (len(MP4), "video/mp4", None)
    assert source.sha256 == played.sent.files["sent"].sha256
    assert (captions.role, captions.content_type) == (MediaRole.CAPTIONS, "text/vtt")
    assert version.facts == {"model": "m", "steps": 3}
    played.sent.files.clear()  # gone their way; the answer was lost and the worker repeats itself
    assert (await worker.post(f"/jobs/{video}.1.render/finish", json=body)).status_code == 204


async def test_a_result_names_only_files_that_the_same_key_sent(played: Played, worker: httpx.AsyncClient) -> None:
    other = await played.make_ready()
    await _sent(played, "of-a-person", MP4, ADMIN)
    await _sent(played, "of-a-stranger", MP4, STRANGER)
    video = await _claimed(played, worker)
    for id in (other.versions[0].files[0].id, "of-a-person", "of-a-stranger"):
        answer = await worker.post(f"/jobs/{video}.1.render/finish", json=_result((id, "source")))
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "result.files.0.id"
    await played.videos.delete(ADMIN, video)
    assert {file.id for file in other.versions[0].files} <= {item.id async for item in played.files.list()}


@pytest.mark.parametrize(
    ("content", "role"),
    [(b"<html>", "source"), (b"", "source"), (b"%PDF-1.7", "source"), (MP4, "captions"), (b"<html>", "captions")],
)
async def test_what_is_no_video_is_refused_at_once(
    played: Played, worker: httpx.AsyncClient, content: bytes, role: str
) -> None:
    video = await _claimed(played, worker)
    await _sent(played, "good", MP4)
    await _sent(played, "bad", content)
    files = (("bad", "source"),) if role == "source" else (("good", "source"), ("bad", "captions"))
    answer = await worker.post(f"/jobs/{video}.1.render/finish", json=_result(*files))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == f"result.files.{len(files) - 1}.id"
    assert (await played.jobs.get(f"{video}.1.render")).state is JobState.CLAIMED, "it may still send another"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("renew", {"attempt": 1, "progress": 1.5}),
        ("renew", {"attempt": 1, "stage": "x" * 201}),
        ("renew", {"attempt": 2**70}),
        ("fail", {"attempt": 1, "error": "x" * 4001}),
        ("finish", {"attempt": 1, "result": {"files": []}}),
        ("finish", _result(("a", "master"))),
        ("finish", _result(("a", "source"), ("b", "source"))),
        ("finish", _result(("a", "captions"))),
        ("finish", _result(("a", "source"), facts={f"f{number}": 1 for number in range(51)})),
        ("finish", _result(("a", "source"), facts={"big": 10**400})),
        ("finish", _result(("a", "source"), facts={"long": "x" * 501})),
        ("finish", _result(("a", "source"), facts={"<b>": 1})),
        ("finish", _result(("a", "source"), suggested={"tags": ["x"] * 101})),
        ("finish", _result(("a", "source"), report={"measured": {"integrated_lufs": -14}})),
    ],
)
async def test_what_a_worker_says_is_bounded(
    played: Played, worker: httpx.AsyncClient, path: str, body: dict[str, object]
) -> None:
    video = await _claimed(played, worker)
    answer = await worker.post(f"/jobs/{video}.1.render/{path}", json=body)
    assert answer.status_code == 422, answer.text
