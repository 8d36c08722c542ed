"""outside: hosts that have nothing in common and fail alike: none of them, but the way out is at fault.

Told from what Flux, kubelets and External Secrets say of their own attempts; no probe is needed for it. A lookup that
is not answered is another matter, of the cluster's DNS, and so is an answer, be it a refusal.
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Final

from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.failures import NETWORK, failure_of
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.images import EGRESS

_STALLS: Final = NETWORK - {"dns", "unknown-name", "connect-refused"}
"""Kinds of failure that the way to a host may cause, whichever host it is."""
_FEWEST: Final = 2
"""Findings, and organisations whose hosts fail, from which on it is no longer taken for the hosts' own trouble."""


def judge_outside(found: Iterable[Finding]) -> Iterator[Finding]:
    """Judge what other findings quote of attempts to reach hosts outside; ``found``: those of objects and pulls."""
    quotes: dict[str, Evidence] = {}
    nodes: set[str] = set()
    count = 0
    for finding in found:
        mine = {host: quote for quote in finding.evidence if (host := _host(quote.excerpt))}
        # What fails on one node alone is that node's, and told so.
        if mine and finding.subject.kind != "Node":
            count += 1
            quotes = mine | quotes
            nodes.update(finding.about)
    if count < _FEWEST or len({_domain(host) for host in quotes}) < _FEWEST:
        return
    hosts = sorted(quotes)
    where = f" from {listed(sorted(nodes))}" if nodes else ""
    yield Finding(
        "outside-failing",
        Severity.WARNING,
        EGRESS,
        f"{listed(hosts)} have nothing in common and fail alike{where}: none of them, but the way out that they share",
        tuple(quotes[host] for host in hosts)[:MOST_EVIDENCE],
        "the same requests succeed from a node, large answers too, several times over",
        detail="Another host, mirror or protocol (SSH for HTTPS) is reached by the same way and fails alike. HTTP/2 is "
        "not at fault either: TCP cuts whatever it carries into segments of one size, and 'HTTP/2 stream was not "
        "closed cleanly' is curl's word for a transfer that broke off. Look at the path MTU beyond the gateway, at "
        "loss, at NAT and firewall: underlay probe pmtu and http, from a node and from the hypervisor or gateway.",
        about=tuple(sorted(nodes))[:MOST_EVIDENCE],
    )


def is_outside(text: str) -> bool:
    """Tell whether a text complains of the way to a host outside."""
    return bool(_host(text))


def _host(text: str) -> str:
    """Name the host outside that a text says could not be reached; empty where it says something else."""
    failure = failure_of(text)
    if failure is None or failure.kind not in _STALLS or "." not in failure.host:
        return ""
    host = failure.host.rstrip(".")
    return "" if host.endswith((".svc", ".local")) or ".svc." in host or _is_address(host) else host


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _domain(host: str) -> str:
    """Take an organisation's part of a name, roughly: the last two labels."""
    return ".".join(host.split(".")[-2:])
