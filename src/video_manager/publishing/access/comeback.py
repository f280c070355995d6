"""What a platform sends a person back with, and whether it is what was asked for."""

from dataclasses import dataclass

import httpx

from video_manager.errors import ActionRequiredError
from video_manager.plugins.api import OAuth, Token

LONGEST_WORDS = 300


@dataclass(frozen=True)
class Comeback:
    """The parameters of the redirect. `iss` is whom it comes from (RFC 9207)."""

    state: str
    code: str | None = None
    error: str | None = None
    error_description: str | None = None
    iss: str | None = None


@dataclass(frozen=True)
class Expected:
    """Whose answer is waited for. `address` is where the person was sent, `issuer` as whom the platform answers there
    (empty: nobody knows), `named` whether its metadata says that every answer tells so."""

    address: str
    issuer: str = ""
    named: bool = False

    def require(self, title: str, iss: str | None) -> None:
        """Raises ActionRequiredError for another platform's answer, which a mixed-up or a hostile one may have sent:
        nothing of it may be used, not even its error."""
        if iss is None:
            if self.named:
                raise ActionRequiredError(
                    f"the answer does not say that it is {title}'s, although {title} always does: begin again"
                )
        elif not self._is(iss):
            shown = " ".join(iss.split())[:LONGEST_WORDS]
            raise ActionRequiredError(f"the answer is not {title}'s but that of {shown!r}: begin again")

    def _is(self, iss: str) -> bool:
        """Where no issuer is known, it has to be at the site the person was sent to."""
        if self.issuer:
            return iss.rstrip("/") == self.issuer.rstrip("/")
        try:
            named, sent = httpx.URL(iss), httpx.URL(self.address)
        except httpx.InvalidURL:
            return False
        return named.scheme == "https" and bool(named.host) and _site(named.host) == _site(sent.host)


def _site(host: str) -> str:
    """The last two labels: platforms that are not servers of people's own choosing have names like x.com."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def denied(title: str, back: Comeback) -> str:
    """Why there is no code, in words."""
    if back.error == "access_denied":
        return f"access was not granted at {title}: connect again and agree"
    words = " ".join(f"{back.error} {back.error_description or ''}".split())[:LONGEST_WORDS]
    return f"{title} refused: {words}"


def require_scopes(title: str, way: OAuth, token: Token) -> None:
    """A platform that names no scopes granted those that were asked for (RFC 6749, 5.1)."""
    missing = [scope for scope in way.needed if token.scopes and scope not in token.scopes]
    if missing:
        names = ", ".join(missing)
        raise ActionRequiredError(
            f"{title} was not allowed everything that is needed; missing: {names}. Connect again and leave all boxes "
            "ticked"
        )
