"""Whether each object is what the Kubernetes API, KEDA and the operators take. Offline; unknown fields are faults."""

from functools import cache
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from kubernetes_validate import utils as kubernetes_schemas
from tests.deploy.manifest import Manifest, Object

KUBERNETES_VERSIONS = ("1.33", "1.37")
"""The oldest that we support and can validate, and the newest that the package has."""

# Otherwise it reads the same megabytes anew for every object.
kubernetes_schemas.schema_contents = cache(kubernetes_schemas.schema_contents)

_TEXT = {"type": "string", "minLength": 1}
_QUANTITY = {"type": "string", "pattern": r"^\d+(\.\d+)?(m|Ki|Mi|Gi|Ti)?$"}


def _only(required: tuple[str, ...] = (), **properties: Any) -> Object:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _resources() -> Object:
    amounts = _only(cpu=_QUANTITY, memory=_QUANTITY)
    return _only(requests=amounts, limits=amounts)


# No package has the operators' schemas. These name the fields that we use, as the operators' own definitions (RabbitMQ
# Cluster Operator 2, MongoDB Controllers 1) or documentation (CloudNativePG 1) have them; anything else is refused.
_OPERATORS: dict[tuple[str, str], Object] = {
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"): _only(
        ("replicas", "persistence", "resources"),
        replicas={"type": "integer", "minimum": 1},
        image=_TEXT,
        persistence=_only(("storage",), storage=_QUANTITY, storageClassName=_TEXT),
        resources=_resources(),
        affinity=_only(podAntiAffinity={"type": "object"}),
        rabbitmq=_only(additionalConfig=_TEXT, additionalPlugins={"type": "array", "items": _TEXT}),
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): _only(
        ("instances", "storage", "bootstrap"),
        instances={"type": "integer", "minimum": 1},
        imageName=_TEXT,
        bootstrap=_only(("initdb",), initdb=_only(("database", "owner"), database=_TEXT, owner=_TEXT)),
        storage=_only(("size",), size=_QUANTITY, storageClass=_TEXT),
        resources=_resources(),
        affinity=_only(
            enablePodAntiAffinity={"type": "boolean"},
            podAntiAffinityType={"enum": ["preferred", "required"]},
            topologyKey=_TEXT,
        ),
    ),
    ("mongodbcommunity.mongodb.com/v1", "MongoDBCommunity"): _only(
        ("members", "type", "version", "security", "users"),
        type={"enum": ["ReplicaSet"]},
        members={"type": "integer", "minimum": 1, "maximum": 50},
        version={"type": "string", "pattern": r"^\d+\.\d+\.\d+$"},
        security=_only(
            ("authentication",),
            authentication=_only(
                ("modes",), modes={"type": "array", "items": {"enum": ["SCRAM", "SCRAM-SHA-256", "SCRAM-SHA-1"]}}
            ),
        ),
        users={
            "type": "array",
            "items": _only(
                ("name", "db", "roles", "passwordSecretRef", "scramCredentialsSecretName"),
                name=_TEXT,
                db=_TEXT,
                passwordSecretRef=_only(("name",), name=_TEXT, key=_TEXT),
                roles={"type": "array", "minItems": 1, "items": _only(("name", "db"), name=_TEXT, db=_TEXT)},
                scramCredentialsSecretName=_TEXT,
                connectionStringSecretName=_TEXT,
            ),
        },
        statefulSet=_only(
            ("spec",),
            spec=_only(template=_only(spec={"type": "object"}), volumeClaimTemplates={"type": "array"}),
        ),
    ),
}


def schema_faults(manifest: Manifest) -> list[str]:
    return [f"{one['kind']} {one['metadata']['name']}: {fault}" for one in manifest.objects for fault in _faults(one)]


def _faults(one: Object) -> list[str]:
    if one["apiVersion"].startswith("keda.sh/"):
        return _keda_faults(one)
    schema = _OPERATORS.get((one["apiVersion"], one["kind"]))
    if schema is not None:
        found = jsonschema.Draft202012Validator(_only(("spec",), spec=schema)).iter_errors({"spec": one["spec"]})
        return [f"{error.json_path}: {error.message}" for error in found]
    return [fault for version in KUBERNETES_VERSIONS for fault in _core_faults(one, version)]


def _core_faults(one: Object, version: str) -> list[str]:
    try:
        kubernetes_validate.validate(one, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"Kubernetes {version}: {'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError:
        return [f"Kubernetes {version} has no {one['apiVersion']} {one['kind']}"]
    return []


def _keda_faults(one: Object) -> list[str]:
    model = getattr(_keda_models(), one["kind"], None)
    if model is None:
        return [f"KEDA has no {one['kind']}"]
    try:
        read = model.model_validate(one)
    except ValueError as error:
        return [str(error)]
    # The models ignore fields that they do not know, so these are found by what is missing afterwards.
    kept = read.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return [f"unknown field {path}" for path in _missing(one, kept)]


@cache
def _keda_models() -> Any:
    return pytest.importorskip(
        "cloudcoil.models.keda.v1alpha1", reason="needs cloudcoil-models-keda for KEDA's schemas"
    )


def _missing(wanted: Any, kept: Any, path: str = "") -> list[str]:
    if isinstance(wanted, dict):
        if not isinstance(kept, dict):
            return [path]
        return [
            fault
            for key, value in wanted.items()
            for fault in (_missing(value, kept[key], f"{path}.{key}") if key in kept else [f"{path}.{key}"])
        ]
    if isinstance(wanted, list):
        if not isinstance(kept, list) or len(kept) != len(wanted):
            return [path]
        pairs = enumerate(zip(wanted, kept, strict=True))
        return [fault for number, (a, b) in pairs for fault in _missing(a, b, f"{path}[{number}]")]
    return []
