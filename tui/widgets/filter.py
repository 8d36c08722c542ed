"""Filter: which rows of a list are wanted."""

import re
from typing import NamedTuple

_LONGEST = 200


class BadFilter(Exception):
    """A filter that is no regular expression; its text says what is wrong with it."""


class Filter(NamedTuple):
    """A regular expression over the text of a row, perhaps inverted, and whether only faults are wanted."""

    text: str = ""
    """As it was typed; a leading ``!`` inverts it."""
    pattern: re.Pattern[str] | None = None
    is_inverse: bool = False
    faults_only: bool = False

    def wants(self, text: str, *, is_fault: bool) -> bool:
        """Tell whether a row of this text is wanted."""
        if self.faults_only and not is_fault:
            return False
        return self.pattern is None or (self.pattern.search(text) is None) == self.is_inverse

    @property
    def says(self) -> str:
        """Say in a few words what is left out; empty where nothing is."""
        return "  ".join(
            part for part in (f"/{self.text}" if self.text else "", "faults only" if self.faults_only else "") if part
        )

    @property
    def nothing(self) -> str:
        """Say why a list is empty of which nothing is wanted, and what shows everything."""
        return "nothing matches; esc shows everything" if self.text else "no faults; ctrl-z shows everything"


def parse_filter(text: str, *, faults_only: bool = False) -> Filter:
    """Read a filter as it was typed: case is ignored, a leading ``!`` inverts; raises BadFilter."""
    is_inverse = text.startswith("!")
    expression = text.removeprefix("!")
    if len(text) > _LONGEST:
        raise BadFilter(f"longer than {_LONGEST} characters")
    if not expression:
        return Filter(faults_only=faults_only)
    try:
        return Filter(text, re.compile(expression, re.IGNORECASE), is_inverse, faults_only)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadFilter(str(error)) from error
