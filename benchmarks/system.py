"""The running system: how fast it answers while it renders, and how much memory it takes.

    python benchmarks/system.py

Starts the system in a folder of its own and prints the start, the idle memory, the API's answer times idle and while
two renders run, and what one render of 30 s at 1080x1920 adds. The floor beside the answer times is the same
route's cheapest neighbour, /health/live, in the same moments.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

MIB = 2**20
TEXT = (
    "Deep under the northern sea there is a place where the water glows at night. Fishermen told of it for a hundred "
    "years, and nobody believed them. Then a young biologist lowered a camera into the dark and waited. After three "
    "hours the first lights came: small blue sparks that moved like falling snow. Each of them was a living thing, "
    "no longer than a fingernail, that makes its own light to find its own kind. She counted four thousand in a "
    "single minute, and when she came back she had a picture that changed what we know about the deep."
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        process, url, started_seconds = start(Path(folder))
        try:
            token = (Path(folder) / "data" / "cli-token").read_text().strip()
            headers = {"Authorization": f"Bearer {token}"}
            with httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60) as http:
                measure(process.pid, http, started_seconds)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def measure(pid: int, http: httpx.Client, started_seconds: float) -> None:
    print(f"first start until it answers            {started_seconds:8.2f} s")
    time.sleep(5)
    idle = memory_bytes(pid)
    print(f"idle system                             {idle / MIB:8.0f} MiB   (goal: under 350)")
    report("idle", http, lambda: False, 200)
    video = request(http, {"text": TEXT, "max_seconds": 30}, 1)
    peak = [idle]
    while state(http, video) in ("requested", "rendering"):
        peak.append(memory_bytes(pid))
        time.sleep(0.1)
    print(f"one story render of 30 s at 1080x1920   {(max(peak) - idle) / MIB:8.0f} MiB more (goal: under 600)")
    while state(http, video) == "processing":
        time.sleep(0.2)
    if state(http, video) != "in_review":
        raise SystemExit(f"the render did not end well: {state(http, video)}")
    running = [request(http, {"text": TEXT, "max_seconds": 30}, seed) for seed in (2, 3)]
    while sum(state(http, id) == "rendering" for id in running) < 2:
        time.sleep(0.1)
    report("while two renders run", http, lambda: sum(state(http, id) == "rendering" for id in running) < 2, 2000)


def report(when: str, http: httpx.Client, over: Callable[[], bool], most: int) -> None:
    """Print p50 and p95 of GET /videos and of the floor, measured in turn."""
    times: dict[str, list[float]] = {"/videos": [], "/health/live": []}
    for index in range(most):
        for path, taken in times.items():
            begun = time.perf_counter()
            http.get(path if path == "/videos" else str(http.base_url.join(path))).raise_for_status()
            taken.append((time.perf_counter() - begun) * 1000)
        if index % 20 == 19 and over():
            break
        time.sleep(0.02)
    for path, taken in times.items():
        p50, p95 = statistics.median(taken), statistics.quantiles(taken, n=20)[18]
        name = "GET /api/v1/videos" if path == "/videos" else "floor: /health/live"
        goal = "   (goal: p95 under 50)" if path == "/videos" and "render" in when else ""
        print(f"{name:20} {when:22} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms  n {len(taken)}{goal}")


def request(http: httpx.Client, options: dict[str, object], seed: int) -> str:
    body = {"generator": "story", "title": f"Benchmark {seed}", "seed": seed, "options": options}
    answer = http.post("/videos", json=body)
    answer.raise_for_status()
    id: str = answer.json()["items"][0]["id"]
    return id


def state(http: httpx.Client, id: str) -> str:
    found: str = http.get(f"/videos/{id}").raise_for_status().json()["state"]
    return found


def memory_bytes(pid: int) -> int:
    """Proportional set size of the process and everything it started: shared pages are counted once."""
    total = 0
    for one in family(pid):
        try:
            for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        except OSError:
            continue  # it has ended meanwhile
    return total


def family(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str, float]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ, "VIDEO_MANAGER_DATA_DIR": str(folder / "data"), "VIDEO_MANAGER_PORT": str(port),
        "VIDEO_MANAGER_SAMPLE_VIDEO": "false", "VIDEO_MANAGER_RENDER_SLOTS": "2", "VIDEO_MANAGER_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "video_manager", "up"], env=environment, stdout=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    while process.poll() is None:
        try:
            if httpx.get(f"{url}/health/ready", timeout=2).status_code == 200:
                return process, url, time.perf_counter() - begun
        except httpx.HTTPError:
            time.sleep(0.02)
    raise SystemExit("the system did not start")


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main()
