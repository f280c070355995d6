"""The apps as which people sign in: the one that the operator registered at a platform, and the product's own at each
server that people chose. Each is one encrypted document, so that an id never gets another one's secret."""

import hashlib
import logging

from video_manager.errors import ActionRequiredError, InvalidInput, NotFound
from video_manager.plugins.api import OAuthApp, SignInServer
from video_manager.ports import Clock
from video_manager.publishing.access.vault import Credential, Secrets, Vault

_APP = "app-"

log = logging.getLogger(__name__)


def app_owner(platform: str) -> str:
    """Under which name the vault keeps the operator's app of a platform."""
    return f"{_APP}{platform}"


def server_app_owner(platform: str, token_url: str, redirect_url: str) -> str:
    """The same for the product's own app at one server, which people come back from to this address."""
    digest = hashlib.sha256(f"{token_url}\n{redirect_url}".encode()).hexdigest()
    return f"{_APP}{platform}-{digest[:32]}"


def is_app(owner: str) -> bool:
    return owner.startswith(_APP)


class Apps:
    def __init__(self, vault: Vault, clock: Clock) -> None:
        self._vault = vault
        self._clock = clock

    async def of_operator(self, platform: str) -> OAuthApp | None:
        """None: nobody has entered one. Raises ActionRequiredError when its key is gone."""
        return _app_in(await self._vault.get(app_owner(platform)))

    async def enter(self, platform: str, client_id: str, client_secret: str | None) -> None:
        """What the operator registered. Without a secret the kept one stays. Raises InvalidInput."""
        owner = app_owner(platform)
        kept = await self._kept(owner)
        secret = client_secret or (kept.client_secret if kept else None)
        if secret is None:
            raise InvalidInput.field("client_secret", "is needed the first time")
        await self._vault.put(owner, _secrets_of(OAuthApp(client_id, secret)), self._clock.now())

    async def at_server(self, platform: str, token_url: str, redirect_url: str, server: SignInServer) -> OAuthApp:
        """The product's own app there: registered once, and once more when the server does not know it (any more).

        An answer that is lost, or two people at once, leave an app behind that nobody uses. Raises what the server's
        calls raise, and ActionRequiredError when it does not know what it has just registered.
        """
        owner = server_app_owner(platform, token_url, redirect_url)
        kept = await self._kept(owner)
        if kept is not None:
            if await server.knows(kept):
                return kept
            log.info("the server at %s does not know our app any more: it is registered anew", token_url)
        app = await self._keep(owner, await server.register(redirect_url), in_place_of=kept)
        if not await server.knows(app):
            raise ActionRequiredError("the server does not know the app that it has just registered: try again later")
        return app

    async def _kept(self, owner: str) -> OAuthApp | None:
        """None also when its key is gone: another app is the way out."""
        try:
            return _app_in(await self._vault.get(owner))
        except ActionRequiredError:
            return None

    async def _keep(self, owner: str, app: OAuthApp, in_place_of: OAuthApp | None) -> OAuthApp:
        """The app that is kept in the end: that of whoever was faster, or this one."""
        new = self._vault.sealed(owner, _secrets_of(app), self._clock.now())

        def decide(current: Credential) -> Credential | None:
            try:
                stands = _app_in(self._vault.opened(current)) != in_place_of
            except ActionRequiredError:
                stands = False
            return None if stands else new

        while not await self._vault.add(owner, _secrets_of(app), self._clock.now()):
            try:
                return _app_in(self._vault.opened((await self._vault.change(owner, decide)).value)) or app
            except NotFound:
                continue  # removed in this moment
        return app


def _secrets_of(app: OAuthApp) -> Secrets:
    return Secrets({"client_id": app.client_id, "client_secret": app.client_secret})


def _app_in(secrets: Secrets) -> OAuthApp | None:
    kept = secrets.options
    return OAuthApp(kept["client_id"], kept["client_secret"]) if kept else None
