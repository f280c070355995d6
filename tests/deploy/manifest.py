"""What `kubectl kustomize` renders, in the terms that the checks use."""

import copy
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("small", "production")
POD_KINDS = ("Deployment", "StatefulSet")

Object = dict[str, Any]
Check = Callable[["Manifest"], list[str]]
"""Says what is wrong, one line a fault."""


@dataclass(frozen=True)
class Workload:
    """A Deployment or StatefulSet."""

    source: Object

    @property
    def name(self) -> str:
        return str(self.source["metadata"]["name"])

    @property
    def spec(self) -> Object:
        return dict(self.source["spec"])

    @property
    def pod(self) -> Object:
        return dict(self.source["spec"]["template"]["spec"])

    @property
    def labels(self) -> Mapping[str, str]:
        return dict(self.source["spec"]["template"]["metadata"]["labels"])

    @property
    def containers(self) -> list[Object]:
        return list(self.pod["containers"])

    @property
    def is_ours(self) -> bool:
        return self.labels.get("app.kubernetes.io/name") == "video-manager"

    @property
    def args(self) -> list[str]:
        return list(self.containers[0].get("args", []))

    def ports(self) -> dict[str, int]:
        return {port["name"]: port["containerPort"] for one in self.containers for port in one.get("ports", [])}

    def setting(self, name: str) -> str | None:
        """A value given by the Deployment itself."""
        return next((one.get("value") for one in self.containers[0].get("env", []) if one["name"] == name), None)


class Manifest:
    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def of_kind(self, *kinds: str) -> Iterator[Object]:
        return (one for one in self.objects if one["kind"] in kinds)

    def find(self, kind: str, name: str) -> Object | None:
        return next((one for one in self.of_kind(kind) if one["metadata"]["name"] == name), None)

    def get(self, kind: str, name: str) -> Object:
        found = self.find(kind, name)
        assert found is not None, f"no {kind} {name}"
        return found

    def container(self, name: str) -> Object:
        """The first container of a Deployment, to be changed."""
        return dict.__getitem__(self.get("Deployment", name)["spec"]["template"]["spec"], "containers")[0]  # type: ignore[no-any-return]

    def workloads(self) -> list[Workload]:
        return [Workload(one) for one in self.of_kind(*POD_KINDS)]

    def services(self) -> list[Workload]:
        """Our own Deployments."""
        return [one for one in self.workloads() if one.is_ours]

    def copy(self) -> "Manifest":
        return Manifest(copy.deepcopy(self.objects))


@cache
def kubectl() -> str | None:
    """The program, when it can render what we use (components, patches by label: kubectl 1.27 or newer)."""
    found = shutil.which("kubectl")
    if found is None:
        return None
    said = subprocess.run([found, "version", "--client", "--output=yaml"], capture_output=True, text=True, check=False)
    if said.returncode != 0:
        return None
    version = str(yaml.safe_load(said.stdout).get("kustomizeVersion", "v0"))
    return found if int(version.removeprefix("v").split(".")[0]) >= 5 else None


@cache
def render(folder: Path) -> Manifest:
    """Shared by all tests: change a copy only."""
    program = kubectl()
    assert program is not None
    done = subprocess.run([program, "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr.lower(), done.stderr
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return Manifest([one for one in yaml.load_all(done.stdout, loader) if one])


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches, by Kubernetes' rules; an empty one matches everything."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for part in selector.get("matchExpressions") or []:
        present, value = part["key"] in labels, labels.get(part["key"])
        answers = {
            "In": value in part.get("values", []), "NotIn": value not in part.get("values", []),
            "Exists": present, "DoesNotExist": not present,
        }  # fmt: skip
        if not answers[part["operator"]]:
            return False
    return True
