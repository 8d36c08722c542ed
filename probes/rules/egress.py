"""egress: what probes to places outside show, held against each other by vantage, by size and by version of HTTP."""

from collections.abc import Iterator, Sequence
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.reach import Result, percentile
from probes.rules.crossing import above, evidence_of
from probes.rules.facts import MOST_EVIDENCE, listed, node_ref
from probes.rules.finding import Finding, Severity
from probes.rules.images import EGRESS

FRESH: Final = 900.0
"""Seconds after which what a probe showed is judged no more."""
_FAILING: Final = frozenset({"fails", "random", "lossy", "random-loss", "silent", "large-lost", "blackhole", "lost"})
_INSIDE: Final = frozenset({"node", "pod"})
_SEGMENT: Final = 40
"""IPv4 and TCP headers without options, in bytes."""
_LIMITED: Final = "429"
_BLOB: Final = "blob"
"""The phase of a registry's probe in which the host that blobs lie on sends (probes.reach.registry)."""


def judge_egress(probed: Sequence[Result]) -> Iterator[Finding]:
    """Judge probes whose targets are no places of the cluster."""
    outside = [each for each in probed if not each.peer and each.probe != "dns"]
    inside = [each for each in outside if each.kind in _INSIDE]
    yield from _blackholes(inside)
    yield from _clamps(inside)
    yield from _losses(inside)
    yield from _worse_than_hosts(outside)
    yield from _versions(inside)
    yield from _registries(outside)
    yield from _limits(outside)


def _subject(results: Sequence[Result], all_results: Sequence[Result]) -> ObjectRef:
    """Blame one node where it alone fails and others of the same probe do not; else the way out that they share."""
    failing = {each.node for each in results}
    tried = {each.node for each in all_results}
    return node_ref(next(iter(failing))) if len(failing) == 1 and len(tried) > 1 else EGRESS


def _about(results: Sequence[Result]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.node for each in results if each.node))[:MOST_EVIDENCE]


def _from(results: Sequence[Result]) -> str:
    return listed(list(dict.fromkeys(each.vantage for each in results)))


def _to(results: Sequence[Result]) -> str:
    return listed(list(dict.fromkeys(each.target for each in results)))


def _blackholes(inside: Sequence[Result]) -> Iterator[Finding]:
    silent = [each for each in inside if each.probe == "pmtu" and each.outcome == "silent"]
    stalled = [each for each in inside if each.probe == "tcp" and each.outcome == "blackhole"]
    found = [*silent, *stalled]
    if not found:
        return
    ways = {each.direction for each in found} - {"both"}
    way = f", on the way {' and '.join(sorted(ways))}" if ways else ""
    hops = sorted({each.way.gateway for each in found if each.way.gateway})
    beyond = f" Beyond {listed(hops)}, the first hop." if hops else ""
    yield Finding(
        "egress-mtu-blackhole",
        Severity.CRITICAL,
        _subject(found, [each for each in inside if each.probe in {"pmtu", "tcp"}]),
        f"packets{above(silent) or ' of full size'} to {_to(found)} vanish without a word{way}, from {_from(found)}: "
        "connections open and stall once full-size segments flow",
        evidence_of(found),
        "a connection in segments of 1200 bytes stalls just the same (underlay probe tcp)",
        detail=f"TLS certificates, git packs and image layers are the first full-size segments.{beyond}",
        about=_about(found),
    )


def _clamps(inside: Sequence[Result]) -> Iterator[Finding]:
    """Hold the segment size that connections agree on against what the path carries."""
    carries = {
        (each.vantage, each.target): each.sizes.mtu
        for each in inside
        if each.probe == "pmtu" and each.outcome == "silent" and each.sizes is not None and each.sizes.mtu
    }
    useless: list[Result] = []
    missing: list[Result] = []
    for each in inside:
        if each.probe != "tcp" or each.outcome != "blackhole" or not each.facts.get("snd_mss", "").isdecimal():
            continue
        if each.way.mtu is None:
            continue  # whether something clamps them is not known
        host = each.target.rpartition(":")[0]
        mtu = carries.get((each.vantage, host))
        full = each.way.mtu - _SEGMENT - 12
        segment = int(each.facts["snd_mss"])
        if mtu is not None and segment + 12 > mtu - _SEGMENT:
            (useless if segment < full else missing).append(each)
    for code, results, said in (
        ("mss-clamp-useless", useless, "are clamped, and still larger than the path carries"),
        ("mss-clamp-missing", missing, "are as large as the device takes, and larger than the path carries"),
    ):
        if results:
            yield Finding(
                code,
                Severity.WARNING,
                _subject(results, [each for each in inside if each.probe == "tcp"]),
                f"the segments of connections to {_to(results)} {said}, from {_from(results)}",
                evidence_of(results),
                "the connections' mss (ss -ti) fits the path MTU less 40",
                about=_about(results),
            )


