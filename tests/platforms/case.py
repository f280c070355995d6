"""One platform as the tests need it: a connected channel, and what it takes to publish to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from video_manager.fakes.network import Fake, FakeNetwork
from video_manager.plugins.api import Token

Account = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """`secrets` are the options that are kept encrypted; `token` what the channel was connected with; `app` the client
    id and secret of the operator; `facts` go to `context.account`. `calls` is how many calls one undisturbed
    publication makes at most: the tests kill before and after each."""

    platform: str
    fake: type[Fake]
    calls: int
    options: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    account_id: str = ""
    facts: Account = field(default_factory=dict)
    token: Callable[[FakeNetwork], Token] | None = None
    app: tuple[str, str] | None = None
    post_options: Mapping[str, Any] = field(default_factory=dict)
    video_bytes: int = 300_000
    captions: bytes | None = None
    """None: a file without a word."""
    patterns: tuple[str, ...] = ()
    """The calls that may make something public ("METHOD host/path"): their answers are lost one by one."""
