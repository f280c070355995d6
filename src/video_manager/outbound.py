"""Calls to addresses that other people chose: resolved here, checked, and connected to the very address that was
checked, so that a name which answers differently the second time gains nothing."""

import asyncio
import functools
import ipaddress
import socket
import ssl

import httpx

_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateAddress(httpx.ConnectError):
    """The name leads to a private or local address, where nothing of ours may go."""


class NoAddress(httpx.ConnectError):
    """The name leads nowhere."""


def is_public(address: Address) -> bool:
    """Whether an address is on the open internet; addresses that wrap an IPv4 one are judged by that."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


async def resolve(host: str, port: int) -> list[Address]:
    """The addresses of a name, each once. Raises NoAddress."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:  # ValueError: names that no resolver takes
        raise NoAddress(f"the name {host} has no address: {error}") from error
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).split("%", 1)[0]) for entry in found))


class OutboundTransport(httpx.AsyncBaseTransport):
    """For an `httpx.AsyncClient`. `setting` names what allows private addresses, for the message.

    With `gateway` (http://127.0.0.1:9000), every call goes there instead, its host as the first part of the path: to
    the platforms' fakes, or to a proxy that is the only way out.
    """

    def __init__(self, *, allow_private: bool, setting: str, gateway: str | None = None) -> None:
        self._allow_private = allow_private
        self._setting = setting
        self._gateway = httpx.URL(gateway) if gateway else None
        # One for each name: a connection that was opened for one name must not serve another at the same address.
        self._by_name: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._gateway is not None:
            return await self._inner("").handle_async_request(
                _readdressed(request, through(self._gateway, request.url))
            )
        host = request.url.raw_host.decode("ascii").strip("[]")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        addresses = await resolve(host, port)
        refused = next((one for one in addresses if not (self._allow_private or is_public(one))), None)
        if refused is not None:
            raise PrivateAddress(
                f"{host} is the private or local address {refused}, and calls go to public ones only; "
                f"{self._setting}=true allows it"
            )
        *others, last = addresses
        for address in others:
            try:
                return await self._send(request, host, address)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue  # an IPv6 address that leads nowhere from here; nothing was sent yet
        return await self._send(request, host, last)

    async def _send(self, request: httpx.Request, host: str, address: Address) -> httpx.Response:
        changed = _readdressed(request, request.url.copy_with(host=str(address)))
        # The certificate is checked against the name, though the connection goes to the address.
        changed.extensions = {**request.extensions, "sni_hostname": host}
        return await self._inner(host).handle_async_request(changed)

    def _inner(self, host: str) -> httpx.AsyncHTTPTransport:
        if host not in self._by_name:
            self._by_name[host] = httpx.AsyncHTTPTransport(verify=_tls())
        return self._by_name[host]

    async def aclose(self) -> None:
        for transport in self._by_name.values():
            await transport.aclose()


@functools.cache
def _tls() -> ssl.SSLContext:
    """One for all: each would read the certificate authorities anew."""
    return httpx.create_ssl_context()


def through(gateway: httpx.URL | str, url: httpx.URL | str) -> httpx.URL:
    """Where an address is found behind the gateway: its host (and port) comes first in the path."""
    gateway, url = httpx.URL(gateway), httpx.URL(url)
    before = gateway.raw_path.rstrip(b"/")
    return gateway.copy_with(raw_path=before + b"/" + url.netloc + url.raw_path)


def _readdressed(request: httpx.Request, url: httpx.URL) -> httpx.Request:
    """The same request, also its Host header, to another address."""
    return httpx.Request(request.method, url, headers=request.headers, stream=request.stream,
                         extensions=request.extensions)  # fmt: skip
