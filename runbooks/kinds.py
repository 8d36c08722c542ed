"""Kinds: what a kind of condition is, and what all judges ask first: was it seen since the step began? Pure."""

from collections.abc import Callable
from typing import Literal

import msgspec

from probes.model.network import NodeNetwork
from probes.model.snapshot import KUBE, NODE
from probes.rules.finding import NodeView
from runbooks.events import State
from runbooks.sight import Condition, Sight, Stood

Judged = tuple[State, str] | Stood
Judge = Callable[[Sight, Condition], Judged]


def stand(judged: Judged) -> Stood:
    """Give a judgement its form."""
    return judged if isinstance(judged, Stood) else Stood(*judged)


class Kind(msgspec.Struct, frozen=True):
    """A kind of condition."""

    about: str
    """In words, with ``{node}`` and its arguments."""
    judge: Judge
    args: tuple[str, ...] = ()
    """Arguments it needs."""
    of_node: bool = True
    probe: Literal["", "path-mtu", "names", "http", "read"] = ""
    """What has to be asked for it: an active probe, or (``read``) a command on the node that only reads."""


def stale(sight: Sight, node: str) -> str:
    """Say why what is known of a node is not of now; empty where it is."""
    source = sight.diagnosis.snapshot.source(f"{NODE}{node}")
    if source.status != "ok":
        return source.reason or f"{node} has not answered yet"
    if source.at is None or source.at <= sight.since:
        return f"{node} has not been asked since"
    return ""


def of_network(judge: Callable[[Sight, Condition, NodeNetwork, NodeView], Judged]) -> Judge:
    """Judge by what the node itself said since the step began."""

    def judged(sight: Sight, condition: Condition) -> Judged:
        if why := stale(sight, condition.node):
            return "unknown", why
        network = sight.diagnosis.snapshot.networks.get(condition.node)
        view = sight.diagnosis.views.get(condition.node)
        if network is None or view is None:
            return "unknown", f"{condition.node} is not known"
        return judge(sight, condition, network, view)

    return judged


def api_trouble(sight: Sight, *fields: str) -> str:
    """Say why what the API tells of these resources is not known; empty where it is."""
    for field in fields:
        source = sight.diagnosis.snapshot.source(f"{KUBE}{field}")
        if source.status != "ok":
            return source.reason or f"the API has not told {field} yet"
    return ""
