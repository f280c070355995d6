"""deploy/Containerfile, as far as can be told without building; test_trials.py builds it."""

import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.deploy.manifest import KUBERNETES, ROOT, kubectl, render

from video_manager import __version__

CONTAINERFILE = (ROOT / "deploy" / "Containerfile").read_text()


def test_the_image_has_the_release_of_the_package() -> None:
    assert f"ARG VERSION={__version__}\n" in CONTAINERFILE


@pytest.mark.skipif(kubectl() is None, reason="no kubectl 1.27 or newer: nothing of Kubernetes is checked")
@pytest.mark.parametrize("overlay", ["small", "production"])
def test_the_deployments_use_that_release_and_the_image_s_user(overlay: str) -> None:
    for one in render(KUBERNETES / "overlays" / overlay).services():
        assert one.containers[0]["image"].endswith(f"video-manager:{__version__}")
        assert "command" not in one.containers[0], "the image's entry point forwards signals and buries children"
        user = one.pod["securityContext"]["runAsUser"]
        assert f"USER {user}:{user}\n" in CONTAINERFILE


def test_packages_are_taken_by_their_hashes_only() -> None:
    assert CONTAINERFILE.count("--require-hashes") == 2
    installs = re.findall(r"pip install .*", CONTAINERFILE)
    assert all("--require-hashes" in line or line.startswith("pip install --no-deps") for line in installs)


def test_both_ignore_files_say_the_same_and_let_everything_needed_in() -> None:
    ignored = (ROOT / ".containerignore").read_text()
    assert ignored == (ROOT / "deploy" / "Containerfile.dockerignore").read_text()
    copied = re.findall(r"^COPY (?!--from)(?:--\S+ )*(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert len(sources) >= 6
    for source in sources:
        assert (ROOT / source).exists()
        assert f"!{source}\n" in ignored


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_tells_ready_from_not_ready(status: int, code: int) -> None:
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert _check(server.server_port).returncode == code
        server.shutdown()
    assert asked == ["/health/ready"]


def test_the_health_check_says_when_nobody_answers() -> None:
    done = _check(1)
    assert done.returncode == 1
    assert "no answer on port 1" in done.stdout


def _check(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-IS", str(ROOT / "deploy" / "healthcheck")]
    environment = {"VIDEO_MANAGER_PORT": str(port)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
