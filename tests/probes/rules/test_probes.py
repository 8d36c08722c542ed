"""Findings from probes: each contrast points to one thing, and a clean cluster to nothing."""

import msgspec
import pytest

from probes.model.network import NodeNetwork
from probes.model.observation import Observed
from probes.model.reach import Attempt, Result, Sizes, Tone, Way
from probes.model.snapshot import Snapshot, fold
from probes.rules.crossing import judge_crossing
from probes.rules.diagnose import diagnose
from probes.rules.egress import FRESH, judge_egress
from probes.rules.finding import Finding, Severity

TONES: dict[str, Tone] = {"ok": "ok", "inconclusive": "unknown", "unassessed": "unknown", "told": "warning"}


def path(node: str, peer: str, outcome: str, mtu: int | None = None, *, pod: bool = False) -> Result:
    at = "pod@" if pod else ""
    tone = TONES.get(outcome, "critical")
    kind = "pod" if pod else "node"
    sizes = Sizes(mtu)
    return Result("pmtu", at + node, kind, at + peer, outcome, tone, outcome, 0.0, node=node, peer=peer, sizes=sizes)


def cluster(there: tuple[str, int], back: tuple[str, int], pods: tuple[str, int | None]) -> list[Result]:
    return [
        path("a", "b", *there),
        path("b", "a", *back),
        path("a", "b", *pods, pod=True),
        path("b", "a", *pods, pod=True),
    ]


FULL = ("ok", 1500)


@pytest.mark.parametrize(
    ("results", "codes"),
    [
        (cluster(FULL, FULL, ("ok", 1450)), []),
        (cluster(FULL, FULL, ("inconclusive", None)), ["vxlan-port-dropped"]),
        (cluster(FULL, FULL, ("unreachable", None)), ["vxlan-port-dropped"]),
        (cluster(FULL, FULL, ("unassessed", None)), []),
        (cluster(("inconclusive", 0), ("inconclusive", 0), ("inconclusive", None)), []),
        (cluster(("told", 1400), FULL, ("ok", 1450)), ["overlay-fragmented"]),
        (cluster(("told", 1400), FULL, ("silent", 1350)), ["vxlan-fragments-dropped"]),
        (cluster(("silent", 1404), FULL, ("silent", 1354)), ["underlay-mtu-blackhole"]),
        (cluster(FULL, FULL, ("silent", 1400)), ["vxlan-fragments-dropped"]),  # the way back may cut
        (cluster(("ok", 1450), ("ok", 1450), ("silent", 1430)), ["overlay-mtu-blackhole"]),
        ([path("a", "b", "silent", 1300, pod=True)], ["overlay-mtu-blackhole"]),
        ([], []),
    ],
)
def test_the_overlay_is_held_against_the_underlay(results: list[Result], codes: list[str]) -> None:
    """What the overlay loses is explained by the underlay where that loses it too, else by fragments or devices."""
    found = list(judge_crossing(results, (), Snapshot()))
    assert [each.code for each in found] == codes
    assert all(each.refutes and each.evidence and each.about for each in found)


def test_a_dead_overlay_is_the_states_where_that_is_broken() -> None:
    """With a finding of a node's own state it is dead for that; with wrong checksums these are suspected."""
    results = cluster(FULL, FULL, ("inconclusive", None))
    assert [each.code for each in judge_crossing(results, {"b"}, Snapshot())] == ["overlay-dead"]
    counted = Snapshot(networks={"b": NodeNetwork(counters={"UdpInCsumErrors": 40})})
    found = list(judge_crossing(results, (), counted))
    assert [each.code for each in found] == ["checksum-offload-suspected"]
    assert found[0].evidence[-1].excerpt == "40"


def mesh(kind: str, outcome: str, sizes: tuple[int, ...]) -> list[Result]:
    tries = tuple(Attempt(size=size, packets=(5, 5)) for size in sizes)
    tone = TONES.get(outcome, "critical")
    return [
        Result("mesh", a, kind, b, outcome, tone, outcome, 0.0, node=a, peer=b, attempts=tries)
        for a, b in (("a", "b"), ("b", "a"))
    ]


def test_a_mesh_says_it_too() -> None:
    """Two sizes are enough to tell that fragments die; where path MTU was searched that alone is judged."""
    lost = [*mesh("node", "ok", (84, 1500)), *mesh("pod", "large-lost", (84,))]
    assert [each.code for each in judge_crossing(lost, (), Snapshot())] == ["vxlan-fragments-dropped"]
    both = [*cluster(FULL, FULL, ("silent", 1400)), *lost]
    assert len(list(judge_crossing(both, (), Snapshot()))) == 1


def out(probe: str, outcome: str, vantage: str = "a", target: str = "web.test", **more: object) -> Result:
    kind = "host" if vantage == "pve" else "pod" if vantage.startswith("pod@") else "node"
    node = "" if kind == "host" else vantage.removeprefix("pod@")
    tone = TONES.get(outcome, "critical")
    made = Result(probe, vantage, kind, target, outcome, tone, outcome, 0.0, node=node)
    return msgspec.structs.replace(made, **more)


