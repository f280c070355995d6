"""What both document stores remember in this process: the collections they know, and who hears of new messages."""

from collections.abc import Callable, Sequence

from video_manager.contracts.envelope import Envelope
from video_manager.ports import CollectionSpec, Unsent


class Collections:
    def __init__(self) -> None:
        self._specs: dict[str, CollectionSpec] = {}
        self._wakes: list[Callable[[Unsent], None]] = []

    @property
    def names(self) -> list[str]:
        return list(self._specs)

    def add(self, spec: CollectionSpec) -> None:
        self._specs[spec.name] = spec

    def spec(self, name: str) -> CollectionSpec:
        """Raises ValueError for one that nobody registered: a mistake in our own code."""
        if name not in self._specs:
            raise ValueError(f"collection {name!r} is not registered")
        return self._specs[name]

    def on_unsent(self, wake: Callable[[Unsent], None]) -> None:
        self._wakes.append(wake)

    def tell_unsent(self, name: str, id: str, outbox: Sequence[Envelope]) -> None:
        """Call it when the document is written with these messages."""
        if outbox:
            for wake in self._wakes:
                wake(Unsent(name, id, tuple(outbox)))
