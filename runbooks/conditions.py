"""Conditions: every kind of thing that a gate can wait for, and how it is told. Pure.

Nothing is taken from an exit status. Times of one node are compared with each other (the unit's start, the lease's
renewal: both by that node's clock), times of our own looking with each other; never one with the other.
"""

from collections.abc import Mapping
from typing import Final

from probes.model.network import NodeNetwork
from probes.model.peers import NOT_NEEDED, OK, UNKNOWN
from probes.rules.finding import NodeView, Severity, subject_text
from runbooks.about_links import LINK_KINDS
from runbooks.about_objects import OBJECT_KINDS
from runbooks.events import State
from runbooks.kinds import Judged, Kind, api_trouble, of_network, stale, stand
from runbooks.sight import CAN_LOSE_ONE, Condition, Sight, Stood, finding_key, findings_of, members


def _unit_active(_: Sight, __: Condition, network: NodeNetwork, ___: NodeView) -> Judged:
    unit = network.unit
    if unit is None:
        return "unknown", network.unassessed.get("unit", "its unit is not known")
    said = f"{unit.name} is {unit.active_state} ({unit.sub_state})"
    return ("held" if unit.active_state == "active" else "waiting"), said


def _unit_restarted(sight: Sight, condition: Condition, network: NodeNetwork, view: NodeView) -> Judged:
    unit = network.unit
    if unit is None or not unit.invocation_id:
        return "unknown", network.unassessed.get("unit", "its InvocationID is not known")
    if not sight.mark.invocation_id and not sight.mark.unit:
        return "unknown", "its InvocationID before the step is not known"
    if unit.invocation_id == sight.mark.invocation_id:
        return "waiting", f"still under InvocationID {unit.invocation_id[:8]}"
    active = stand(_unit_active(sight, condition, network, view))
    return active.state, f"{active.seen}, InvocationID {unit.invocation_id[:8]}"


def _unit_stable(sight: Sight, _: Condition, network: NodeNetwork, __: NodeView) -> Judged:
    unit = network.unit
    if unit is None or unit.n_restarts is None:
        return "unknown", network.unassessed.get("unit", "its NRestarts is not known")
    before = sight.previous
    same = (unit.invocation_id, unit.n_restarts) == (before.invocation_id, before.n_restarts)
    return ("held" if same else "waiting"), f"NRestarts {unit.n_restarts}"


def _node_ready(sight: Sight, condition: Condition, network: NodeNetwork, _: NodeView) -> Judged:
    if why := api_trouble(sight, "nodes", "leases"):
        return "unknown", why
    snapshot = sight.diagnosis.snapshot
    node, lease = snapshot.nodes.get(condition.node), snapshot.leases.get(condition.node)
    if node is None:
        return "waiting", "the API knows no such node"
    if node.ready != "True":
        return "waiting", f"Ready is {node.ready}"
    started = network.unit.started_at if network.unit else None
    renewed = lease.renewed_at if lease else None
    if started is None or renewed is None:
        return "unknown", "when its unit started or its lease was renewed is not known"
    if renewed <= started:
        return "waiting", f"Ready, but its lease was renewed {started - renewed:.0f} s before its unit started"
    return "held", f"Ready, lease renewed {renewed - started:.0f} s after its unit started"


def _etcd_voter(sight: Sight, condition: Condition) -> Judged:
    if why := api_trouble(sight, "nodes"):
        return "unknown", why
    node = sight.diagnosis.snapshot.nodes.get(condition.node)
    if node is None:
        return "unknown", "the API knows no such node"
    voter = node.condition("EtcdIsVoter")
    if "etcd" not in node.roles or voter is None:
        return "held", "no member of an embedded etcd"
    return ("held" if voter.status == "True" else "waiting"), f"EtcdIsVoter is {voter.status} ({voter.reason})"


def _quorum(sight: Sight, condition: Condition) -> Judged:
    if why := api_trouble(sight, "nodes"):
        return "unknown", why
    everyone, voters = members(sight.diagnosis)
    if condition.node not in everyone:
        return "held", "no member of an embedded etcd"
    if len(everyone) < CAN_LOSE_ONE:
        return "held", f"{len(everyone)} members: the API is away meanwhile, as was consented to"
    needed = len(everyone) // 2 + 1
    left = [name for name in voters if name != condition.node]
    said = f"{len(left)} healthy voters without it, {needed} needed"
    return ("held" if len(left) >= needed else "waiting"), said


