"""Whether the objects fit our code: commands, settings, secrets, probes' paths, and one Deployment for everything."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import typer.main
import yaml
from prometheus_client import CollectorRegistry
from tests.deploy.manifest import ROOT, Manifest, Object, Workload

from video_manager.bootstrap.services import Service
from video_manager.cli.app import app
from video_manager.errors import SettingsError
from video_manager.gateway.health import Health
from video_manager.plugins.registry import load_registry
from video_manager.publishing.access.keyring import Keyring
from video_manager.settings import PREFIX, Profile, read_settings

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
_OPERATOR_SECRETS = {
    ("RabbitmqCluster", "rabbitmq"): ("rabbitmq-default-user", ("username", "password", "host", "port")),
    ("Cluster", "postgresql"): ("postgresql-app", ("username", "password", "host", "port", "dbname")),
    ("MongoDBCommunity", "mongodb"): ("mongodb-video-manager", ("connectionString.standard", "username", "password")),
}
"""Which secret each operator makes for a cluster, and its keys."""


@cache
def health_paths() -> frozenset[str]:
    """What every service answers on its port, asked of the code."""
    return frozenset(Health(CollectorRegistry()).answers)


@cache
def secret_of(overlay: str) -> Mapping[str, str]:
    """The Secret that `deploy/secrets` makes for an overlay."""
    made = subprocess.run([ROOT / "deploy" / "secrets", overlay], capture_output=True, text=True, check=True)
    secret = yaml.safe_load(made.stdout)
    assert (secret["kind"], secret["metadata"]["name"]) == ("Secret", "video-manager")
    return dict(secret["stringData"])


def code_faults(manifest: Manifest, overlay: str) -> list[str]:
    secrets = known_secrets(manifest, overlay)
    faults = [fault for one in manifest.workloads() for fault in _environment_faults(one, manifest, secrets)]
    faults += [
        fault
        for one in manifest.services()
        for fault in (*command_faults(one.name, tuple(one.args)), *_probe_faults(one))
    ]
    return [*faults, *_missing_deployments(manifest), *_unused_secrets(manifest, overlay)]


def known_secrets(manifest: Manifest, overlay: str) -> dict[str, dict[str, str]]:
    """Every secret that will be there, with its keys. What an operator makes up is filled in with examples."""
    known = {"video-manager": dict(secret_of(overlay))}
    for (kind, name), (secret, keys) in _OPERATOR_SECRETS.items():
        if manifest.find(kind, name) is not None:
            known[secret] = dict.fromkeys(keys, "example")
            if "connectionString.standard" in keys:
                database = manifest.get(kind, name)["spec"]["users"][0]["db"]
                known[secret]["connectionString.standard"] = f"mongodb://user:password@host:27017/{database}"
    return known


# ---- commands and probes -------------------------------------------------------------------------------


def read_command(args: list[str]) -> dict[str, Any]:
    """The command line as our own program reads it. Raises typer's usage errors."""
    command: Any = typer.main.get_command(app)
    name, inner, rest = command.resolve_command(command.make_context("video-manager", list(args)), list(args))
    assert name is not None
    return {"command": name, **inner.make_context(name, list(rest)).params}


@cache
def command_faults(name: str, args: tuple[str, ...]) -> list[str]:
    try:
        given = read_command(list(args))
    except typer.TyperException as error:
        return [f"{name}: `video-manager {' '.join(args)}` is no command: {error.format_message()}"]
    if given["command"] != "run" or given["service"] not in set(Service):
        return [f"{name}: `video-manager {' '.join(args)}` runs no service"]
    unknown = set(given["generator"] or ()) - set(load_registry().installed_generators())
    return [f"{name}: there is no generator {one}" for one in sorted(unknown)]


