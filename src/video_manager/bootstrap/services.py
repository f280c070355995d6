"""The services, and what each of them needs to run by itself."""

from enum import StrEnum


class Service(StrEnum):
    """What `video-manager run` takes. In the laptop profile all of them share one process."""

    GATEWAY = "gateway"
    STUDIO = "studio"
    MANAGER = "manager"
    GENERATION = "generation"
    PROCESSING = "processing"
    PUBLISHING = "publishing"
    NOTIFICATIONS = "notifications"
    ANALYTICS = "analytics"

    @property
    def serves_people(self) -> bool:
        """Whether it answers with the API; the others answer with their health alone."""
        return self in (Service.GATEWAY, Service.STUDIO)

    @property
    def runs_plugins(self) -> bool:
        """Whether it starts a process for each job."""
        return self in (Service.GENERATION, Service.PROCESSING)

    @property
    def needs_credentials(self) -> bool:
        """Whether it connects channels or publishes to them."""
        return self in (Service.GATEWAY, Service.STUDIO, Service.PUBLISHING)

    @property
    def needs_warehouse(self) -> bool:
        return self in (Service.GATEWAY, Service.STUDIO, Service.ANALYTICS)


ALL_SERVICES = frozenset(Service)
API_ONLY = frozenset({Service.GATEWAY})
