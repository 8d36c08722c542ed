"""The neighbour table of a node, both families: ``ip -j neigh``, its text where it prints no JSON, or /proc/net/arp."""

import itertools
from collections.abc import Iterator
from typing import Final

import msgspec

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, brief, decoded, failure, said
from probes.model.network import Neighbor
from probes.model.text import clean

STEPS: Final = (
    Step("neighbors", ("ip", "-j", "neigh", "show")),
    Step("neighbors-text", ("ip", "neigh", "show"), orelse=True),
    Step("neighbors-proc", ("cat", "/proc/net/arp"), orelse=True),
)

_STATES: Final = frozenset({"INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP", "PERMANENT"})
_ARP_FIELDS: Final = 6
_ARP_STATES: Final[dict[str, tuple[str, ...]]] = {"0x0": ("INCOMPLETE",), "0x2": (), "0x6": ("PERMANENT",)}
"""What the flags tell (net/ipv4/arp.c arp_state_to_flags); of a resolved entry not whether it is fresh."""


class _RawNeighbor(msgspec.Struct, gc=False):
    dst: str = ""
    dev: str = ""
    lladdr: str = ""
    state: list[str] | None = None


_NEIGHBORS: Final = msgspec.json.Decoder(list[_RawNeighbor | None] | None)


def parse(outputs: Outputs) -> tuple[Neighbor, ...]:
    """Read a node's neighbours; raises Unreadable. Where :func:`gap` is not empty some are not known."""
    if "neighbors-proc" in outputs:
        return tuple(_arp(said(outputs, "neighbors-proc")))
    if "neighbors-text" in outputs:
        return tuple(_text(said(outputs, "neighbors-text")))
    return tuple(
        Neighbor(clean(raw.dst), clean(raw.dev), clean(raw.lladdr), tuple(clean(s) for s in raw.state or ()))
        for raw in decoded(said(outputs, "neighbors"), _NEIGHBORS, "ip -j neigh show")
        if raw.dst
    )


def gap(outputs: Outputs) -> str:
    """Say what is not known of neighbours that were read: empty where they came whole."""
    if "neighbors-proc" not in outputs or "neighbors-text" not in outputs:
        return ""
    return f"only IPv4 neighbours are known, from /proc/net/arp: {failure(outputs, outputs['neighbors-text'])}"


def _text(text: str) -> Iterator[Neighbor]:
    """Read ``DST dev DEV lladdr MAC STATE`` lines; those without a state, or NOARP, are left out as in JSON."""
    for line in text.splitlines():
        dst, *words = line.split() or [""]
        states = tuple(word for word in words if word in _STATES)
        pairs = dict(itertools.pairwise(words))
        if "dev" not in pairs:
            if line.strip():
                raise Unreadable(f"`ip neigh show` printed a line that is no neighbour: {brief(line)}")
            continue
        if states and states != ("NOARP",):
            yield Neighbor(clean(dst), clean(pairs["dev"]), clean(pairs.get("lladdr", "")), states)


def _arp(text: str) -> Iterator[Neighbor]:
    head, _, body = text.partition("\n")
    if not head.startswith("IP address"):
        raise Unreadable("/proc/net/arp does not look like a table of neighbours")
    for line in body.splitlines():
        fields = line.split()
        if len(fields) != _ARP_FIELDS:
            raise Unreadable(f"/proc/net/arp holds a line that is no neighbour: {brief(line)}")
        dst, _, flags, lladdr, _, dev = fields
        states = _ARP_STATES.get(flags)
        if states is not None:  # else one that we answer for others
            yield Neighbor(clean(dst), clean(dev), "" if flags == "0x0" else clean(lladdr), states)
