"""Whether each dependency answers, and the figures that prove that work goes on."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from video_manager.bootstrap.system import System
from video_manager.gateway.health import Probe
from video_manager.ports import Op, Where

_NOWHERE = "probe"


def probes_of(system: System) -> Mapping[str, Probe]:
    """One sign of life of each store, the bus and the warehouse."""
    adapters = system.adapters

    async def documents() -> None:
        await adapters.documents.count("videos", (Where("state", Op.EQ, _NOWHERE),))

    async def files() -> None:
        await adapters.files.stat(_NOWHERE)

    async def bus() -> None:
        await adapters.bus.depth()

    async def warehouse() -> None:
        await system.analytics.warehouse.is_empty()

    return {"documents": documents, "files": files, "bus": bus, "warehouse": warehouse}


def observe(system: System, registry: CollectorRegistry) -> None:
    """Gauges that show stuck work: they are read when somebody asks for the metrics."""
    running = Gauge("video_manager_running_jobs", "Jobs that run in this process.", ["service"], registry=registry)
    running.labels("generation").set_function(lambda: system.generation.running)
    running.labels("processing").set_function(lambda: system.processing.running)
