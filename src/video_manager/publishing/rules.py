"""The settings that publishing needs, handed down once."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from video_manager.settings import Settings


@dataclass(frozen=True)
class PublishingRules:
    """Times are seconds. `folder_roots` are the absolute folders that channels may write below, besides
    `published_folder`."""

    base_url: str
    published_folder: Path
    folder_roots: tuple[Path, ...] = ()
    private_folder: Path | None = None
    """The data folder: no channel writes into it, but for `published_folder`."""
    credential_keys: tuple[str, ...] = ()
    """Fernet keys for the platforms' secrets, the newest first; none: those in a file of `keys_folder`."""
    keys_folder: Path | None = None
    allow_private: bool = False
    """Whether channels may reach private and loopback addresses."""
    platform_gateway: str | None = None
    """Where all calls to platforms go instead: their fakes, or the only way out."""
    lease_seconds: float = 30.0
    renew_seconds: float = 2.0
    tick_seconds: float = 0.5
    grace_seconds: float = 10.0
    upload_timeout_seconds: float = 3600.0
    ask_timeout_seconds: float = 60.0
    stage_ahead_seconds: float = 1800.0
    """How long before its time a publication is uploaded, where the platform keeps it unpublished; 0: never."""
    slots: int = 2
    """Uploads at once in this process."""
    max_crashes: int = 8
    max_tries: int = 12
    """Automatic ones; by the backoff below about a day."""
    backoff_first_seconds: float = 5.0
    backoff_most_seconds: float = 3 * 3600.0
    max_asks: int = 8
    """After so many questions without an answer a publication counts as `unknown`."""
    unknown_ask_seconds: float = 3600.0
    """How often an unknown one is still asked about."""
    absent_margin_seconds: float = 1.0
    """Added to the publishing call's hard timeout before "not there" is believed."""

    @classmethod
    def of(cls, settings: Settings) -> "PublishingRules":
        return cls(
            base_url=settings.base_url,
            published_folder=settings.published_folder,
            private_folder=settings.data_dir,
            folder_roots=tuple(Path(root).expanduser().absolute() for root in settings.folder_roots),
            credential_keys=settings.keys_of_credentials,
            keys_folder=settings.data_dir if settings.keeps_data else None,
            allow_private=settings.channel_allow_private,
            platform_gateway=settings.platform_gateway,
            lease_seconds=settings.lease_seconds,
            renew_seconds=settings.renew_seconds,
            tick_seconds=settings.schedule_tick_seconds,
            grace_seconds=settings.grace_seconds,
            upload_timeout_seconds=settings.publish_timeout_seconds,
            max_crashes=settings.max_crashes,
            stage_ahead_seconds=settings.stage_ahead_seconds,
        )

    def retry_delay(self, tries: int) -> timedelta:
        """How long to wait after that many failed tries."""
        seconds = self.backoff_first_seconds * 3.0 ** min(tries, 20)
        return timedelta(seconds=min(seconds, self.backoff_most_seconds))

    def trust_after(self, call_timeout_seconds: float) -> timedelta:
        """How long after an arming "not there" is believed."""
        return timedelta(seconds=call_timeout_seconds + self.absent_margin_seconds)

    def ask_delay(self, asked: int) -> timedelta:
        """How long to wait after having asked that often without a final answer."""
        return timedelta(seconds=min(2.0 ** min(asked, 20), 300.0))
