"""Trail: the places visited, to go back and forth among them."""

from typing import Final, NamedTuple

from probes.model.flux import ObjectRef

_MOST: Final = 100


class Place(NamedTuple):
    """A screen by its name in the catalog, and what it is about."""

    name: str
    ref: ObjectRef | None = None


class Trail:
    """Where the operator was, and where among that they are."""

    def __init__(self, start: Place) -> None:
        self._places = [start]
        self._here = 0
        self._last: Place = start

    @property
    def here(self) -> Place:
        """Where they are."""
        return self._places[self._here]

    def visit(self, place: Place) -> None:
        """Go to another place; what came after is forgotten."""
        if place == self.here:
            return
        self._last = self.here
        self._places = [*self._places[: self._here + 1], place][-_MOST:]
        self._here = len(self._places) - 1

    def step(self, places: int) -> Place | None:
        """Go back (-1), forth (1) or to where they were last (0); None where there is no such place."""
        if not places:
            if self._last == self.here:
                return None
            place = self._last
            self.visit(place)
            return place
        wanted = self._here + places
        if not 0 <= wanted < len(self._places):
            return None
        self._last = self.here
        self._here = wanted
        return self.here
