"""Every check of the Kubernetes files is able to fail: mistakes that a person might make are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.deploy.code import code_faults
from tests.deploy.hardening import hardening_faults
from tests.deploy.manifest import KUBERNETES, Manifest, kubectl, render
from tests.deploy.scaling import scaling_faults
from tests.deploy.schemas import schema_faults
from tests.deploy.wiring import wiring_faults

pytestmark = pytest.mark.skipif(kubectl() is None, reason="no kubectl 1.27 or newer: nothing of Kubernetes is checked")


@dataclass(frozen=True)
class Mistake:
    """Something a person might get wrong, and what the checks have to say about it."""

    make: Callable[[Manifest], Any]
    told: str
    overlay: str = "production"


def _env(manifest: Manifest, deployment: str, name: str) -> dict[str, Any]:
    return next(one for one in manifest.container(deployment)["env"] if one["name"] == name)


def _spec(manifest: Manifest, kind: str, name: str) -> dict[str, Any]:
    return dict.__getitem__(manifest.get(kind, name), "spec")  # type: ignore[no-any-return]


def _pod(manifest: Manifest, name: str) -> dict[str, Any]:
    return _spec(manifest, "Deployment", name)["template"]["spec"]  # type: ignore[no-any-return]


def _trigger(manifest: Manifest, name: str) -> dict[str, Any]:
    return _spec(manifest, "ScaledObject", name)["triggers"][0]["metadata"]  # type: ignore[no-any-return]


def _query(old: str, new: str) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        facts = _trigger(manifest, "generator-story")
        assert old in facts["query"]
        facts["query"] = facts["query"].replace(old, new)

    return change


def _settings(**values: str) -> Callable[[Manifest], None]:
    def change(manifest: Manifest) -> None:
        settings = next(one for one in manifest.of_kind("ConfigMap") if one["metadata"]["name"] != "mongodb")
        settings["data"] |= values

    return change


def _drop(kind: str, name: str) -> Callable[[Manifest], None]:
    return lambda manifest: manifest.objects.remove(manifest.get(kind, name))


MISTAKES = {
    # the schemas
    "port of the wrong type": Mistake(
        lambda m: m.container("gateway")["ports"][0].update(containerPort="http"), "is not of type 'integer'"
    ),
    "typo in a field of Kubernetes": Mistake(lambda m: m.container("manager").update(resource={}), "resource"),
    "typo in a field of KEDA": Mistake(
        lambda m: _spec(m, "ScaledObject", "processing").update(maxReplicasCount=3),
        "unknown field .spec.maxReplicasCount",
    ),
    "wrong type in KEDA": Mistake(
        lambda m: _spec(m, "ScaledObject", "processing").update(minReplicaCount="few"), "few"
    ),
    "typo in a field of RabbitMQ's operator": Mistake(
        lambda m: _spec(m, "RabbitmqCluster", "rabbitmq").update(replica=3), "'replica' was unexpected"
    ),
    "typo in a field of MongoDB's operator": Mistake(
        lambda m: _spec(m, "MongoDBCommunity", "mongodb")["users"][0].pop("roles"), "'roles' is a required property"
    ),
    "typo in a field of PostgreSQL's operator": Mistake(
        lambda m: _spec(m, "Cluster", "postgresql").update(instances="three"), "is not of type 'integer'"
    ),
    # the wiring
    "port 80000": Mistake(lambda m: m.container("gateway")["ports"][0].update(containerPort=80000), "no port 80000"),
    "selector that matches nothing": Mistake(
        lambda m: _spec(m, "Deployment", "manager")["selector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "x"}
        ),
        "manager: its selector does not match its own pods",
    ),
    "selector of another's pods": Mistake(
        lambda m: _spec(m, "Deployment", "manager")["selector"]["matchLabels"].pop("app.kubernetes.io/component"),
        "manager: its selector also matches the pods of studio",
    ),
    "service that selects nothing": Mistake(
        lambda m: _spec(m, "Service", "studio")["selector"].update({"app.kubernetes.io/component": "studios"}),
        "Service studio: its selector matches 0 workloads",
    ),
    "service with the wrong port": Mistake(
        lambda m: _spec(m, "Service", "gateway")["ports"][0].update(targetPort=8080), "gateway has no port 8080"
    ),
    "probe of an unknown port": Mistake(
        lambda m: m.container("manager")["livenessProbe"]["httpGet"].update(port="web"), "livenessProbe asks port web"
    ),
    "no readiness probe": Mistake(
        lambda m: m.container("analytics").pop("readinessProbe"), "analytics: it has no readi"
    ),
    "ingress to an unknown service": Mistake(
        lambda m: _spec(m, "Ingress", "video-manager")["rules"][0]["http"]["paths"][0]["backend"]["service"].update(
            name="api"
        ),
        "no Service api",
    ),
    "budget of nothing": Mistake(
        lambda m: _spec(m, "PodDisruptionBudget", "gateway")["selector"]["matchLabels"].update(
            {"app.kubernetes.io/component": "gate"}
        ),
        "PodDisruptionBudget gateway: its selector matches nothing",
    ),
    "autoscaler of nothing": Mistake(
        lambda m: _spec(m, "HorizontalPodAutoscaler", "gateway")["scaleTargetRef"].update(name="web"),
        "no Deployment web",
    ),
    "replicas beside an autoscaler": Mistake(
        lambda m: _spec(m, "Deployment", "generator-story").update(replicas=1), "replicas of its own"
    ),
    "volume that is no volume": Mistake(
        lambda m: m.container("publishing")["volumeMounts"][0].update(name="datas"), "mounts datas"
    ),
    "claim that is not there": Mistake(
        _drop("PersistentVolumeClaim", "published"), "no PersistentVolumeClaim published"
    ),
    "work folder without a limit": Mistake(
        lambda m: next(one for one in _pod(m, "generator-story")["volumes"] if one["name"] == "data").update(
            emptyDir={}
        ),
        "the emptyDir data has no sizeLimit",
    ),
    "no default policy": Mistake(_drop("NetworkPolicy", "default-deny"), "nothing denies"),
    "policy of nothing": Mistake(
        lambda m: _spec(m, "NetworkPolicy", "mongodb")["podSelector"]["matchLabels"].update(app="mongo"),
        "selects no pod",
    ),
    "no account": Mistake(_drop("ServiceAccount", "video-manager"), "no ServiceAccount video-manager"),
    # the code
    "probe of an unknown path": Mistake(
        lambda m: m.container("studio")["readinessProbe"]["httpGet"].update(path="/healthz"), "asks /healthz, which no"
    ),
    "liveness by readiness": Mistake(
        lambda m: m.container("studio")["livenessProbe"]["httpGet"].update(path="/health/ready"),
        "instead of /health/live",
    ),
    "unknown setting": Mistake(
        _settings(VIDEO_MANAGER_PUBLIC_ADDRESS="x"), "unknown setting VIDEO_MANAGER_PUBLIC_ADDRESS"
    ),
    "wrong value of a setting": Mistake(_settings(VIDEO_MANAGER_LOG_JSON="perhaps"), "VIDEO_MANAGER_LOG_JSON"),
    "the laptop's profile": Mistake(_settings(VIDEO_MANAGER_PROFILE="laptop"), "its profile is laptop"),
    "setting that is missing": Mistake(
        lambda m: _env(m, "manager", "VIDEO_MANAGER_MONGODB_URL").update(name="MONGODB_URL"), "MONGODB_URL is missing"
    ),
    "secret that is not there": Mistake(
        lambda m: _env(m, "studio", "VIDEO_MANAGER_SESSION_SECRET")["valueFrom"]["secretKeyRef"].update(key="session"),
        "video-manager/session, which no secret has",
    ),
    "no keys of the platforms' secrets": Mistake(
        lambda m: _env(m, "publishing", "VIDEO_MANAGER_CREDENTIAL_KEYS").update(name="CREDENTIAL_KEYS"),
        "publishing: has no VIDEO_MANAGER_CREDENTIAL_KEYS",
    ),
    "another kind of key": Mistake(
        lambda m: _env(m, "gateway", "VIDEO_MANAGER_CREDENTIAL_KEYS")["valueFrom"]["secretKeyRef"].update(
            key="session-secret"
        ),
        "each key must be 32 bytes",
    ),
    "keys where nobody needs them": Mistake(
        lambda m: m.container("manager")["env"].append(
            {"name": "VIDEO_MANAGER_CREDENTIAL_KEYS", "value": "a" * 43 + "="}
        ),
        "manager: has no use for VIDEO_MANAGER_CREDENTIAL_KEYS",
    ),
    "secret that the operator does not make": Mistake(
        _drop("RabbitmqCluster", "rabbitmq"), "rabbitmq-default-user/host"
    ),
    "address before its parts": Mistake(
        lambda m: m.container("manager")["env"].reverse(), "which is not set before it"
    ),
    "config map that is not there": Mistake(
        lambda m: m.container("manager")["envFrom"][0]["configMapRef"].update(name="other"), "no ConfigMap other"
    ),
    "unknown service": Mistake(lambda m: m.container("manager").update(args=["run", "director"]), "runs no service"),
    "unknown option": Mistake(lambda m: m.container("manager")["args"].append("--fast"), "is no command"),
    "unknown generator": Mistake(
        lambda m: m.container("generator-story").update(args=["run", "generation", "--generator", "poem"]),
        "there is no generator poem",
    ),
    "forgotten service": Mistake(
        _drop("Deployment", "notifications"), "0 Deployments have the command run notifications"
    ),
    "forgotten generator": Mistake(_drop("Deployment", "generator-upload"), "--generator upload, not one"),
    "secret that nothing uses": Mistake(_drop("StatefulSet", "rabbitmq"), "rabbitmq-password, which nothing", "small"),
    # rights, limits, stopping
    "root": Mistake(lambda m: _pod(m, "gateway")["securityContext"].update(runAsUser=0), "gateway: runs as root"),
    "writable root file system": Mistake(
        lambda m: m.container("gateway")["securityContext"].pop("readOnlyRootFilesystem"), "may write its root"
    ),
    "capabilities": Mistake(
        lambda m: m.container("gateway")["securityContext"].update(capabilities={"add": ["NET_ADMIN"]}), "capabilities"
    ),
    "token": Mistake(lambda m: _pod(m, "gateway").pop("automountServiceAccountToken"), "gets a token"),
    "variables of services": Mistake(lambda m: _pod(m, "gateway").pop("enableServiceLinks"), "gets variables"),
    "no memory limit": Mistake(lambda m: m.container("gateway")["resources"].pop("limits"), "no limit of memory"),
    "image of no release": Mistake(lambda m: m.container("gateway").update(image="x/y:latest"), "image of no release"),
    "killed in its render": Mistake(
        lambda m: _pod(m, "generator-story").update(terminationGracePeriodSeconds=30), "is killed after 30 s"
    ),
    "stopped in its requests": Mistake(lambda m: m.container("gateway").pop("lifecycle"), "gateway: stops at once"),
    "two studios": Mistake(lambda m: _spec(m, "Deployment", "studio").update(replicas=2), "studio: has 2 replicas"),
    "two studios in an update": Mistake(lambda m: _spec(m, "Deployment", "studio").pop("strategy"), "a second one is"),
    # autoscaling
    "worker without autoscaler": Mistake(_drop("ScaledObject", "processing"), "processing: has no ScaledObject"),
    "unknown field": Mistake(_query("body.topic", "topic"), "asks for topic, which no job has"),
    "another's jobs": Mistake(_query("render.story", "render.slideshow"), "not count the jobs of render.story alone"),
    "unknown state": Mistake(_query('"claimed"', '"running"'), "jobs that are running"),
    "queued jobs only": Mistake(_query('"claimed"', '"queued"'), "not all open ones"),
    "no JSON": Mistake(_query('"}', "'}"), "no JSON"),
    "another collection": Mistake(
        lambda m: _trigger(m, "generator-story").update(collection="job"), "jobs are in jobs"
    ),
    "another database": Mistake(lambda m: _trigger(m, "generator-story").update(dbName="videos"), "use video_manager"),
    "more jobs than slots": Mistake(lambda m: _trigger(m, "generator-story").update(queryValue="4"), "a pod runs 1"),
    "no address": Mistake(_drop("TriggerAuthentication", "jobs"), "no TriggerAuthentication jobs"),
    "hasty scaling down": Mistake(
        lambda m: _spec(m, "ScaledObject", "generator-story").pop("advanced"), "takes pods away as soon as"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told(mistake: Mistake) -> None:
    right = render(KUBERNETES / "overlays" / mistake.overlay)
    wrong = right.copy()
    mistake.make(wrong)
    changed = Manifest([one for one in wrong.objects if one not in right.objects])
    faults = schema_faults(changed) + wiring_faults(wrong) + code_faults(wrong, mistake.overlay)
    faults += hardening_faults(wrong) + scaling_faults(wrong, mistake.overlay)
    assert any(mistake.told in fault for fault in faults), faults
