"""The image, built and run as the deployments run it: read-only, without rights, stopped by SIGTERM."""

import json
import os
import shutil
import subprocess

import pytest
from tests.deploy.manifest import ROOT

TOOLS = ("buildah", "podman", "debootstrap", "runc")


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, TOOLS)),
    reason=f"the image is not built: needs root, {', '.join(TOOLS)}",
)
def test_the_image_builds_runs_read_only_and_stops_in_order() -> None:
    done = subprocess.run([ROOT / "deploy" / "try-image"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["size_mb"] < 1200
    assert figures["stop_seconds"] < 30
