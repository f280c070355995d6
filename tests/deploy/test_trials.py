"""The image and deploy/compose.yaml in real containers: run as deployments run them, killed, and stopped in order."""

import json
import os
import shutil
import subprocess
from typing import Any

import pytest
from tests.deploy.manifest import ROOT

TOOLS = ("buildah", "podman", "debootstrap", "runc", "unshare", "npm")

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(3000),
    pytest.mark.skipif(
        os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
        reason=f"no containers are made: needs root, {', '.join(TOOLS)}",
    ),
]


def _figures(trial: str) -> Any:
    done = subprocess.run([ROOT / "deploy" / trial], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_image_and_compose_run() -> None:
    """One test, because compose takes the image that was just built."""
    image = _figures("try-image")
    assert image["size_mb"] < 1200
    assert image["stop_seconds"] < 30
    compose = _figures("try-compose")
    assert compose["containers"] == 15
    assert {"gateway", "studio", "manager", "generator-story", "publishing"} <= set(compose["ended_with"]["0"])
