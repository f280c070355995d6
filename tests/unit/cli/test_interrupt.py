"""Ctrl-C while a video is being made, at a real terminal."""

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from tests.unit.cli.conftest import a_video, generators

SECONDS = 30


def _make_at_a_terminal(data_dir: Path, keys: list[tuple[bytes, bytes]], inherited: Any) -> tuple[int, str]:
    """Run `make` and press each key once its words are on the screen. `inherited`: what Ctrl-C does to the program when
    it starts. Returns exit code and screen."""
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, inherited)
        environment = {**os.environ, "VIDEO_MANAGER_DATA_DIR": str(data_dir), "COLUMNS": "120"}
        command = [sys.executable, "-m", "video_manager", "make", "story", "--text", "Hi"]
        os.execve(sys.executable, command, environment)  # noqa: S606 - a child at a terminal of its own
    screen, deadline = b"", time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                chunk = os.read(terminal, 65536)
            except OSError:  # how a terminal says that its program is gone
                break
            screen += chunk
        if keys and keys[0][0] in screen:
            os.write(terminal, keys.pop(0)[1])
    else:
        os.kill(child, 9)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), screen.decode(errors="replace")


@pytest.fixture
def rendering(server: HTTPServer) -> HTTPServer:
    video = a_video("rendering")
    server.expect_request("/api/v1/generators").respond_with_json(generators())
    server.expect_request("/api/v1/videos", method="POST").respond_with_json({"items": [video]}, status=202)
    server.expect_request(f"/api/v1/videos/{video['id']}", method="GET").respond_with_json(video)
    server.expect_request(f"/api/v1/videos/{video['id']}/cancel", method="POST").respond_with_json(video)
    return server


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # forking beside the server's thread
@pytest.mark.parametrize(
    ("answer", "cancelled", "words"),
    [(b"y\n", True, "Cancelled: v1"), (b"n\n", False, "It goes on without this command"), (b"\x03", False, "[y/N]")],
)
@pytest.mark.parametrize("inherited", [signal.SIG_DFL, signal.SIG_IGN])
def test_ctrl_c_asks_what_is_to_become_of_the_video(
    rendering: HTTPServer, data_dir: Path, answer: bytes, cancelled: bool, words: str, inherited: Any
) -> None:
    code, screen = _make_at_a_terminal(data_dir, [(b"drawing", b"\x03"), (b"[y/N]", answer)], inherited)
    assert code == 130, screen
    assert words in screen
    assert any(request.path.endswith("/cancel") for request, _ in rendering.log) is cancelled
    assert "Traceback" not in screen
