"""The fake platforms on a port of this machine, in a thread of this process."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from video_manager.fakes.network import FakeNetwork

_START_SECONDS = 30.0


@contextmanager
def served(network: FakeNetwork, port: int = 0) -> Iterator[str]:
    """Its address, for VIDEO_MANAGER_PLATFORM_GATEWAY, as long as the block lasts."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(network, log_level="critical", lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True, name="fake platforms")
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(_START_SECONDS)
        listener.close()
