"""What this process saw last of each document, so that most changes need no reading before they are written."""

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

KEPT = 256
"""Documents; the one that was not seen for longest goes."""

ENOUGH = 0.75
"""How often a guess has to be right: a wrong one costs two operations more, a right one saves one."""

_WEIGHT = 0.1
"""Of the newest outcome in that share."""


class Revised(Protocol):
    @property
    def revision(self) -> int: ...


V = TypeVar("V", bound=Revised)


class LastSeen(Generic[V]):
    """Guesses what the store holds. Nothing may rest on a guess but a write that compares its revision; and a document
    of the collection may never be removed and come back, as its revisions would start anew.

    Where several processes change the same documents, guesses are often wrong. The share of right ones is known without
    trying them, as every document that is read is compared; guesses are given while it is large enough.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, V] = OrderedDict()
        self._right = 1.0

    def guess(self, id: str) -> V | None:
        return self._seen.get(id) if self._right >= ENOUGH else None

    def read(self, id: str, found: V) -> None:
        """The store was asked."""
        seen = self._seen.get(id)
        if seen is not None and seen.revision > found.revision:
            self.forget(id)  # it was written while the answer was on its way, or the store lost writes
            return
        if seen is not None:
            self._learn(right=seen.revision == found.revision)
        self._keep(id, found)

    def written(self, id: str, now: V, *, guessed: bool = False) -> None:
        """The store holds this because it was just written; `guessed`: on top of a guess."""
        if guessed:
            self._learn(right=True)
        self._keep(id, now)

    def forget(self, id: str) -> None:
        self._seen.pop(id, None)

    def _learn(self, *, right: bool) -> None:
        self._right += _WEIGHT * (float(right) - self._right)

    def _keep(self, id: str, value: V) -> None:
        self._seen[id] = value
        self._seen.move_to_end(id)
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)
