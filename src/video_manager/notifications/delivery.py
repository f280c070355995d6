"""The delivery loop: sends what waits, each recipient by itself, so that a slow or dead one delays nobody else."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from video_manager.notifications.model import Delivery, DeliveryState, RecipientKind
from video_manager.notifications.recipients import TargetDeliverer, WebhookDeliverer
from video_manager.notifications.service import MOST_RECIPIENTS
from video_manager.notifications.stores import Stores
from video_manager.ports import Clock, Op, Query, Where
from video_manager.repository import instant_text
from video_manager.tasks import end_tasks, pause

KEEP_DELIVERIES = timedelta(days=30)
KEEP_NOTIFICATIONS = timedelta(days=90)
PRUNE_SECONDS = 3600.0
STOP_SECONDS = 3.0
"""How long a stop waits for what is being sent; the rest is sent again after the next start."""

_PRUNE_BATCH = 500
_log = logging.getLogger(__name__)


class DeliveryLoop:
    """Any number of processes may run it: an attempt is claimed by moving the delivery's `due_at`."""

    def __init__(
        self, stores: Stores, clock: Clock, targets: TargetDeliverer, webhooks: WebhookDeliverer,
        tick_seconds: float = 1.0,
    ) -> None:  # fmt: skip
        self._stores = stores
        self._clock = clock
        self._targets = targets
        self._webhooks = webhooks
        self._tick_seconds = tick_seconds
        self._woken = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._serving: dict[str, asyncio.Task[None]] = {}
        self._prune_at = 0.0

    def wake(self) -> None:
        self._woken.set()

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="notification delivery")

    async def stop(self) -> None:
        if self._loop is None:
            return
        await end_tasks([self._loop])
        serving = list(self._serving.values())
        if serving:
            _, late = await asyncio.wait(serving, timeout=STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self._loop = None
        self._serving = {}

    async def _run(self) -> None:
        while True:
            try:
                await self.begin_due()
                await self._prune_sometimes()
            except Exception as error:  # noqa: BLE001 - whatever the disk does, the loop goes on
                _log.warning("notifications wait, next try in %.1f s: %s", self._tick_seconds, error, exc_info=error)
            await self._wait()

    async def _wait(self) -> None:
        await pause(self._clock, self._tick_seconds, self._woken)
        self._woken.clear()

    async def run_once(self) -> None:
        """Send everything that is due, and return when it is done."""
        await self.begin_due()
        await asyncio.gather(*self._serving.values())

    async def begin_due(self) -> None:
        """Start serving every recipient that has something due and is not being served."""
        enabled = Query(where=(Where("enabled", Op.EQ, value=True),), limit=MOST_RECIPIENTS)
        for target in await self._stores.targets.find(enabled):
            await self._begin(target.value.id, self._targets.serve)
        for webhook in await self._stores.webhooks.find(enabled):
            await self._begin(webhook.value.id, self._webhooks.serve)

    async def _begin(self, recipient_id: str, serve: Callable[[str], Awaitable[None]]) -> None:
        if recipient_id in self._serving:
            return
        task = asyncio.create_task(self._serve(recipient_id, serve), name=f"deliver to {recipient_id}")
        self._serving[recipient_id] = task
        task.add_done_callback(lambda _: self._serving.pop(recipient_id, None))

    async def _serve(self, recipient_id: str, serve: Callable[[str], Awaitable[None]]) -> None:
        try:
            await serve(recipient_id)
        except Exception as error:  # noqa: BLE001 - one recipient's trouble is its own
            _log.warning("sending to %s failed and is tried again: %s", recipient_id, error, exc_info=error)

    # ---- what is old goes ---------------------------------------------------------------------------------

    async def _prune_sometimes(self) -> None:
        if self._clock.monotonic() >= self._prune_at:
            await self.prune()
            self._prune_at = self._clock.monotonic() + PRUNE_SECONDS

    async def prune(self) -> None:
        """Remove deliveries and notifications past their time, and end those whose recipient is gone."""
        now = self._clock.now()
        ended = Where("ended_at", Op.LT, instant_text(now - KEEP_DELIVERIES))
        for delivery in await self._stores.deliveries.find(Query(where=(ended,), limit=_PRUNE_BATCH)):
            await self._stores.deliveries.remove(delivery.value.id)
        old = Where("created_at", Op.LT, instant_text(now - KEEP_NOTIFICATIONS))
        for notification in await self._stores.notifications.find(Query(where=(old,), limit=_PRUNE_BATCH)):
            await self._stores.notifications.remove(notification.value.id)
        stuck = (
            Where("state", Op.EQ, DeliveryState.PENDING),
            Where("created_at", Op.LT, instant_text(now - timedelta(days=2))),
        )
        for delivery in await self._stores.deliveries.find(Query(where=stuck, limit=_PRUNE_BATCH)):
            await self._stores.deliveries.change(delivery.value.id, self._abandon)

    def _abandon(self, delivery: Delivery) -> Delivery | None:
        if delivery.state is not DeliveryState.PENDING:
            return None
        noun = "webhook" if delivery.recipient_kind is RecipientKind.WEBHOOK else "target"
        return delivery.with_(
            state=DeliveryState.FAILED, ended_at=self._clock.now(),
            last_error=delivery.last_error or f"the {noun} was removed or switched off",
        )  # fmt: skip
