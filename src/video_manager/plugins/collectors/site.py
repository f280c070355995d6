"""The numbers of the product's own site: its honest counts, as they are."""

# ruff: noqa: ARG002 - the interface's arguments; not every platform needs all of them

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from video_manager.domain.metrics import Metric, MetricSnapshot
from video_manager.plugins.api import Collector, CollectorContext, Options, PublishedPost


class SiteCollectorOptions(Options):
    """The site needs none."""


class SiteCollector(Collector[SiteCollectorOptions]):
    name = "site"
    title = "Own site"
    description = "Views, watch time and likes of the system's own pages."
    Options = SiteCollectorOptions
    # Asking ourselves costs little; a person who looks at the dashboard wants to see what just happened.
    interval_seconds: ClassVar[float] = 60.0

    async def collect(
        self, posts: Sequence[PublishedPost], options: SiteCollectorOptions, context: CollectorContext
    ) -> Mapping[str, Mapping[str, Any]]:
        payloads = {}
        for post in posts:
            counts = await context.site_counts.counts(post.external_id)
            if counts is not None:
                payloads[post.publication_id] = {"page_id": post.external_id, **counts}
        return payloads

    def read(self, publication_id: str, payload: Mapping[str, Any], taken_at: datetime) -> MetricSnapshot:
        known = {metric: float(payload[metric.value]) for metric in Metric if metric.value in payload}
        return MetricSnapshot(publication_id=publication_id, as_of=taken_at, values=known)
