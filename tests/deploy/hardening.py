"""Whether every pod is run with no more rights than it needs, within limits, and may end its work in peace."""

from collections.abc import Iterator

from tests.deploy.manifest import Manifest, Object, Workload

GRACE = "VIDEO_MANAGER_GRACE_SECONDS"
MARGIN_SECONDS = 15
"""Between the end of our own patience and Kubernetes' kill: to hand work back and close connections."""


def hardening_faults(manifest: Manifest) -> list[str]:
    faults = [fault for one in manifest.workloads() for fault in _pod_faults(one)]
    faults += [fault for one in manifest.services() for fault in _stop_faults(one)]
    return [*faults, *_studio_faults(manifest)]


def _pod_faults(one: Workload) -> Iterator[str]:
    pod, security = one.pod, one.pod.get("securityContext", {})
    wanted = {
        "runAsNonRoot is not true": security.get("runAsNonRoot") is True,
        "runs as root": security.get("runAsUser", 0) > 0,
        "has no seccomp profile": security.get("seccompProfile") == {"type": "RuntimeDefault"},
        "gets a token of the Kubernetes API": pod.get("automountServiceAccountToken") is False,
        "gets variables of other Services": pod.get("enableServiceLinks") is False,
        "shares a namespace of its node": not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(),
    }
    yield from (f"{one.name}: {fault}" for fault, fine in wanted.items() if not fine)
    for container in one.containers:
        yield from (f"{one.name}: {fault}" for fault in _container_faults(container))


def _container_faults(container: Object) -> Iterator[str]:
    security, resources = container.get("securityContext", {}), container.get("resources", {})
    wanted = {
        "may gain privileges": security.get("allowPrivilegeEscalation") is False,
        "may write its root file system": security.get("readOnlyRootFilesystem") is True,
        "keeps capabilities": security.get("capabilities") == {"drop": ["ALL"]},
        "requests no processor time": "cpu" in resources.get("requests", {}),
        "requests no memory": "memory" in resources.get("requests", {}),
        "has no limit of memory": "memory" in resources.get("limits", {}),
        "has the image of no release": ":" in container["image"] and not container["image"].endswith(":latest"),
    }
    yield from (fault for fault, fine in wanted.items() if not fine)


def _stop_faults(one: Workload) -> Iterator[str]:
    grace = one.setting(GRACE)
    if grace is None:
        yield f"{one.name}: no {GRACE} says how long it may take to stop"
        return
    before = one.containers[0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    needed = before + float(grace) + MARGIN_SECONDS
    allowed = one.pod.get("terminationGracePeriodSeconds", 30)
    if allowed < needed:
        yield f"{one.name}: is killed after {allowed} s, but may need {needed:g} s to stop"
    serves = one.args[1:2] in (["gateway"], ["studio"])
    if serves and before < 5:
        yield f"{one.name}: stops at once, while requests are still sent to it"


def _studio_faults(manifest: Manifest) -> Iterator[str]:
    """Its pages live in one process: never two, not even while it is replaced."""
    studio = manifest.get("Deployment", "studio")["spec"]
    if studio.get("replicas") != 1:
        yield f"studio: has {studio.get('replicas')} replicas, not exactly one"
    if studio.get("strategy", {}).get("type") != "Recreate":
        yield "studio: a second one is started before the first has ended"
