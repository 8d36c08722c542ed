"""Checked reading of an incident file: every mistake becomes one sentence with file and key."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_OFFSET = re.compile(r"-(?:\d+[dhms])+")


class IncidentError(Exception):
    """An incident file is wrong; the message says where and what to do."""


class Section:
    """A mapping of an incident file that knows where it stands; keys nobody read are an error."""

    def __init__(self, data: object, where: str) -> None:
        if not isinstance(data, dict):
            raise IncidentError(f"{where}: a mapping is needed here, not {_what(data)}")
        self._data: dict[str, Any] = data
        self._unread = set(data)
        self.where = where

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def fail(self, key: str, problem: str) -> IncidentError:
        """Make the error for a key."""
        return IncidentError(f"{self.where}.{key}: {problem}")

    def raw(self, key: str, default: object = None) -> Any:
        """Take a value as it is."""
        self._unread.discard(key)
        return self._data.get(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """Take a string."""
        return self._take(key, str, default, "a text")

    def number(self, key: str, default: int | None = None) -> int:
        """Take a whole number."""
        return self._take(key, int, default, "a whole number")

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Take true or false."""
        return self._take(key, bool, default, "true or false")

    def share(self, key: str, default: float) -> float:
        """Take a number from 0 to 1."""
        value = self.raw(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.fail(key, f"a number from 0 to 1 is needed, not {_what(value)}")
        return float(value)

    def choice(self, key: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Take one of some words."""
        value = self.text(key, default)
        if value not in allowed:
            raise self.fail(key, f"{value!r} is not one of {', '.join(allowed)}")
        return value

    def texts(self, key: str) -> list[str]:
        """Take a list of strings; empty where the key is absent."""
        value = self.raw(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.fail(key, f"a list of texts is needed, not {_what(value)}")
        return value

    def offset(self, key: str, default: str | None = None) -> float:
        """Take a time before now such as ``-1h30m``, as seconds (negative)."""
        value = self.text(key, default)
        if not _OFFSET.fullmatch(value):
            raise self.fail(key, f"{value!r} is not a time before now such as -34m or -1h30m")
        return -float(sum(int(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)([dhms])", value)))

    def mapping(self, key: str) -> dict[str, Any]:
        """Take a mapping of strings to anything; empty where the key is absent."""
        value = self.raw(key, {})
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            raise self.fail(key, f"a mapping is needed, not {_what(value)}")
        return value

    def section(self, key: str) -> "Section":
        """Take a mapping as a section."""
        return Section(self.raw(key, {}), f"{self.where}.{key}")

    def sections(self, key: str) -> Iterator["Section"]:
        """Take a list of mappings as sections."""
        value = self.raw(key, [])
        if not isinstance(value, list):
            raise self.fail(key, f"a list is needed, not {_what(value)}")
        for number, item in enumerate(value):
            yield Section(item, f"{self.where}.{key}[{number}]")

    def checked(self, key: str, parse: Callable[[str], T], default: str | None = None) -> T:
        """Take a string through a parser whose ValueError becomes the error."""
        value = self.text(key, default)
        try:
            return parse(value)
        except ValueError as error:
            raise self.fail(key, str(error)) from error

    def close(self) -> None:
        """Refuse keys that nobody read: they are misspelt."""
        if self._unread:
            raise self.fail(min(self._unread), "no such key here; check its spelling")

    def _take(self, key: str, kind: type[T], default: T | None, what: str) -> T:
        self._unread.discard(key)
        if key not in self._data:
            if default is None:
                raise self.fail(key, f"is missing; {what} is needed")
            return default
        value = self._data[key]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.fail(key, f"{what} is needed, not {_what(value)}")
        return value


def _what(value: object) -> str:
    if value is None:
        return "nothing"
    return repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
