"""The forwarding databases of a node's VXLAN devices: ``bridge -j fdb show``."""

from typing import Final

import msgspec

from probes.collectors import links
from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, decoded, said
from probes.model.network import FdbEntry
from probes.model.text import clean

STEPS: Final = (Step("fdb", ("bridge", "-j", "fdb", "show")),)


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


def _vxlans(outputs: Outputs) -> frozenset[str] | None:
    try:
        return frozenset(link.ifname for link in links.parse(outputs) if link.kind == "vxlan")
    except Unreadable:
        return None