def _overlay(_: Sight, __: Condition, network: NodeNetwork, view: NodeView) -> Judged:
    row = view.summary
    if row.overlay_state == NOT_NEEDED:
        return "held", "its backend has no VXLAN device"
    if row.overlay_state == UNKNOWN:
        return "unknown", network.unassessed.get("links", "its links are not known")
    if row.overlay_state != OK:
        return "waiting", f"{row.overlay} is {row.overlay_state}"
    if row.overlay_mtu_expected is None:
        return "unknown", "its expected MTU is not known"
    if row.port_open is not True:
        return "waiting", "its UDP port is not open"
    said = f"{row.overlay} is up with MTU {row.overlay_mtu}"
    right = row.overlay_mtu == row.overlay_mtu_expected
    return ("held", said) if right else ("waiting", f"{said}; {row.overlay_mtu_expected} is expected")


def _subnet_env(_: Sight, __: Condition, network: NodeNetwork, view: NodeView) -> Judged:
    row = view.summary
    if row.subnet_env_state == NOT_NEEDED:
        return "held", "there is no flannel here"
    if row.subnet_env_state == UNKNOWN:
        return "unknown", network.unassessed.get("subnet_env", "subnet.env is not known")
    if row.subnet_env_state != OK:
        return "waiting", "there is no subnet.env"
    if row.overlay_mtu_expected is None:
        return "unknown", "its expected MTU is not known"
    right = row.subnet_env_mtu == row.overlay_mtu_expected
    said = f"FLANNEL_MTU={row.subnet_env_mtu}"
    return ("held", said) if right else ("waiting", f"{said}; {row.overlay_mtu_expected} is expected")


def _peers_complete(_: Sight, __: Condition, ___: NodeNetwork, view: NodeView) -> Judged:
    peers = view.peers
    said = f"{peers.ok} of {peers.expected} peers"
    if peers.unknown:
        return "unknown", f"{said}, {peers.unknown} unknown"
    if peers.ok == peers.expected:
        return "held", said
    return Stood("waiting", said, tuple(sorted({peer.peer for peer in peers.broken})))


def _peers_towards(sight: Sight, condition: Condition) -> Judged:
    lacking, unknown = [], []
    for name, view in sight.diagnosis.views.items():
        if name == condition.node:
            continue
        if stale(sight, name):
            unknown.append(name)
        elif any(peer.peer == condition.node for peer in view.peers.broken):
            lacking.append(name)
    others = len(sight.diagnosis.views) - 1
    if lacking:
        return Stood("waiting", f"incomplete on {', '.join(lacking[:3])}", tuple(lacking))
    if unknown:
        return "unknown", f"not known of {', '.join(unknown[:3])}"
    return "held", f"complete on {others} of {others} others"


def _probed(sight: Sight, condition: Condition) -> Judged:
    reached = sight.reached.get(condition.key)
    return reached if reached is not None else ("unknown", "not probed yet")


def _pods_mtu(_: Sight, condition: Condition, network: NodeNetwork, view: NodeView) -> Judged:
    if network.pod_netns is None:
        return "unknown", network.unassessed.get("pod_netns", "its pods' networks are not known")
    mtus = [str(mtu) for mtu in view.summary.pod_mtus]
    odd = [mtu for mtu in mtus if mtu != condition.args["mtu"]]
    return ("waiting" if odd else "held"), f"pods have MTU {', '.join(mtus) or 'none: there are no pods'}"


def _schedulable(sight: Sight, condition: Condition) -> Judged:
    if why := api_trouble(sight, "nodes"):
        return "unknown", why
    node = sight.diagnosis.snapshot.nodes.get(condition.node)
    if node is None:
        return "waiting", "the API knows no such node"
    return ("waiting", "it is cordoned") if node.unschedulable else ("held", "it takes pods")


def _api(sight: Sight, _: Condition) -> Judged:
    why = api_trouble(sight, "nodes", "pods", "leases")
    return ("waiting", why) if why else ("held", "it answers")


