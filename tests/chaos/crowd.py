"""People who go on whatever breaks: they request until they are acknowledged, and approve what is ready."""

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

SMALL = {"duration_seconds": 1, "width": 180, "height": 320, "frame_rate": 15}


class Crowd:
    """Requests `wanted` videos for `channels` and approves each. Whatever was not acknowledged is said again, with the
    same key. `connect` gives a client, each time anew: the gateway may be another one. Two crowds on one system have
    different names."""

    def __init__(
        self, connect: Callable[[], httpx.Client], channels: list[str], wanted: int, name: str = "Batch"
    ) -> None:
        self._connect = connect
        self._channels = channels
        self._name = name
        self.wanted = wanted
        """May be raised while they work."""
        self.acknowledged: list[str] = []
        self.approved: set[str] = set()
        self.refused: list[str] = []
        """Answers that no outage explains."""
        self.repeats = 0
        """How often something had to be said again."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="crowd")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def has_all(self) -> bool:
        return len(self.acknowledged) >= self.wanted

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._connect() as http:
                    self._request_some(http)
                    self._approve_ready(http)
            except (httpx.HTTPError, OSError):
                self.repeats += 1
            time.sleep(0.1)

    def _request_some(self, http: httpx.Client) -> None:
        # A few at a time, so that requests meet outages all along the campaign.
        for _ in range(2):
            index = len(self.acknowledged)
            if index >= self.wanted:
                return
            title = f"{self._name} {index}"
            body = {"generator": "test-card", "title": title, "options": SMALL, "channels": self._channels}
            answer = http.post("/videos", json=body, headers={"Idempotency-Key": title})
            if answer.status_code == 202:
                self.acknowledged.append(answer.json()["items"][0]["id"])
            else:
                self._note(answer, expected=(409,))

    def _approve_ready(self, http: httpx.Client) -> None:
        for video in pages_of(http, "/videos", state="in_review"):
            answer = http.post(
                f"/videos/{video['id']}/review", json={"version": 1, "decision": "approve"},
                headers={"Idempotency-Key": f"approve-{video['id']}"},
            )  # fmt: skip
            if answer.status_code == 200:
                self.approved.add(video["id"])
            else:
                self._note(answer, expected=(409, 412))

    def _note(self, answer: httpx.Response, expected: tuple[int, ...]) -> None:
        """409: the first try still runs, or has done it already. 5xx: an outage."""
        self.repeats += 1
        if answer.status_code < 500 and answer.status_code not in expected:
            self.refused.append(f"{answer.request.url.path}: {answer.status_code} {answer.text[:300]}")


def pages_of(http: httpx.Client, path: str, **query: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        answer = http.get(path, params={"limit": "100", **query, **({"cursor": cursor} if cursor else {})})
        answer.raise_for_status()
        page = answer.json()
        items += page["items"]
        cursor = page.get("next")
        if not cursor:
            return items
