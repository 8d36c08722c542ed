"""From the bytes of a list, or of one object, to model values: fast for all, patient with the one that is broken."""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

from probes.kube.errors import AnswerInvalid, detail
from probes.kube.http import Body
from probes.kube.wire import Object, Wire

W = TypeVar("W", bound=Object)
T = TypeVar("T")

_MOST_NAMED: Final = 3


class ListMeta(Wire):
    """metav1.ListMeta."""

    resource_version: str | None = None
    next_page: str | None = msgspec.field(default=None, name="continue")
    remaining_item_count: int | None = None


class _RawList(Wire):
    metadata: ListMeta | None = None
    items: list[msgspec.Raw] | None = None


class Page(msgspec.Struct, Generic[T]):
    """One page of a list."""

    items: dict[str, T]
    unreadable: list[str]
    """Of each object that could not be read: which, and why."""
    next_page: str
    """The continue token; empty on the last page."""
    resource_version: str


class Decoder(Generic[W, T]):
    """Decodes one resource: a wire struct, a pure conversion, and the key under which a value is kept."""

    def __init__(self, wire: type[W], convert: Callable[[W], T | None], key: Callable[[W], str]) -> None:
        """``convert`` returns None for an object that is of no interest."""
        self._convert = convert
        self._key = key
        self._list: msgspec.json.Decoder[_RawList] = msgspec.json.Decoder(
            msgspec.defstruct(  # the list of this struct has no name of its own
                f"{wire.__name__}List",
                [("metadata", ListMeta | None, None), ("items", list[wire] | None, None)],  # type: ignore[valid-type]
                gc=False,
            )
        )
        self._object = msgspec.json.Decoder(wire)

    def page(self, raw: Body) -> Page[T]:
        """Decode a list; an object that cannot be decoded is named in ``unreadable``, the others are there.

        Raises AnswerInvalid where it is no list at all, or cut.
        """
        try:
            whole = self._list.decode(raw)
            items: dict[str, T] = {}
            for wire in whole.items or ():
                value = self._convert(wire)  # type: ignore[arg-type]
                if value is not None:
                    items[self._key(wire)] = value  # type: ignore[arg-type]
            meta = whole.metadata or ListMeta()
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self._patient_page(raw)
        return Page(items, [], meta.next_page or "", meta.resource_version or "")

    def object(self, raw: Body | msgspec.Raw) -> tuple[str, T | None, str]:
        """Decode one object to its key, value and resourceVersion; the value is None where it is of no interest.

        Raises AnswerInvalid.
        """
        try:
            wire = self._object.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AnswerInvalid(f"{_name(raw)} cannot be read: {detail(str(error))}") from error
        return self._key(wire), self._convert(wire), wire.metadata.resource_version or ""

    def _patient_page(self, raw: Body) -> Page[T]:
        try:
            whole = _RAW_LIST.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AnswerInvalid(f"the list cannot be read: {detail(str(error))}") from error
        items: dict[str, T] = {}
        unreadable: list[str] = []
        for part in whole.items or ():
            try:
                key, value, _ = self.object(part)
            except AnswerInvalid as error:
                unreadable.append(str(error))
            else:
                if value is not None:
                    items[key] = value
        meta = whole.metadata or ListMeta()
        return Page(items, unreadable, meta.next_page or "", meta.resource_version or "")


_RAW_LIST: Final = msgspec.json.Decoder(_RawList)
_OBJECT: Final = msgspec.json.Decoder(Object)


def _name(raw: Body | msgspec.Raw) -> str:
    try:
        meta = _OBJECT.decode(raw).metadata
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "an object"
    return detail("/".join(part for part in (meta.namespace, meta.name) if part)) or "an object"


def unreadable_sentence(unreadable: list[str], what: str) -> str:
    """Say in one sentence which objects could not be read."""
    named = "; ".join(unreadable[:_MOST_NAMED])
    more = f" and {len(unreadable) - _MOST_NAMED} more" if len(unreadable) > _MOST_NAMED else ""
    return f"{len(unreadable)} of {what} could not be read: {named}{more}; look at them with kubectl get -o yaml"