def _probe_faults(one: Workload) -> Iterator[str]:
    wanted = {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
    for kind, path in wanted.items():
        asked = one.containers[0].get(kind, {}).get("httpGet", {}).get("path")
        if asked not in health_paths():
            yield f"{one.name}: its {kind} asks {asked}, which no service answers"
        elif asked != path:
            yield f"{one.name}: its {kind} asks {asked} instead of {path}"
    if int(one.setting("VIDEO_MANAGER_PORT") or 8800) not in one.ports().values():
        yield f"{one.name}: no port of it is the one that the service listens on"


def _missing_deployments(manifest: Manifest) -> Iterator[str]:
    commands = [tuple(one.args) for one in manifest.services()]
    for wanted in all_commands():
        if commands.count(wanted) != 1:
            yield f"{commands.count(wanted)} Deployments have the command {' '.join(wanted)}, not one"


@cache
def all_commands() -> list[tuple[str, ...]]:
    """Of every service, and of every generator that is installed."""
    services = [("run", service.value) for service in Service if service is not Service.GENERATION]
    names = load_registry().installed_generators()
    return [*services, *(("run", "generation", "--generator", name) for name in names)]


# ---- settings ------------------------------------------------------------------------------------------


@cache
def settings_faults(name: str, environment: frozenset[tuple[str, str]]) -> list[str]:
    """Read an environment as the service will."""
    with pytest.MonkeyPatch.context() as patch:
        for known in [key for key in os.environ if key.startswith(PREFIX)]:
            patch.delenv(known)
        for key, value in environment:
            patch.setenv(key, value)
        try:
            settings = read_settings()
        except SettingsError as error:
            return [f"{name}: {error.detail}"]
    if settings.profile is not Profile.CLUSTER:
        return [f"{name}: its profile is {settings.profile}"]
    return []


def _environment_faults(one: Workload, manifest: Manifest, secrets: Mapping[str, Mapping[str, str]]) -> list[str]:
    values: dict[str, str] = {}
    faults: list[str] = []
    for container in one.containers:
        for part in container.get("envFrom", []):
            found = manifest.find("ConfigMap", part["configMapRef"]["name"])
            if found is None:
                faults.append(f"{one.name}: there is no ConfigMap {part['configMapRef']['name']}")
            else:
                values |= found["data"]
        for variable in container.get("env", []):
            faults += [f"{one.name}: {fault}" for fault in _resolve(variable, values, secrets)]
    if not one.is_ours:
        return faults
    image = {"VIDEO_MANAGER_HOST": "0.0.0.0", "VIDEO_MANAGER_DATA_DIR": "/data"}  # noqa: S104 - what the image sets
    settings = image | {key: text for key, text in values.items() if key.startswith(PREFIX)}
    faults += settings_faults(one.name, frozenset(settings.items()))
    if one.args[1:2] in (["gateway"], ["studio"]) and "VIDEO_MANAGER_SESSION_SECRET" not in values:
        faults.append(f"{one.name}: has no VIDEO_MANAGER_SESSION_SECRET")
    faults += credential_faults(one.name, one.args[1], values.get("VIDEO_MANAGER_CREDENTIAL_KEYS"))
    for key, path in (("VIDEO_MANAGER_DATA_DIR", "/data"), ("HOME", "/tmp")):  # noqa: S108 - the mount
        if values.get(key, path) not in {mount["mountPath"] for mount in one.containers[0]["volumeMounts"]}:
            faults.append(f"{one.name}: {key} is {values.get(key, path)}, where no volume is")
    return faults


def credential_faults(name: str, service: str, keys: str | None) -> Iterator[str]:
    """Those that read the platforms' secrets have the keys, and nobody else has."""
    if service not in set(Service):
        return  # said elsewhere
    needed = Service(service).needs_credentials
    if needed is not (keys is not None):
        yield f"{name}: {'has no' if needed else 'has no use for'} VIDEO_MANAGER_CREDENTIAL_KEYS"
    try:
        Keyring((keys or "").replace(",", " ").split())
    except SettingsError as error:
        yield f"{name}: {error.detail}"


def _resolve(variable: Object, values: dict[str, str], secrets: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    name = variable["name"]
    values[name] = ""
    if "valueFrom" in variable:
        wanted = variable["valueFrom"]["secretKeyRef"]
        found = secrets.get(wanted["name"], {}).get(wanted["key"])
        if found is None:
            yield f"{name} is to come from {wanted['name']}/{wanted['key']}, which no secret has"
        values[name] = found or "missing"
        return
    if not isinstance(variable.get("value"), str):
        yield f"{name} has no value"
        return
    text = variable["value"]
    for part in _REFERENCE.findall(text):
        if not values.get(part):
            yield f"{name} uses $({part}), which is not set before it"
    values[name] = _REFERENCE.sub(lambda found: values.get(found[1], found[0]), text)


def _unused_secrets(manifest: Manifest, overlay: str) -> Iterator[str]:
    used = set(_keys(manifest.objects))
    yield from (
        f"deploy/secrets {overlay} makes {key}, which nothing uses" for key in secret_of(overlay) if key not in used
    )


def _keys(part: Any) -> Iterator[str]:
    """Of all references to a secret, wherever they are."""
    if isinstance(part, list):
        for inner in part:
            yield from _keys(inner)
    elif isinstance(part, dict):
        if isinstance(part.get("key"), str):
            yield part["key"]
        yield from _keys(list(part.values()))
