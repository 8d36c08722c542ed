"""The neighbour table of a node, both families: ``ip -j neigh``."""

from typing import Final

import msgspec

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, decoded, said
from probes.model.network import Neighbor
from probes.model.text import clean

STEPS: Final = (Step("neighbors", ("ip", "-j", "neigh", "show")),)


class _RawNeighbor(msgspec.Struct, gc=False):
    dst: str = ""
    dev: str = ""
    lladdr: str = ""
    state: list[str] | None = None


_NEIGHBORS: Final = msgspec.json.Decoder(list[_RawNeighbor | None] | None)


def parse(outputs: Outputs) -> tuple[Neighbor, ...]:
    """Read a node's neighbours; raises Unreadable."""
    return tuple(
        Neighbor(clean(raw.dst), clean(raw.dev), clean(raw.lladdr), tuple(clean(s) for s in raw.state or ()))
        for raw in decoded(said(outputs, "neighbors"), _NEIGHBORS, "ip -j neigh show")
        if raw.dst
    )
