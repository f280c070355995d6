"""All settings, read once, from `VIDEO_MANAGER_*` in the environment. docs/settings.md lists them.

A wrong value stops the start with a message that names the setting; nothing falls back silently.
"""

import ipaddress
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_args
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from video_manager.errors import SettingsError

PREFIX = "VIDEO_MANAGER_"

_DAYS = 36500
_HOURS = _DAYS * 24
"""A hundred years: as good as for ever, and still a date."""
_SECRET_CHARACTERS = 32


def _split(value: Any) -> Any:
    return [part for part in value.replace(",", " ").split() if part] if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Several words in one variable, separated by spaces or commas."""


class Profile(StrEnum):
    LAPTOP = "laptop"
    CLUSTER = "cluster"


class Documents(StrEnum):
    SQLITE = "sqlite"
    MONGODB = "mongodb"


class Files(StrEnum):
    FOLDER = "folder"
    GRIDFS = "gridfs"


class Bus(StrEnum):
    EMBEDDED = "embedded"
    RABBITMQ = "rabbitmq"


class Settings(BaseSettings):
    """One field a setting: `data_dir` is VIDEO_MANAGER_DATA_DIR. Durations and sizes carry their unit."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, validate_default=True, allow_inf_nan=False
    )

    # where things are
    profile: Profile = Field(Profile.LAPTOP, description="Which adapters are the default: laptop or cluster.")
    data_dir: Path = Field(Path("data"), description="Folder of everything the laptop profile stores.")
    host: str = Field("127.0.0.1", description="Address to listen on; loopback only unless told otherwise.")
    port: int = Field(8800, ge=1, le=65535, description="Port of the studio, the API and the site.")
    public_url: str | None = Field(
        None,
        description="Address under which people reach the system, for links; default: the host and port. "
        "A service that runs by itself needs it.",
    )
    allowed_origins: Words = Field(
        (), description="Further origins (https://studio.example.org) that may use the API with a session."
    )
    trusted_proxies: Words = Field(
        (), description="Addresses of reverse proxies whose X-Forwarded-For and -Proto are believed."
    )

    # stores and broker
    documents: Documents | None = Field(
        None, description="Where documents are: sqlite (default on the laptop) or mongodb (default in the cluster)."
    )
    files: Files | None = Field(
        None, description="Where video files are: folder (default on the laptop) or gridfs (default in the cluster)."
    )
    bus: Bus | None = Field(
        None,
        description="What carries messages: embedded (laptop's default) or rabbitmq (cluster's default).",
    )
    mongodb_url: SecretStr | None = Field(
        None, description="MongoDB with its database: mongodb://user:password@host:27017/video_manager."
    )
    rabbitmq_url: SecretStr | None = Field(
        None, description="RabbitMQ with its virtual host: amqp://user:password@host:5672/video_manager."
    )
    connect_seconds: float = Field(
        60.0, ge=0, description="How long a start waits for a store or broker that does not answer yet."
    )

    # work
    render_slots: int = Field(
        max(1, (os.cpu_count() or 2) - 1), ge=1, le=64, description="Renders at once in this process (cores - 1)."
    )
    processing_slots: int = Field(1, ge=1, le=64, description="Processing runs at once in this process.")
    lease_seconds: float = Field(30.0, ge=1, description="A job whose worker is silent for so long is queued again.")
    renew_seconds: float = Field(2.0, gt=0, description="How often a worker renews its lease with its progress.")
    max_crashes: int = Field(
        8, ge=1, description="After so many workers died with a job at the same point, the job fails."
    )
    worker_offline_seconds: float = Field(
        90.0, ge=1, description="A generator whose worker in another language is silent for so long shows as offline."
    )
    grace_seconds: float = Field(10.0, ge=0, description="How long a shutdown waits for running work.")
    render_timeout_seconds: float = Field(7200.0, gt=0, description="A single render or processing run ends here.")

    late_outbox_seconds: float = Field(
        60.0, gt=0, description="A message that waits longer to be sent makes `/health/work` say late."
    )
    late_job_seconds: float = Field(
        900.0, gt=0, description="A job that no worker takes for longer makes `/health/work` say late."
    )

    late_publication_seconds: float = Field(
        300.0,
        gt=0,
        description="A publication that nobody takes for longer after its time makes `/health/work` say late.",
    )

    # limits and lifetimes
    max_upload_bytes: int = Field(20 * 2**30, ge=1, description="Largest file that may be sent in.")
    upload_expiry_hours: float = Field(
        24.0, gt=0, le=_HOURS, description="An upload without progress is removed after this."
    )
    storage_quota_bytes: int | None = Field(None, ge=1, description="Most bytes of video files; default: the disk.")
    min_free_bytes: int = Field(
        200 * 2**20,
        ge=0,
        description="New work is refused when less space than this is free; "
        "a quarter of it is never filled with videos.",
    )
    retention_days: float = Field(
        30.0,
        ge=0,
        le=_DAYS,
        description="Masters of published, rejected, failed and cancelled versions are kept so long.",
    )
    max_versions_per_request: int = Field(50, ge=1, description="Most videos one request may ask for.")
    max_open_jobs: int = Field(1000, ge=1, description="More open jobs than this: new requests get 429.")

    # publishing
    published_dir: Path | None = Field(
        None, description="Where relative paths of `folder` channels start; default: data_dir/published."
    )
    folder_roots: Words = Field(
        ("/",),
        description="Folders below which `folder` channels may write, besides published_dir; the default allows all, "
        "because only administrators make channels. Never the data folder itself.",
    )
    schedule_tick_seconds: float = Field(0.5, gt=0, description="How often due publications are looked for.")
    stage_ahead_seconds: float = Field(
        1800.0,
        ge=0,
        description="How long before its time a publication is uploaded, where the platform keeps it unpublished.",
    )
    publish_timeout_seconds: float = Field(3600.0, gt=0, description="One upload attempt ends here.")

    credential_keys: SecretStr | None = Field(
        None,
        description="Fernet keys that encrypt the platforms' secrets, the newest first, separated by commas; default "
        "on the laptop: made once, kept in data_dir. The cluster needs it.",
    )
    channel_allow_private: bool = Field(
        False, description="Whether channels may reach private and loopback addresses (your own PeerTube)."
    )
    platform_gateway: str | None = Field(
        None,
        description="Address where all calls to platforms go instead, their host first in the path: the fakes of "
        "`video-manager demo`, or a proxy.",
    )

    # notifications
    notify_urls: list[SecretStr] = Field(
        default=[], description="Apprise addresses (mailto://, slack://, ...), as a JSON list."
    )
    notify_timeout_seconds: float = Field(30.0, gt=0, description="One notification attempt ends here.")
    webhook_allow_private: bool = Field(False, description="Whether webhooks may go to private and loopback addresses.")

    # analytics
    collect_seconds: float = Field(60.0, gt=0, description="How often the numbers of the product's own site are taken.")
    warehouse_url: SecretStr | None = Field(
        None,
        description="PostgreSQL of analytics: postgresql://user:password@host:5432/video_manager; default: SQLite in "
        "data_dir.",
    )

    # access
    session_hours: float = Field(24.0 * 7, gt=0, le=_HOURS, description="A sign-in lasts so long.")
    session_secret: SecretStr | None = Field(None, description="Signs sessions; default: made once, kept in data_dir.")
    admin_password: SecretStr | None = Field(
        None, description="Password of the first admin; default: made at random and shown once."
    )
    login_attempts_per_minute: int = Field(
        10, ge=1, description="Failed sign-ins from one address before it has to wait."
    )

    # plugins and the rest
    plugin_folder: Path | None = Field(None, description="Folder of one-file plugins.")
    ffmpeg: Path | None = Field(None, description="A system ffmpeg to use instead of the one that comes along.")
    sample_video: bool = Field(True, description="Whether the first start requests one sample video.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="How much is logged.")
    log_json: bool = Field(False, description="One JSON object a line instead of text.")

    @field_validator("data_dir", "published_dir", "plugin_folder", mode="after")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        return None if path is None else path.expanduser().absolute()

    @field_validator("public_url", "platform_gateway", mode="after")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("must look like https://videos.example.org")
        return url.rstrip("/")

    @field_validator("allowed_origins", mode="after")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
                raise ValueError(f"{origin!r} is no origin such as https://studio.example.org")
        return origins

    @field_validator("trusted_proxies", mode="after")
    @classmethod
    def _addresses(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError as error:
                if proxy != "*":
                    raise ValueError(f"{proxy!r} is no address such as 10.0.0.1 or 10.0.0.0/8") from error
        return proxies

    @field_validator("folder_roots", mode="after")
    @classmethod
    def _full_paths(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        for root in roots:
            if not Path(root).expanduser().is_absolute():
                raise ValueError(f"{root!r} is no full path: it must start with /")
        return roots

    @field_validator("session_secret", mode="after")
    @classmethod
    def _hard_to_guess(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < _SECRET_CHARACTERS:
            raise ValueError(f"must have at least {_SECRET_CHARACTERS} random characters")
        return secret

    @model_validator(mode="after")
    def _lease_outlives_renewals(self) -> "Settings":
        if self.renew_seconds * 3 > self.lease_seconds:
            raise ValueError("lease_seconds must be at least three times renew_seconds")
        return self

    @model_validator(mode="after")
    def _addresses_of_what_is_used(self) -> "Settings":
        if self.mongodb_url is None and (self.uses_mongodb or self.uses_gridfs):
            raise ValueError(
                f"{PREFIX}MONGODB_URL is missing: name the MongoDB, for example mongodb://mongodb/video_manager"
            )
        if self.rabbitmq_url is None and self.uses_rabbitmq:
            raise ValueError(f"{PREFIX}RABBITMQ_URL is missing: name the RabbitMQ, for example amqp://rabbitmq/")
        return self

    @property
    def uses_mongodb(self) -> bool:
        """For documents."""
        return (self.documents or _OF_PROFILE[self.profile][0]) is Documents.MONGODB

    @property
    def uses_gridfs(self) -> bool:
        return (self.files or _OF_PROFILE[self.profile][1]) is Files.GRIDFS

    @property
    def uses_rabbitmq(self) -> bool:
        return (self.bus or _OF_PROFILE[self.profile][2]) is Bus.RABBITMQ

    @property
    def keeps_data(self) -> bool:
        """Whether anything that lasts is in `data_dir`, so that one process has it for itself."""
        return not (self.uses_mongodb and self.uses_gridfs and self.uses_rabbitmq)

    @property
    def base_url(self) -> str:
        """Where people reach the system, without a slash at the end."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        return self.public_url or f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def keys_of_credentials(self) -> tuple[str, ...]:
        keys = self.credential_keys.get_secret_value() if self.credential_keys else ""
        return tuple(_split(keys))

    @property
    def published_folder(self) -> Path:
        return self.published_dir or self.data_dir / "published"


_OF_PROFILE = {
    Profile.LAPTOP: (Documents.SQLITE, Files.FOLDER, Bus.EMBEDDED),
    Profile.CLUSTER: (Documents.MONGODB, Files.GRIDFS, Bus.RABBITMQ),
}


def read_settings(**overrides: Any) -> Settings:
    """Read the settings, refusing unknown VIDEO_MANAGER_ names. Raises SettingsError with one line a fault."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(
        name for name in os.environ if name.startswith(PREFIX) and name not in known and "_TEST_" not in name
    )
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}; docs/settings.md lists the known ones")
    try:
        return Settings(**overrides)
    except UnreadableSetting as error:  # not even JSON, where JSON is asked for; the value may be a secret
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "a setting")
        raise SettingsError(f'wrong settings:\n  {_name((name,))}: it must be JSON, for example ["..."]') from error
    except ValidationError as error:
        lines = [_fault(item["loc"], item["msg"], item["input"]) for item in error.errors(include_url=False)]
        raise SettingsError("wrong settings:\n  " + "\n  ".join(lines)) from error


def _fault(location: tuple[int | str, ...], message: str, given: Any) -> str:
    message = message.removeprefix("Value error, ")
    if not location:
        return message
    field = Settings.model_fields.get(str(location[0]))
    secret = field is not None and _holds(field.annotation, SecretStr)
    return f"{_name(location)}: {message}" + ("" if secret else f" (it is {given!r})")


def _holds(annotation: Any, wanted: type) -> bool:
    return annotation is wanted or any(_holds(part, wanted) for part in get_args(annotation))


def _name(location: tuple[int | str, ...]) -> str:
    return PREFIX + ".".join(str(part) for part in location).upper()
