"""What the studio needs from the rest of the system, handed over once at the start."""

from dataclasses import dataclass

from video_manager.analytics.service import AnalyticsService
from video_manager.gateway.access import AccessService
from video_manager.gateway.operations import OperationsService
from video_manager.manager.reviewing import ReviewService
from video_manager.manager.service import VideoService
from video_manager.notifications.service import NotificationService
from video_manager.plugins.registry import Registry
from video_manager.ports import Clock, DocumentStore, MessageBus
from video_manager.publishing.connecting import ConnectingService
from video_manager.publishing.service import PublishingService
from video_manager.settings import Settings


@dataclass(frozen=True)
class StudioParts:
    """The services' use cases, called in-process, and the shared stores the pages read."""

    settings: Settings
    videos: VideoService
    reviews: ReviewService
    publishing: PublishingService
    connecting: ConnectingService
    notifications: NotificationService
    analytics: AnalyticsService
    access: AccessService
    operations: OperationsService
    registry: Registry
    bus: MessageBus
    documents: DocumentStore
    clock: Clock