def _losses(inside: Sequence[Result]) -> Iterator[Finding]:
    lossy = [
        each
        for each in inside
        if (each.probe in {"ping", "tcp"} and each.outcome in {"lossy", "random-loss"})
        or (each.probe in {"http", "git"} and each.outcome == "random")
    ]
    if not lossy:
        return
    sent, lost = sum(each.sent for each in lossy), sum(each.lost for each in lossy)
    yield Finding(
        "egress-loss",
        max(Severity.CRITICAL if each.tone == "critical" else Severity.WARNING for each in lossy),
        _subject(lossy, [each for each in inside if each.probe in {"ping", "tcp", "http", "git"}]),
        f"{lost} of {sent} tries to {_to(lossy)} were lost at random, from {_from(lossy)}: whatever their size, so no "
        "matter of MTU",
        evidence_of(lossy),
        "what is lost is always large and small ones never are (underlay probe ping, tcp)",
        about=_about(lossy),
    )


def _worse_than_hosts(outside: Sequence[Result]) -> Iterator[Finding]:
    """Hold what the cluster's machines see against what a hypervisor or gateway of the same place sees."""
    worse = []
    for host in (each for each in outside if each.kind == "host" and each.tone == "ok"):
        same = [each for each in outside if (each.probe, each.target) == (host.probe, host.target)]
        inside = [each for each in same if each.kind == "node" and each.tone != "unknown"]
        if inside and all(each.outcome in _FAILING for each in inside):
            worse += [*inside, host]
    if worse:
        hosts = listed(list(dict.fromkeys(each.vantage for each in worse if each.kind == "host")))
        bad = [each for each in worse if each.kind == "node"]
        yield Finding(
            "egress-worse-than-host",
            Severity.WARNING,
            EGRESS,
            f"what fails from {_from(bad)} to {_to(bad)} works from {hosts}: the trouble lies between the nodes and "
            "there, in their own network's way out",
            evidence_of(worse),
            "the same probe fails from there as well",
            about=_about(bad),
        )


def _versions(inside: Sequence[Result]) -> Iterator[Finding]:
    broken = [each for each in inside if each.outcome == "h2-only-fails"]
    if broken:
        yield Finding(
            "http2-broken",
            Severity.CRITICAL,
            _subject(broken, [each for each in inside if each.probe == broken[0].probe]),
            f"HTTP/2 to {_to(broken)} fails every time, from {_from(broken)}, and HTTP/1.1 never does",
            evidence_of(broken),
            "HTTP/1.1 stalls just the same once its body fills segments: then it is a matter of packet size",
            detail="No version of HTTP can push a packet over the MTU: both are bytes in a TCP stream. Something looks "
            "into it, or breaks off connections of many streams.",
            about=_about(broken),
        )


def _registries(outside: Sequence[Result]) -> Iterator[Finding]:
    """Tell a blob host that is slow or cut off from its registry; a registry that is slow itself is another matter."""
    asked = [each for each in outside if each.probe == "registry"]
    slow = [
        each
        for each in asked
        if each.outcome == "slow-blob" or (each.outcome in {"fails", "random"} and each.phase == _BLOB)
        if each.facts.get("blob-host", "") not in {"", each.target.partition("/")[0]}
    ]
    if slow:
        hosts = listed(list(dict.fromkeys(each.facts["blob-host"] for each in slow)))
        tried = [tried for each in slow for tried in each.attempts]
        took = percentile([each.seconds[_BLOB] for each in tried if _BLOB in each.seconds], 0.5)
        before = percentile([each.total - each.seconds.get(_BLOB, 0.0) for each in tried if each.seconds], 0.5)
        come = f"take {took:.1f} s (median)" if took is not None else "do not come"
        quick = f" (all before them takes {before:.1f} s)" if before is not None else ""
        yield Finding(
            "registry-blob-slow",
            Severity.WARNING,
            _subject([each for each in slow if each.node] or slow, asked),
            f"blobs of {_to(slow)} {come}, from {_from(slow)}{quick}: it is the host that they are redirected to, "
            f"{hosts}",
            evidence_of(slow),
            "the registry itself takes as long, or a blob comes as slowly from another host",
            about=_about(slow),
        )


def _limits(outside: Sequence[Result]) -> Iterator[Finding]:
    limited = [
        each
        for each in outside
        if each.outcome == "rate-limited" or any(tried.answer.startswith(_LIMITED) for tried in each.attempts)
    ]
    if limited:
        yield Finding(
            "provider-limit",
            Severity.WARNING,
            EGRESS,
            f"too much was asked of {_to(limited)} (429), from {_from(limited)}: the path works",
            evidence_of(limited),
            "the same question is answered with credentials, or from another address",
            about=_about(limited),
        )
