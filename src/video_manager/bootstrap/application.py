"""The web application that people and programs use: the gateway's routes with the studio on top."""

from fastapi import FastAPI

from video_manager.analytics.routes import router as analytics_router
from video_manager.bootstrap.lifespan import running
from video_manager.bootstrap.probes import health_of
from video_manager.bootstrap.system import System
from video_manager.bootstrap.unused import CLIENTS, OLD_MODELS, without
from video_manager.gateway.app import GatewayParts, create_app
from video_manager.gateway.events import EventFeed
from video_manager.gateway.idempotency import IdempotencyRecords
from video_manager.gateway.local_secrets import session_secret
from video_manager.manager import job_routes, plugin_routes
from video_manager.manager.routes import router as manager_router
from video_manager.manager.sent_results import SentResults
from video_manager.manager.worker_desk import WorkerDesk
from video_manager.notifications.routes import router as notifications_router
from video_manager.publishing.calendar_routes import calendar_router
from video_manager.publishing.connection_routes import callback_router, connection_router
from video_manager.publishing.routes import api_router as publishing_router
from video_manager.publishing.site.routes import public_router
from video_manager.settings import Settings


def build_application(system: System, *, workers: bool, studio: bool = True) -> FastAPI:
    """With `workers` the application's lifespan also runs every service's handlers and timers."""
    with without(*CLIENTS, *OLD_MODELS):
        app = _gateway(system, workers=workers)
        if studio:
            _mount_studio(app, system)
    return app


def _gateway(system: System, *, workers: bool) -> FastAPI:
    settings, bus = system.settings, system.adapters.bus
    secret = session_secret(settings)
    return create_app(
        GatewayParts(
            settings=settings,
            access=system.access,
            uploads=system.uploads,
            idempotency=IdempotencyRecords(system.adapters.documents, system.adapters.clock, secret),
            operations=system.operations,
            events=EventFeed(bus),
            session_secret=secret,
            health=health_of(system),
            api_routers=(
                manager_router(system.videos, system.reviews, system.adapters.files),
                plugin_routes.router(system.registry, system.generators, _terms(settings)),
                job_routes.router(_worker_desk(system), system.adapters.files),
                publishing_router(system.publishing.service, system.publishing.connecting),
                connection_router(system.publishing.connecting, system.publishing.rotation, system.adapters.clock),
                notifications_router(system.notifications.service),
                analytics_router(system.analytics.service),
            ),
            public_routers=(
                public_router(system.publishing.site),
                calendar_router(system.publishing.calendar, system.access.calendars.actor_of),
            ),
            page_routers=(callback_router(system.publishing.connecting),),
            lifespan=(lambda: running(system, workers=workers),),
        )
    )


def _worker_desk(system: System) -> WorkerDesk:
    return WorkerDesk(system.jobs, system.generators, SentResults(system.uploads, system.adapters.files))


def _terms(settings: Settings) -> plugin_routes.WorkerTerms:
    return plugin_routes.WorkerTerms(
        settings.worker_offline_seconds, settings.lease_seconds, settings.renew_seconds, settings.max_upload_bytes
    )


def _mount_studio(app: FastAPI, system: System) -> None:
    from video_manager.studio.app import mount  # noqa: PLC0415 - commands that need no pages start without
    from video_manager.studio.parts import StudioParts  # noqa: PLC0415

    mount(
        app,
        StudioParts(
            settings=system.settings, videos=system.videos, reviews=system.reviews,
            publishing=system.publishing.service, connecting=system.publishing.connecting,
            notifications=system.notifications.service,
            analytics=system.analytics.service, access=system.access, operations=system.operations,
            registry=system.registry, bus=system.adapters.bus, documents=system.adapters.documents,
            clock=system.adapters.clock,
        ),
    )  # fmt: skip
