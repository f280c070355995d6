"""Which event loop a service runs on."""

import asyncio

import pytest
import uvloop

from video_manager.bootstrap.services import Service
from video_manager.bootstrap.serving import runner_for


@pytest.mark.parametrize("service", Service)
def test_services_that_start_no_processes_run_on_uvloop(service: Service) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def look() -> None:
        loops.append(asyncio.get_running_loop())

    runner_for(service)(look())
    starts_processes = service in (Service.GENERATION, Service.PROCESSING)
    assert [isinstance(loop, uvloop.Loop) for loop in loops] == [not starts_processes]
