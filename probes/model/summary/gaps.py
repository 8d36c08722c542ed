"""What could not be had, and why: the other half of every summary."""

import msgspec

from probes.model.snapshot import KUBE, NODE, Snapshot


class Gap(msgspec.Struct, frozen=True):
    """A fact that nobody may rely on."""

    where: str
    """A node's name, or ``API``."""
    what: str
    reason: str


def summarize_gaps(snapshot: Snapshot) -> tuple[Gap, ...]:
    """List what could not be had: sources that failed or have not answered yet, then single facts of nodes."""
    found: list[Gap] = []
    lacking = [name for name, state in snapshot.sources.items() if state.status not in {"ok", "absent"}]
    for name in sorted(lacking):
        state = snapshot.sources[name]
        reason = state.reason or "no answer yet"
        if name.startswith(NODE):
            found.append(Gap(name.removeprefix(NODE), "node", reason))
        else:
            found.append(Gap("API", name.removeprefix(KUBE), reason))
    partial = [node for node, network in snapshot.networks.items() if network.unassessed]
    for node in sorted(partial):
        found += [Gap(node, fact, why) for fact, why in sorted(snapshot.networks[node].unassessed.items())]
    return tuple(found)
