"""The Kubernetes files are right, as far as can be told without a cluster."""

import pytest
from tests.deploy.code import code_faults
from tests.deploy.hardening import hardening_faults
from tests.deploy.manifest import KUBERNETES, OVERLAYS, Manifest, kubectl, render
from tests.deploy.scaling import scaling_faults
from tests.deploy.schemas import schema_faults
from tests.deploy.wiring import wiring_faults

pytestmark = pytest.mark.skipif(kubectl() is None, reason="no kubectl 1.27 or newer: nothing of Kubernetes is checked")


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _rendered(overlay: str) -> Manifest:
    return render(KUBERNETES / "overlays" / overlay)


def test_the_schemas_of_kubernetes_keda_and_the_operators_accept_every_object(overlay: str) -> None:
    assert schema_faults(_rendered(overlay)) == []


def test_the_objects_fit_each_other(overlay: str) -> None:
    assert wiring_faults(_rendered(overlay)) == []


def test_commands_settings_secrets_and_probes_are_those_of_the_code(overlay: str) -> None:
    assert code_faults(_rendered(overlay), overlay) == []


def test_pods_have_few_rights_firm_limits_and_time_to_stop(overlay: str) -> None:
    assert hardening_faults(_rendered(overlay)) == []


def test_workers_are_scaled_by_their_open_jobs(overlay: str) -> None:
    manifest = _rendered(overlay)
    assert scaling_faults(manifest, overlay) == []
    assert any(manifest.of_kind("ScaledObject")) == (overlay == "production")


def test_all_objects_are_in_one_namespace(overlay: str) -> None:
    manifest = _rendered(overlay)
    spaces = {one["metadata"].get("namespace") for one in manifest.objects if one["kind"] != "Namespace"}
    assert spaces == {one["metadata"]["name"] for one in manifest.of_kind("Namespace")}
