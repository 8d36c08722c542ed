"""resolvers: whom nodes ask for names, and what pods inherit of it.

kubelet gives pods with dnsPolicy Default, and with it CoreDNS, the node's resolv.conf; where that has only loopback
addresses k3s writes one of its own with 8.8.8.8 (k3s pkg/agent/config/config.go). systemd-resolved's stub 127.0.0.53 is
no such case: kubelet takes its upstream file instead.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.network import NodeNetwork, Resolvers
from probes.model.snapshot import NODE, Snapshot
from probes.rules.facts import MOST_EVIDENCE, NodeFacts, listed, node_ref
from probes.rules.finding import Evidence, Finding, Severity

HOST: Final = "/etc/resolv.conf"
SYSTEMD: Final = "/run/systemd/resolve/resolv.conf"
K3S: Final = "/var/lib/rancher/k3s/agent/etc/resolv.conf"
FALLBACK: Final = "8.8.8.8"
NAMES: Final = ObjectRef("Cluster", "", "resolvers")
"""The subject of what concerns the resolvers of several nodes."""


def judge_resolvers(facts: NodeFacts) -> Iterator[Finding]:
    """Judge the resolvers of one node."""
    network, name, at = facts.network, facts.name, facts.row.seen_at
    if network is None or network.resolvers is None:
        return
    files = {found.path: found for found in network.resolvers}
    own, host = files.get(K3S), files.get(HOST)
    if own is not None and own.nameservers == (FALLBACK,) and (host is None or FALLBACK not in host.nameservers):
        yield _fallback(name, own, host, at)
    elif own is None and host is not None and "resolvers" not in network.unassessed:
        upstream = files.get(SYSTEMD)
        if _only_loopback(host) and (upstream is None or _only_loopback(upstream)):
            yield _loopback(name, host, at)


def inherited(network: NodeNetwork) -> tuple[str, ...] | None:
    """Tell the resolvers that pods inherit from a node; None where that is not known."""
    if network.resolvers is None:
        return None
    host = upstream = None
    for found in network.resolvers:
        if found.path == K3S:
            return found.nameservers
        if found.path == HOST:
            host = found
        elif found.path == SYSTEMD:
            upstream = found
    if "resolvers" in network.unassessed or host is None:
        return None  # k3s may have written one that we may not read
    if _only_loopback(host):
        return upstream.nameservers if upstream is not None else None
    return host.nameservers


def judge_agreement(snapshot: Snapshot, asked: Mapping[str, tuple[str, ...]]) -> Iterator[Finding]:
    """Judge whether all nodes ask the same resolvers, in whatever order; ``asked``: by node, of those that tell."""
    if len(set(asked.values())) < 2:  # noqa: PLR2004 - one has nothing to differ from
        return
    groups: dict[frozenset[str], list[str]] = {}
    for name, servers in asked.items():
        groups.setdefault(frozenset(servers), []).append(name)
    if len(groups) > 1:
        yield _differ(snapshot, groups)


def _only_loopback(found: Resolvers) -> bool:
    return bool(found.nameservers) and all(_is_loopback(server) for server in found.nameservers)


def _is_loopback(server: str) -> bool:
    return server.startswith("127.") or server == "::1"


def _fallback(name: str, own: Resolvers, host: Resolvers | None, at: float | None) -> Finding:
    seen = [Evidence(f"cat {own.path}", f"nameserver {', '.join(own.nameservers)}", name, at)]
    if host is not None:
        seen.append(Evidence(f"cat {host.path}", f"nameserver {', '.join(host.nameservers)}", name, at))
    return Finding(
        "resolver-fallback",
        Severity.NOTE,
        node_ref(name),
        f"k3s found only loopback resolvers and gives pods {FALLBACK} instead: names of the private network do not "
        "resolve there",
        tuple(seen),
        f"{K3S} does not exist, or names the resolvers that are meant",
        detail="It concerns CoreDNS when it runs here, and pods with dnsPolicy Default. Where port 53 to the "
        "internet is blocked, no outside name resolves at all.",
    )


def _loopback(name: str, host: Resolvers, at: float | None) -> Finding:
    return Finding(
        "resolver-loopback",
        Severity.WARNING,
        node_ref(name),
        f"its only resolvers are {listed(list(host.nameservers))}: in a pod that is the pod itself",
        (Evidence(f"cat {host.path}", f"nameserver {', '.join(host.nameservers)}", name, at),),
        f"{SYSTEMD} or {K3S} names a resolver that pods reach",
        detail="CoreDNS on this node would ask itself and stop with 'Loop detected'. k3s writes a resolv.conf of its "
        "own when it starts with such a file; here it has not, so the file may be newer than k3s.",
    )


def _differ(snapshot: Snapshot, groups: Mapping[frozenset[str], list[str]]) -> Finding:
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), sorted(item[1])))
    said = "; ".join(f"{listed(sorted(names))}: {', '.join(sorted(servers))}" for servers, names in ordered[:3])
    more = f"; and {len(ordered) - 3} more sets" if len(ordered) > 3 else ""  # noqa: PLR2004 - as many as are shown
    few = [name for _, names in ordered[1:] for name in sorted(names)]
    seen = [_quote(snapshot, min(names), servers) for servers, names in ordered[:MOST_EVIDENCE]]
    return Finding(
        "resolvers-differ",
        Severity.NOTE,
        NAMES,
        f"nodes ask different resolvers: {said}{more}",
        tuple(seen),
        "every node has the same nameservers",
        detail="A name may resolve or not according to the node that CoreDNS runs on, and images of a private "
        "registry pull on some nodes only.",
        about=tuple(few[:MOST_EVIDENCE]),
    )


def _quote(snapshot: Snapshot, name: str, servers: frozenset[str]) -> Evidence:
    said = f"nameserver {', '.join(sorted(servers))}"
    return Evidence("cat /etc/resolv.conf", said, name, snapshot.source(f"{NODE}{name}").at)