HOLE = out("pmtu", "silent", sizes=Sizes(1400, 1401), way=Way(gateway="192.0.2.1", mtu=1500))
STALL = out("tcp", "blackhole", target="web.test:443", direction="back", way=Way(mtu=1500), facts={"snd_mss": "1448"})
BLOB = out(
    "registry",
    "slow-blob",
    target="web.test/shop/web:1",
    phase="blob",
    facts={"blob-host": "cdn.test"},
    attempts=(Attempt(seconds={"challenge": 0.1, "redirect": 0.1, "blob": 9.0}),),
)


@pytest.mark.parametrize(
    ("results", "codes", "words"),
    [
        ([out("pmtu", "ok"), out("tcp", "ok"), out("ping", "ok"), out("http", "ok")], [], ""),
        ([HOLE], ["egress-mtu-blackhole"], "above 1400 bytes"),
        ([STALL], ["egress-mtu-blackhole"], "on the way back"),
        ([HOLE, STALL], ["egress-mtu-blackhole", "mss-clamp-missing"], "above 1400 bytes"),
        (
            [HOLE, msgspec.structs.replace(STALL, facts={"snd_mss": "1398"})],
            ["egress-mtu-blackhole", "mss-clamp-useless"],
            "above 1400",
        ),
        (
            [HOLE, msgspec.structs.replace(STALL, outcome="ok", tone="ok", facts={"snd_mss": "1348"})],
            ["egress-mtu-blackhole"],
            "",
        ),
        ([out("ping", "lossy", sent=40, lost=2)], ["egress-loss"], "2 of 40"),
        ([out("tcp", "random-loss", sent=10, lost=3)], ["egress-loss"], "3 of 10"),
        ([out("http", "random", sent=6, lost=1)], ["egress-loss"], "1 of 6"),
        (
            [out("http", "fails"), out("http", "fails", "b"), out("http", "ok", "pve")],
            ["egress-worse-than-host"],
            "pve",
        ),
        ([out("http", "fails"), out("http", "ok", "b"), out("http", "ok", "pve")], [], ""),
        ([out("http", "h2-only-fails"), out("http", "h2-only-fails", "pod@a")], ["http2-broken"], "a and pod@a"),
        (
            [BLOB],
            ["registry-blob-slow"],
            "(all before them takes 0.2 s): it is the host that they are redirected to, cdn.test",
        ),
        ([msgspec.structs.replace(BLOB, outcome="slow")], [], ""),  # the registry is slow as well
        ([msgspec.structs.replace(BLOB, facts={"blob-host": "web.test"})], [], ""),  # nobody redirects
        ([msgspec.structs.replace(BLOB, facts={})], [], ""),
        (
            [msgspec.structs.replace(BLOB, outcome="fails", attempts=(Attempt(failed="blob"),))],
            ["registry-blob-slow"],
            "blobs of web.test/shop/web:1 do not come, from a: it is",
        ),
        ([out("registry", "fails", phase="token", facts={"blob-host": "cdn.test"})], [], ""),
        ([out("registry", "slow", phase="token")], [], ""),
        ([out("http", "ok", attempts=(Attempt(answer="429 over HTTP/2"),))], ["provider-limit"], "429"),
        ([out("pmtu", "inconclusive"), out("tcp", "inconclusive"), out("ping", "inconclusive")], [], ""),
    ],
)
def test_the_way_out(results: list[Result], codes: list[str], words: str) -> None:
    """Each kind of trouble by its own name, nothing of what is well or not known, and all of it can be refuted."""
    found = list(judge_egress(results))
    assert [each.code for each in found] == codes
    assert not codes or words in found[0].summary
    assert all(each.refutes and each.evidence for each in found)


def test_a_node_that_fails_alone_is_blamed_alone() -> None:
    """Where other nodes are well it is that node's way out, else the one that they share."""
    alone = list(judge_egress([HOLE, out("pmtu", "ok", "b")]))
    shared = list(judge_egress([HOLE, msgspec.structs.replace(HOLE, vantage="b", node="b")]))
    assert (alone[0].subject.kind, alone[0].subject.name) == ("Node", "a")
    assert (shared[0].subject.kind, shared[0].subject.name) == ("Cluster", "egress")


def probed(results: list[Result], at: float) -> tuple[Finding, ...]:
    fresh = tuple(msgspec.structs.replace(each, at=100.0) for each in results)
    return diagnose(fold(Snapshot(at=at), [Observed("probe/pmtu", 100.0, fresh)])).findings


def test_probes_are_part_of_a_diagnosis_for_a_while() -> None:
    """What a probe showed is a finding beside the others, until it is old or probed anew."""
    assert [each.code for each in probed([HOLE], 100.0)] == ["egress-mtu-blackhole"]
    assert probed([HOLE], 101.0 + FRESH) == ()
    snapshot = fold(Snapshot(), [Observed("probe/pmtu", 100.0, (msgspec.structs.replace(HOLE, at=100.0),))])
    assert diagnose(snapshot).findings[0].severity is Severity.CRITICAL
    healed = msgspec.structs.replace(HOLE, outcome="ok", tone="ok", at=110.0)
    assert diagnose(fold(snapshot, [Observed("probe/pmtu", 110.0, (healed,))])).findings == ()
