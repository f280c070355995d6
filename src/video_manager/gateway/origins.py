"""Where a browser's request comes from: what keeps other web sites from using a person's session."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from video_manager.settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")


def origin_of(url: str) -> str | None:
    """`https://name[:port]` of an address, without a default port; None when it is no web address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")


def host_name(host: str) -> str | None:
    """The name or address in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def allowed_origins(settings: Settings) -> tuple[str, ...]:
    """Every origin whose pages may use a session: our own address, its loopback names, and `allowed_origins`."""
    addresses = [settings.base_url, *settings.allowed_origins]
    own = urlsplit(settings.base_url)
    if own.hostname in LOOPBACK_NAMES:
        addresses += [f"{own.scheme}://{name}:{own.port or settings.port}" for name in ("127.0.0.1", "localhost")]
        addresses.append(f"{own.scheme}://[::1]:{own.port or settings.port}")
    return tuple(dict.fromkeys(origin for origin in map(origin_of, addresses) if origin))


class Origins:
    """Decides whether a request was made by one of our own pages."""

    def __init__(self, settings: Settings) -> None:
        self._allowed = frozenset(allowed_origins(settings))

    def allows(self, origin: str, host: str | None) -> bool:
        """An allowed origin, or the very host the request was sent to. Only host and port are compared there: behind
        a proxy that ends TLS the scheme we see is not the browser's."""
        normal = origin_of(origin)
        if normal is None:
            return False
        own = {origin_of(f"{scheme}://{host}") for scheme in _DEFAULT_PORTS} if host else set()
        return normal in self._allowed or normal in own

    def proves_same_origin(self, headers: Headers) -> bool | None:
        """True: the browser says it is our own page. False: it is another. None: the browser says nothing."""
        origin = headers.get("origin")
        if origin is not None:
            return self.allows(origin, headers.get("host"))
        site = headers.get("sec-fetch-site")
        return None if site is None else site == "same-origin"


def socket_origin_check(settings: Settings) -> Callable[[str | None, Mapping[str, Any]], bool]:
    """For `nicegui.core.sio.eio.cors_allowed_origins`, which takes a callable of origin and WSGI-like environment."""
    origins = Origins(settings)

    def allows(origin: str | None, environ: Mapping[str, Any]) -> bool:
        return origin is not None and origins.allows(origin, environ.get("HTTP_HOST"))

    return allows
