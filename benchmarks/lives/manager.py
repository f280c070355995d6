"""`video-manager run manager`, with the ages of its messages written down when it ends.

    python benchmarks/lives/manager.py AGES [PROFILE]

With PROFILE it runs under cProfile, several times slower, and leaves its statistics there.
"""

import cProfile
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lives.ages import Ages, opened_with_ages

from video_manager.bootstrap import Service, serve_service, serving
from video_manager.bootstrap.adapters import Adapters
from video_manager.settings import Settings, read_settings


def main() -> None:
    ages, profile = Path(sys.argv[1]), sys.argv[2:]
    kept: list[Ages] = []

    @asynccontextmanager
    async def opened(settings: Settings) -> AsyncIterator[Adapters]:
        async with opened_with_ages(settings) as (adapters, recorded):
            kept.append(recorded)
            yield adapters

    serving.opened = opened  # type: ignore[attr-defined]  # it imports it
    profiler = cProfile.Profile() if profile else None
    if profiler is not None:
        profiler.enable()
    serve_service(read_settings(), Service.MANAGER)
    if profiler is not None:
        profiler.disable()
        profiler.dump_stats(profile[0])
    kept[0].write(ages)


if __name__ == "__main__":
    main()
