"""The process is killed while files come in; the sender goes on with what comes back."""

import asyncio
import random
import sys
from pathlib import Path

import httpx
import pytest
from tests.integration.gateway.world import CLI_TOKEN

from video_manager.adapters.embedded.files import FolderFiles
from video_manager.settings import Settings

ROOT = Path(__file__).parents[3]
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = TUS | {"Content-Type": "application/offset+octet-stream"}
SIZE_BYTES = 40_000_000
KILLS = 3


class Server:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, client: httpx.AsyncClient) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.integration.gateway.killable_server", str(self.settings.data_dir),
            str(self.settings.port), cwd=ROOT,
        )  # fmt: skip
        async with asyncio.timeout(60):
            while True:
                try:
                    await client.get("/health/live")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def kill(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


@pytest.mark.slow
async def test_an_upload_survives_kills(settings: Settings) -> None:
    content = random.Random(7).randbytes(SIZE_BYTES)
    chance = random.Random(3)
    server = Server(settings)
    headers = {"Authorization": f"Bearer {CLI_TOKEN}"}
    acknowledged = kills = 0
    async with httpx.AsyncClient(base_url=settings.base_url, headers=headers, timeout=30) as client:
        try:
            await server.start(client)
            announced = await client.post("/api/v1/uploads", headers=TUS | {"Upload-Length": str(SIZE_BYTES)})
            url = announced.headers["location"]
            while True:
                offset = int((await client.head(url, headers=TUS)).headers["upload-offset"])
                assert offset >= acknowledged, "acknowledged bytes are gone"
                if offset == SIZE_BYTES:
                    break
                piece = content[offset : offset + SIZE_BYTES // 4]
                sending = asyncio.create_task(
                    client.patch(url, headers=PIECE | {"Upload-Offset": str(offset)}, content=piece)
                )
                if kills < KILLS:
                    await asyncio.sleep(chance.uniform(0.005, 0.12))
                    await server.kill()
                    kills += 1
                    await asyncio.wait([sending])
                    if sending.exception() is None:
                        acknowledged = int(sending.result().headers["upload-offset"])
                    await server.start(client)
                else:
                    acknowledged = int((await sending).headers["upload-offset"])
            facts = (await client.get(url)).json()
        finally:
            await server.kill()
    assert kills == KILLS
    assert facts["completed_at"]
    files = FolderFiles(settings.data_dir / "files")
    await files.open()
    assert b"".join([chunk async for chunk in files.read(facts["id"])]) == content
    await files.close()
