"""From the bus to the services: the handler table opens envelopes."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import ValidationError

from video_manager.contracts.catalogue import body_of
from video_manager.contracts.envelope import Body, Envelope
from video_manager.errors import PermanentError

Method = Callable[[Envelope, Any], Awaitable[None]]


class HandlerTable:
    """A bus handler made of one method per body class: `HandlerTable({RenderFinished: self.render_finished})`.

    The method gets the envelope and the body as an instance of its class. A body that does not fit its class, and a
    type that is not in the table, raise PermanentError: the message becomes a dead letter.
    """

    def __init__(self, methods: Mapping[type[Body], Method]) -> None:
        self._methods = dict(methods)

    @property
    def types(self) -> tuple[str, ...]:
        """The message types of the table, for `Subscription.types`. A worker that takes Render names its own
        (`render.<generator>`), because the type depends on a field."""
        return tuple(body.type for body in self._methods)

    async def __call__(self, envelope: Envelope) -> None:
        try:
            body = body_of(envelope)
        except ValidationError as error:
            raise PermanentError(f"message {envelope.id} ({envelope.type}) does not fit its type: {error}") from error
        method = self._methods.get(type(body))
        if method is None:
            raise PermanentError(f"message {envelope.id} ({envelope.type}) came to a service that does not handle it")
        await method(envelope, body)
