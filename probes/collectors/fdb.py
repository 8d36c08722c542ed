"""The forwarding databases of a node's VXLAN devices: ``bridge -j fdb``, or its text where it prints no JSON."""

import itertools
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from probes.collectors import links
from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, brief, decoded, said
from probes.model.network import FdbEntry
from probes.model.text import clean

STEPS: Final = (
    Step("fdb", ("bridge", "-j", "fdb", "show")),
    Step("fdb-text", ("bridge", "fdb", "show"), orelse=True),
)

_MAC: Final = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_STATES: Final = frozenset({"permanent", "static", "stale"})
_FLAGS: Final = frozenset({"self", "router", "extern_learn", "offload", "sticky"})


class _RawEntry(msgspec.Struct, gc=False):
    mac: str = ""
    ifname: str = ""
    dev: str = ""
    dst: str = ""
    state: str = ""
    flags: list[str] | None = None


_ENTRIES: Final = msgspec.json.Decoder(list[_RawEntry | None] | None)


def parse(outputs: Outputs) -> tuple[FdbEntry, ...]:
    """Read the entries of VXLAN devices, other bridges and cards left out; raises Unreadable.

    Where the interfaces could not be read, an entry with a destination is taken for one: no other kind of device has
    destinations (iproute2 bridge/fdb.c).
    """
    if "fdb-text" in outputs:
        raw = list(_text(said(outputs, "fdb-text")))
    else:
        raw = decoded(said(outputs, "fdb"), _ENTRIES, "bridge -j fdb show")
    vxlans = _vxlans(outputs)
    return tuple(
        FdbEntry(
            mac=clean(entry.mac),
            dev=clean(entry.ifname or entry.dev),
            dst=clean(entry.dst),
            state=clean(entry.state),
            flags=tuple(clean(flag) for flag in entry.flags or ()),
        )
        for entry in raw
        if entry.mac and (bool(entry.dst) if vxlans is None else clean(entry.ifname or entry.dev) in vxlans)
    )


def _text(text: str) -> Iterator[_RawEntry]:
    """Read ``MAC dev DEV dst IP self permanent`` lines, as every iproute2 prints them."""
    for line in text.splitlines():
        mac, *words = line.split() or [""]
        pairs = dict(itertools.pairwise(words))
        if not mac:
            continue
        if not _MAC.fullmatch(mac) or "dev" not in pairs:
            raise Unreadable(f"`bridge fdb show` printed a line that is no entry: {brief(line)}")
        state = next((word for word in words if word in _STATES), "")
        flags = [word for word in words if word in _FLAGS]
        yield _RawEntry(mac, dev=pairs["dev"], dst=pairs.get("dst", ""), state=state, flags=flags)


def _vxlans(outputs: Outputs) -> frozenset[str] | None:
    try:
        return frozenset(link.ifname for link in links.parse(outputs) if link.kind == "vxlan")
    except Unreadable:
        return None