def _no_new_findings(sight: Sight, condition: Condition) -> Judged:
    """Judge findings that are new; on a node whose k3s has just started what lacks is mild at first, and counts."""
    if why := api_trouble(sight, "nodes"):
        return "unknown", why
    starting = {name for name, view in sight.diagnosis.views.items() if view.grace_ends is not None}
    new = [
        finding_key(each)
        for each in findings_of(sight.diagnosis)
        if each.severity == Severity.CRITICAL or (each.subject.kind == "Node" and each.subject.name in starting)
        if finding_key(each) not in sight.findings_before and each.code not in condition.args.get("but", "").split()
    ]
    return ("waiting", f"new: {', '.join(new[:3])}") if new else ("held", "no new critical finding")


def _cleared(sight: Sight, condition: Condition) -> Judged:
    if condition.node and (why := stale(sight, condition.node)):
        return "unknown", why
    if why := api_trouble(sight, "nodes"):
        return "unknown", why
    code = condition.args["finding"]
    there = [
        subject_text(each.subject)
        for each in findings_of(sight.diagnosis)
        if each.code == code and condition.node in {"", each.subject.name, *each.about}
    ]
    if there:
        return "waiting", f"still there for {', '.join(there[:3])}"
    gaps = [gap.reason for gap in sight.diagnosis.gaps if condition.node and gap.where == condition.node]
    return ("unknown", f"not seen, but not all was assessed: {gaps[0]}") if gaps else ("held", "not there any more")


def _found(sight: Sight, condition: Condition) -> Judged:
    found = stand(_cleared(sight, condition))
    swapped: dict[State, State] = {"held": "waiting", "waiting": "held"}
    return swapped.get(found.state, found.state), found.seen


def _fixed(sight: Sight, condition: Condition) -> Judged:
    """Judge what the plan found on the node and is to clear, from what the node and the API said since."""
    if why := stale(sight, condition.node) or api_trouble(sight, "nodes"):
        return "unknown", why
    wanted = set(condition.args["findings"].split())
    mine = [e for e in findings_of(sight.diagnosis) if condition.node in {e.subject.name, *e.about}]
    if blind := [each.summary for each in mine if each.code == "node-unassessed"]:
        return "unknown", blind[0]
    left = tuple(sorted({each.code for each in mine if each.code in wanted}))
    return Stood("waiting", f"still there: {', '.join(left)}", left) if left else ("held", "nothing of it is left")


KINDS: Final[Mapping[str, Kind]] = {
    "unit-active": Kind("k3s is active on {node}", of_network(_unit_active)),
    "unit-restarted": Kind("k3s is active on {node} under a new InvocationID", of_network(_unit_restarted)),
    "unit-stable": Kind("k3s does not restart by itself on {node}", of_network(_unit_stable)),
    "node-ready": Kind("{node} is Ready, its lease renewed since its unit started", of_network(_node_ready)),
    "etcd-voter": Kind("{node} votes in etcd, where it is a member", _etcd_voter),
    "quorum": Kind("etcd keeps its quorum without {node}", _quorum),
    "overlay": Kind("flannel's device on {node} is up with the expected MTU", of_network(_overlay)),
    "subnet-env": Kind("subnet.env on {node} has the expected MTU", of_network(_subnet_env)),
    "peers-complete": Kind("{node} has route, neighbour and FDB of every peer", of_network(_peers_complete)),
    "peers-towards": Kind("every other node has all three towards {node}", _peers_towards),
    "path-mtu": Kind("full-size packets pass between {node} and every other node's pods", _probed, probe="path-mtu"),
    "names": Kind("CoreDNS answers {node} and its pods", _probed, probe="names"),
    "pods-mtu": Kind("every pod on {node} has MTU {mtu}", of_network(_pods_mtu), ("mtu",)),
    "schedulable": Kind("{node} takes pods", _schedulable),
    "api": Kind("the API answers", _api, of_node=False),
    "no-new-findings": Kind("no critical finding is new", _no_new_findings, of_node=False),
    "no-new-findings-but": Kind("no critical finding is new but {but}", _no_new_findings, ("but",), of_node=False),
    "cleared": Kind("{finding} is not found on {node} any more", _cleared, ("finding",)),
    "cleared-everywhere": Kind("{finding} is found nowhere any more", _cleared, ("finding",), of_node=False),
    "found": Kind("{finding} is found on {node}", _found, ("finding",)),
    "found-anywhere": Kind("{finding} is found", _found, ("finding",), of_node=False),
    "fixed": Kind("{node} has none of {findings} any more", _fixed),
    **LINK_KINDS,
    **OBJECT_KINDS,
}
"""Every kind of condition, by the name that a runbook calls it."""
