"""Parts of a page that are told apart, so that a live change draws anew only what it changed."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from nicegui.element import Element

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """`shows` is compared: as long as it is equal, what was drawn stays. `draw` makes one element."""

    id: str
    shows: object
    draw: Callable[[], Element]


def once_each(found: Iterable[T], id_of: Callable[[T], str]) -> list[T]:
    """Without those that were read twice, because they moved from one list to the next in between: the later one is
    newer."""
    return list({id_of(one): one for one in found}.values())


class KeyedParts:
    """The last children of an element; what stands before them stays.

    NiceGUI forgets an element's handlers as soon as it is removed, so a press that is just on its way would be lost,
    and a menu that is open in it would close: nothing is drawn anew without need.
    """

    def __init__(self, place: Element) -> None:
        self._place = place
        self._first = len(list(place))
        self._drawn: dict[str, tuple[object, Element]] = {}

    def show(self, parts: Sequence[Part]) -> None:
        """These, in this order. What is drawn anew stands where it stood."""
        wanted = {part.id: part.shows for part in parts}
        for id, (shows, element) in list(self._drawn.items()):
            if id not in wanted or shows != wanted[id]:
                element.delete()
                del self._drawn[id]
        for place, part in enumerate(parts, self._first):
            if part.id not in self._drawn:
                with self._place:
                    self._drawn[part.id] = (part.shows, part.draw())
            _, element = self._drawn[part.id]
            if list(self._place)[place] is not element:
                element.move(self._place, place)
