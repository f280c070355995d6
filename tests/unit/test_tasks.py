"""Background tasks end, also those whose cancellation was swallowed."""

import asyncio

from video_manager.tasks import end_tasks


async def test_a_loop_that_swallows_a_cancellation_ends_all_the_same() -> None:
    swallowed = 0

    async def loop() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if swallowed == 2:
                    raise
                swallowed += 1

    tasks = [asyncio.create_task(loop()), asyncio.create_task(asyncio.sleep(60))]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await end_tasks(tasks, patience_seconds=0.02)
    assert swallowed == 2
    assert all(task.cancelled() for task in tasks)


async def test_tasks_that_ended_by_themselves_do_no_harm() -> None:
    async def failing() -> None:
        raise ValueError("early")

    tasks = [asyncio.create_task(failing()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.wait(tasks)
    await end_tasks(tasks)
    await end_tasks([])
    assert [str(task.exception()) for task in tasks if task.exception()] == ["early"]


async def test_cleaning_up_is_not_cut_short() -> None:
    cleaned = asyncio.Event()

    async def loop() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            cleaned.set()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    await end_tasks([task])
    assert cleaned.is_set()
