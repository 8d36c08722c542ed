"""What could not be had, and why: the other half of every summary."""

from collections.abc import Mapping

import msgspec

from probes.model.network import NodeNetwork
from probes.model.snapshot import KUBE, NODE, SourceState


class Gap(msgspec.Struct, frozen=True):
    """A fact that nobody may rely on."""

    where: str
    """A node's name, or ``API``."""
    what: str
    reason: str


def summarize_gaps(silent: Mapping[str, SourceState], partial: Mapping[str, NodeNetwork]) -> tuple[Gap, ...]:
    """List what could not be had: sources that failed or have not answered yet, then single facts of nodes.

    ``silent``: such sources. ``partial``: the nodes that did not tell everything.
    """
    found: list[Gap] = []
    for name, state in sorted(silent.items()):
        reason = state.reason or "no answer yet"
        if name.startswith(NODE):
            found.append(Gap(name.removeprefix(NODE), "node", reason))
        else:
            found.append(Gap("API", name.removeprefix(KUBE), reason))
    for node in sorted(partial):
        found += [Gap(node, fact, why) for fact, why in sorted(partial[node].unassessed.items())]
    return tuple(found)
