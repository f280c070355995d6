"""Whether the objects fit each other: selectors, ports, references, budgets, autoscalers."""

from collections.abc import Iterator
from typing import Any

from tests.deploy.manifest import Manifest, Object, Workload, selects

_OPERATOR_PODS = (
    {"app.kubernetes.io/name": "rabbitmq"}, {"app": "mongodb-svc"}, {"cnpg.io/cluster": "postgresql"},
)  # fmt: skip
"""Labels that the operators give to the pods of our clusters."""


def wiring_faults(manifest: Manifest) -> list[str]:
    checks = (
        _selectors, _services, _ports, _probes, _volumes, _names, _ingresses, _budgets, _autoscalers, _policies,
        _spread,
    )  # fmt: skip
    return [fault for check in checks for fault in check(manifest)]


def _selectors(manifest: Manifest) -> Iterator[str]:
    workloads = manifest.workloads()
    for one in workloads:
        if not selects(one.spec["selector"], one.labels):
            yield f"{one.name}: its selector does not match its own pods"
        others = [other.name for other in workloads if other.name != one.name]
        taken = [other for other in workloads if other.name in others and selects(one.spec["selector"], other.labels)]
        yield from (f"{one.name}: its selector also matches the pods of {other.name}" for other in taken)


def _behind(manifest: Manifest, service: Object) -> list[Workload]:
    return [one for one in manifest.workloads() if selects({"matchLabels": service["spec"]["selector"]}, one.labels)]


def _services(manifest: Manifest) -> Iterator[str]:
    for service in manifest.of_kind("Service"):
        name, behind = service["metadata"]["name"], _behind(manifest, service)
        if len(behind) != 1:
            yield f"Service {name}: its selector matches {len(behind)} workloads, not one"
        for port in service["spec"]["ports"]:
            if not 1 <= port["port"] <= 65535:
                yield f"Service {name}: there is no port {port['port']}"
            target = port.get("targetPort", port["port"])
            for one in behind:
                if target not in one.ports() and target not in one.ports().values():
                    yield f"Service {name}: {one.name} has no port {target}"


def _ports(manifest: Manifest) -> Iterator[str]:
    for one in manifest.workloads():
        for port in one.ports().values():
            if not isinstance(port, int) or not 1 <= port <= 65535:
                yield f"{one.name}: there is no port {port}"
        if one.source["kind"] == "StatefulSet" and manifest.find("Service", one.spec["serviceName"]) is None:
            yield f"{one.name}: there is no Service {one.spec['serviceName']}"


def _probes(manifest: Manifest) -> Iterator[str]:
    for one in manifest.workloads():
        for container in one.containers:
            for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
                probe = container.get(kind)
                if probe is None:
                    yield f"{one.name}: it has no {kind}"
                    continue
                asked = probe.get("httpGet") or probe.get("tcpSocket") or {}
                if "port" in asked and asked["port"] not in one.ports():
                    yield f"{one.name}: its {kind} asks port {asked['port']}, which it does not have"


def _volumes(manifest: Manifest) -> Iterator[str]:
    claims = {one["metadata"]["name"] for one in manifest.of_kind("PersistentVolumeClaim")}
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in manifest.of_kind("ConfigMap")}
    for one in manifest.workloads():
        volumes = {volume["name"]: volume for volume in one.pod.get("volumes", [])}
        known = {*volumes, *(part["metadata"]["name"] for part in one.spec.get("volumeClaimTemplates", []))}
        mounted = {mount["name"] for container in one.containers for mount in container.get("volumeMounts", [])}
        yield from (f"{one.name}: mounts {name}, which is no volume of it" for name in sorted(mounted - known))
        yield from (f"{one.name}: the volume {name} is mounted nowhere" for name in sorted(known - mounted))
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim is not None and claim not in claims:
                yield f"{one.name}: there is no PersistentVolumeClaim {claim}"
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{one.name}: the emptyDir {volume['name']} has no sizeLimit"
            if "configMap" in volume and volume["configMap"]["name"] not in maps:
                yield f"{one.name}: there is no ConfigMap {volume['configMap']['name']}"


