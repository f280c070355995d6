"""Whether the autoscalers of the workers ask MongoDB for what our code writes there."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.deploy.code import known_secrets, read_command
from tests.deploy.manifest import Manifest, Object, Workload

from video_manager.contracts.topology import render_type
from video_manager.domain.job import OPEN_JOB_STATES, Job, JobState
from video_manager.manager.jobs import JOBS

BODY = "body."
"""Where an aggregate's own fields are in its document, beside revision, inbox and outbox."""
STATE = "body.state"


def scaling_faults(manifest: Manifest, overlay: str) -> list[str]:
    workers = {one.name: one for one in manifest.services() if one.args[1:2] in (["generation"], ["processing"])}
    scalers = {one["spec"]["scaleTargetRef"]["name"]: one for one in manifest.of_kind("ScaledObject")}
    if not scalers:
        return []
    faults = [f"{name}: has no ScaledObject" for name in sorted(workers.keys() - scalers.keys())]
    for name, scaler in scalers.items():
        if name not in workers:
            faults.append(f"ScaledObject {name}: is of no worker")
        else:
            faults += [f"ScaledObject {name}: {fault}" for fault in _faults(manifest, overlay, workers[name], scaler)]
    return faults


def topic_of(one: Workload) -> str:
    """The commands that a worker takes."""
    return _topic(tuple(one.args))


@cache
def _topic(args: tuple[str, ...]) -> str:
    given = read_command(list(args))
    return render_type(given["generator"][0]) if given["service"] == "generation" else str(given["service"])


def _faults(manifest: Manifest, overlay: str, worker: Workload, scaler: Object) -> Iterator[str]:
    for trigger in scaler["spec"]["triggers"]:
        if trigger["type"] != "mongodb":
            yield f"its trigger is {trigger['type']}, which does not know the jobs"
            continue
        yield from _trigger_faults(trigger, worker)
        yield from _address_faults(manifest, overlay, worker, trigger)
    down = scaler["spec"].get("advanced", {}).get("horizontalPodAutoscalerConfig", {}).get("behavior", {})
    if down.get("scaleDown", {}).get("stabilizationWindowSeconds", 0) < 300:
        yield "takes pods away as soon as there is a little less to do"


def _trigger_faults(trigger: Object, worker: Workload) -> Iterator[str]:
    facts = trigger["metadata"]
    if facts["collection"] != JOBS.name:
        yield f"asks the collection {facts['collection']}; jobs are in {JOBS.name}"
    slots = worker.setting(
        "VIDEO_MANAGER_PROCESSING_SLOTS" if topic_of(worker) == "processing" else "VIDEO_MANAGER_RENDER_SLOTS"
    )
    if facts["queryValue"] != slots:
        yield f"counts on {facts['queryValue']} jobs for a pod, but a pod runs {slots}"
    try:
        query = json.loads(facts["query"])
    except ValueError as error:
        yield f"its query is no JSON: {error}"
        return
    parts = list(_parts(query))
    for field, _ in parts:
        if not field.startswith(BODY) or field.removeprefix(BODY) not in Job.model_fields:
            yield f"asks for {field}, which no job has"
    if [value for field, value in parts if field == "body.topic"] != [topic_of(worker)]:
        yield f"does not count the jobs of {topic_of(worker)} alone"
    states = {value for field, value in parts if field == STATE}
    unknown = states - {state.value for state in JobState}
    yield from (f"counts jobs that are {state}, which none ever is" for state in sorted(unknown))
    if not unknown and states != {state.value for state in OPEN_JOB_STATES}:
        yield f"counts jobs that are {' or '.join(sorted(states))}, not all open ones"


def _parts(query: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in query.items():
        if key in ("$or", "$and"):
            for inner in value:
                yield from _parts(inner)
        else:
            yield key, value


def _address_faults(manifest: Manifest, overlay: str, worker: Workload, trigger: Object) -> Iterator[str]:
    name = trigger["authenticationRef"]["name"]
    found = manifest.find("TriggerAuthentication", name)
    if found is None:
        yield f"there is no TriggerAuthentication {name}"
        return
    address = next(one for one in found["spec"]["secretTargetRef"] if one["parameter"] == "connectionString")
    variables = {one["name"]: one for one in worker.containers[0]["env"]}
    own = variables["VIDEO_MANAGER_MONGODB_URL"]["valueFrom"]["secretKeyRef"]
    if (own["name"], own["key"]) != (address["name"], address["key"]):
        yield f"asks the MongoDB of {address['name']}/{address['key']}, the service uses {own['name']}/{own['key']}"
        return
    url = known_secrets(manifest, overlay)[own["name"]][own["key"]]
    database = url.partition("?")[0].rpartition("/")[2]
    if trigger["metadata"]["dbName"] != database:
        yield f"asks the database {trigger['metadata']['dbName']}; the services use {database}"
