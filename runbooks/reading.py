"""YAML with places: a value that knows its file and line, so that every complaint does."""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from probes.model.text import clean

_DEEPEST: Final = 20
LARGEST: Final = 1 << 18
"""Characters of a runbook."""


class RunbookError(Exception):
    """A runbook cannot be used; its text is ``FILE:LINE: what is wrong, and what to do``."""


class At:
    """A value of a YAML file, read strictly: what is asked for and not there, or there and not known, is an error."""

    def __init__(self, node: yaml.Node, file: str, path: str = "") -> None:
        self._node = node
        self.file = file
        self.path = path

    @property
    def place(self) -> str:
        """``FILE:LINE``."""
        return f"{self.file}:{self._node.start_mark.line + 1}"

    def error(self, said: str) -> RunbookError:
        """Make the error that says what is wrong here."""
        return RunbookError(f"{self.place}: {clean(said)}")

    @property
    def is_map(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self._node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether it is a sequence."""
        return isinstance(self._node, yaml.SequenceNode)

    def items(self) -> dict[str, "At"]:
        """Read a mapping of names; a name that comes twice is an error."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.error(f"{self.path or 'this'} must be a mapping, such as `name: value`")
        found: dict[str, At] = {}
        for key, value in self._node.value:
            if not isinstance(key, yaml.ScalarNode) or not key.value:
                raise RunbookError(f"{self.file}:{key.start_mark.line + 1}: a key must be a word")
            if key.value in found:
                raise RunbookError(f"{self.file}:{key.start_mark.line + 1}: {clean(key.value)} is said twice")
            # Where a key's value is a block, the key's own line is where one looks.
            found[key.value] = At(value, self.file, key.value)
        return found

    def list(self) -> list["At"]:
        """Read a sequence."""
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.error(f"{self.path or 'this'} must be a list, a `- ` before each")
        return [At(each, self.file, self.path) for each in self._node.value]

    def text(self, *, empty: bool = False) -> str:
        """Read a scalar as text."""
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.error(f"{self.path or 'this'} must be one value")
        value = str(self._node.value)
        if not value.strip() and not empty:
            raise self.error(f"{self.path or 'this'} must not be empty")
        return value

    def texts(self) -> tuple[str, ...]:
        """Read a sequence of scalars."""
        return tuple(each.text() for each in self.list())

    def plain(self) -> Any:
        """Read whatever it is, as YAML's safe schema reads it."""
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_document(self._node)
        except yaml.YAMLError as error:
            raise self.error(
                "not YAML that a runbook may have: only maps, lists, text, numbers and booleans"
            ) from error


def read(text: str, file: str) -> At:
    """Read a file's text; raises RunbookError with its place."""
    if len(text) > LARGEST:
        raise RunbookError(f"{file}:1: larger than {LARGEST} characters: no runbook is that long")
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark is not None else 1
        raise RunbookError(f"{file}:{line}: not YAML: {clean(str(getattr(error, 'problem', error)))}") from error
    except RecursionError as error:
        raise RunbookError(f"{file}:1: nested too deeply") from error
    if node is None:
        raise RunbookError(f"{file}:1: the file is empty")
    _refuse_loops(node, file, (), 0)
    return At(node, file)


def _refuse_loops(node: yaml.Node, file: str, above: tuple[int, ...], depth: int) -> None:
    """Refuse a value that contains itself, by an alias, and one that is nested beyond reason."""
    line = node.start_mark.line + 1
    if id(node) in above:
        raise RunbookError(f"{file}:{line}: this value contains itself, through an alias: a loop")
    if depth > _DEEPEST:
        raise RunbookError(f"{file}:{line}: nested deeper than {_DEEPEST} levels")
    for child in _children(node):
        _refuse_loops(child, file, (*above, id(node)), depth + 1)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
