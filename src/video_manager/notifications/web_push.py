"""Signed webhooks (Standard Webhooks): one POST, to a checked address, without redirects."""

import asyncio
import base64
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from standardwebhooks import Webhook as Signer

from video_manager.errors import InvalidInput, RetryableError
from video_manager.outbound import Address, NoAddress, is_public, resolve

TIMEOUT_SECONDS = 10.0
MOST_ANSWER_BYTES = 2048
LONGEST_RETRY_AFTER_SECONDS = 3600.0


class PushFailed(RetryableError):
    """The receiver did not take the event; `gone` is its wish to hear no more (410)."""

    def __init__(self, detail: str, http_status: int | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(detail, retry_after_seconds)
        self.http_status = http_status
        self.gone = http_status == httpx.codes.GONE


@dataclass(frozen=True)
class Push:
    """What is sent where. `id` stays the same through all attempts, so that the receiver can drop repeats."""

    url: str
    secret: str
    id: str
    body: str


class WebPush(Protocol):
    def check(self, url: str) -> None:
        """Raises InvalidInput for an address that is never sent to."""
        ...

    async def send(self, push: Push, now: datetime) -> int:
        """The 2xx status. Raises PushFailed."""
        ...


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


class SignedPush:
    """Resolves the name itself, refuses private addresses and connects to the very address it has checked, so that
    a name that answers differently the second time gains nothing."""

    def __init__(self, *, allow_private: bool, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._allow_private = allow_private
        self._timeout_seconds = timeout_seconds

    def check(self, url: str) -> None:
        parts = _split(url)
        try:
            address = ipaddress.ip_address(parts.hostname)
        except ValueError:
            return
        if not self._may_reach(address):
            raise InvalidInput.field("url", _refusal(parts.hostname, address))

    async def send(self, push: Push, now: datetime) -> int:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._send(push, now)
        except TimeoutError as error:
            raise PushFailed(f"no answer within {self._timeout_seconds:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PushFailed(f"no connection: {str(error) or type(error).__name__}") from error

    async def _send(self, push: Push, now: datetime) -> int:
        parts = _split(push.url)
        *others, last = await self._resolve(parts.hostname, parts.port)
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False, timeout=self._timeout_seconds) as client:
            for address in others:
                try:
                    return await self._post(client, push, parts, address, now)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    # A name with an IPv6 address that leads nowhere from here; nothing was sent yet.
                    continue
            return await self._post(client, push, parts, last, now)

    async def _post(
        self, client: httpx.AsyncClient, push: Push, parts: "_Parts", address: Address, now: datetime
    ) -> int:
        headers = {
            "Host": parts.host_header,
            "Content-Type": "application/json",
            "User-Agent": "video-manager",
            "webhook-id": push.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Signer(push.secret).sign(push.id, now, push.body),
        }
        url = httpx.URL(push.url).copy_with(host=str(address))
        request = client.build_request("POST", url, content=push.body, headers=headers)
        # The certificate is checked against the name, though the connection goes to the address.
        request.extensions["sni_hostname"] = parts.hostname
        answer = await client.send(request, stream=True)
        try:
            return await _status(answer)
        finally:
            await answer.aclose()

    async def _resolve(self, host: str, port: int) -> list[Address]:
        try:
            addresses = await resolve(host, port)
        except NoAddress as error:
            raise PushFailed(str(error)) from error
        refused = next((address for address in addresses if not self._may_reach(address)), None)
        if refused is not None:
            raise PushFailed(_refusal(host, refused))
        return addresses

    def _may_reach(self, address: Address) -> bool:
        return self._allow_private or is_public(address)


@dataclass(frozen=True)
class _Parts:
    hostname: str
    port: int
    host_header: str


def _split(url: str) -> _Parts:
    try:
        parts = urlsplit(url)
        port = parts.port
        ascii_url = httpx.URL(url)
        (parts.hostname or "").encode("idna")  # what resolving it will do
    except (ValueError, httpx.InvalidURL) as error:
        raise InvalidInput.field("url", f"is no web address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput.field("url", "must look like https://example.org/hook")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput.field("url", "must not hold a user or password; the signature proves the sender")
    port = port or (443 if parts.scheme == "https" else 80)
    return _Parts(ascii_url.raw_host.decode("ascii"), port, ascii_url.netloc.decode("ascii"))


def _refusal(host: str, address: Address) -> str:
    return (
        f"{host} is the private or local address {address}, and webhooks go to public ones only; "
        "VIDEO_MANAGER_WEBHOOK_ALLOW_PRIVATE=true allows it"
    )


async def _status(answer: httpx.Response) -> int:
    if answer.is_success:
        return answer.status_code
    excerpt = b""
    async for chunk in answer.aiter_bytes():
        excerpt += chunk
        if len(excerpt) >= MOST_ANSWER_BYTES:
            break
    words = excerpt[:300].decode("utf-8", "replace").strip()
    redirect = " (redirects are not followed: enter the final address)" if answer.is_redirect else ""
    raise PushFailed(
        f"the receiver answered {answer.status_code}{redirect}{': ' + words if words else ''}",
        answer.status_code, _retry_after(answer.headers.get("Retry-After")),
    )  # fmt: skip


def _retry_after(header: str | None) -> float | None:
    return min(float(header), LONGEST_RETRY_AFTER_SECONDS) if header is not None and header.isdigit() else None