def _names(manifest: Manifest) -> Iterator[str]:
    accounts = {one["metadata"]["name"] for one in manifest.of_kind("ServiceAccount")}
    for one in manifest.services():
        if one.pod.get("serviceAccountName") not in accounts:
            yield f"{one.name}: there is no ServiceAccount {one.pod.get('serviceAccountName')}"
    seen: set[tuple[str, str]] = set()
    for item in manifest.objects:
        key = (item["kind"], item["metadata"]["name"])
        if key in seen:
            yield f"{key[0]} {key[1]} is there twice"
        seen.add(key)


def _ingresses(manifest: Manifest) -> Iterator[str]:
    for ingress in manifest.of_kind("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                wanted = path["backend"]["service"]
                service = manifest.find("Service", wanted["name"])
                ports = [] if service is None else service["spec"]["ports"]
                if not any(wanted["port"] in ({"name": one["name"]}, {"number": one["port"]}) for one in ports):
                    yield f"Ingress {path['path']}: no Service {wanted['name']} has the port {wanted['port']}"


def _budgets(manifest: Manifest) -> Iterator[str]:
    for budget in manifest.of_kind("PodDisruptionBudget"):
        name = budget["metadata"]["name"]
        matched = [one.name for one in manifest.workloads() if selects(budget["spec"]["selector"], one.labels)]
        if matched != [name]:
            yield f"PodDisruptionBudget {name}: its selector matches {matched or 'nothing'}"


def _autoscalers(manifest: Manifest) -> Iterator[str]:
    scaled: set[str] = set()
    for scaler in manifest.of_kind("HorizontalPodAutoscaler", "ScaledObject"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        found = manifest.find("Deployment", target)
        if found is None:
            yield f"{scaler['kind']} {scaler['metadata']['name']}: there is no Deployment {target}"
        elif "replicas" in found["spec"]:
            yield f"{target}: has replicas of its own besides {scaler['kind']} {scaler['metadata']['name']}"
        if target in scaled:
            yield f"{target}: has two autoscalers"
        scaled.add(target)
    for one in manifest.services():
        if "replicas" not in one.spec and one.name not in scaled:
            yield f"{one.name}: nothing says how many replicas it has"


def _policies(manifest: Manifest) -> Iterator[str]:
    policies = list(manifest.of_kind("NetworkPolicy"))
    every = [policy for policy in policies if policy["spec"]["podSelector"] == {}]
    if not any(set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"} and len(policy["spec"]) == 2
               for policy in every):  # fmt: skip
        yield "NetworkPolicy: nothing denies what is not allowed"
    pods = [*(one.labels for one in manifest.workloads()), *_OPERATOR_PODS]
    for policy in policies:
        name, spec = policy["metadata"]["name"], policy["spec"]
        if not any(selects(spec["podSelector"], labels) for labels in pods):
            yield f"NetworkPolicy {name}: selects no pod"
        for peer in _peers(spec):
            if "podSelector" in peer and not any(selects(peer["podSelector"], labels) for labels in pods):
                yield f"NetworkPolicy {name}: a rule names pods that do not exist: {peer['podSelector']}"
        ports = {port["port"] for rule in spec.get("ingress", []) for port in rule.get("ports", [])}
        named = {port for port in ports if isinstance(port, str)}
        matched = [one for one in manifest.workloads() if selects(spec["podSelector"], one.labels)]
        missing = named - {port for one in matched for port in one.ports()}
        yield from (f"NetworkPolicy {name}: its pods have no port {port}" for port in sorted(missing))


def _peers(spec: Object) -> Iterator[dict[str, Any]]:
    for rule in spec.get("ingress", []):
        yield from rule.get("from", [])
    for rule in spec.get("egress", []):
        yield from rule.get("to", [])


def _spread(manifest: Manifest) -> Iterator[str]:
    for one in manifest.services():
        for part in one.pod.get("topologySpreadConstraints", []):
            if not selects(part["labelSelector"], one.labels):
                yield f"{one.name}: its topology spread does not count its own pods"
        if not one.pod.get("topologySpreadConstraints"):
            yield f"{one.name}: its pods are not spread"
