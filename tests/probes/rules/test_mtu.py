"""mtu: the five MTUs of a node against each other, and nodes against nodes."""

from collections.abc import Callable

import pytest

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Condition
from probes.model.network import Address, NetConf, PodNetns, SubnetEnv
from probes.model.observation import Listed, Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import Advice, diagnose
from probes.rules.finding import Severity
from tests.probes.rules.overlays import World, both, env, facts, flat, link, told, unit
from tests.probes.worlds import AT, NAMES, healthy

S = "samwise"


def pods(name: str, *mtus: int) -> World:
    addresses = (Address("inet", "10.42.1.5", 24),)
    return facts(name, pod_netns=tuple(PodNetns(f"cni-{i}", i, "eth0", mtu, addresses) for i, mtu in enumerate(mtus)))


def everywhere(make: Callable[..., World], *arguments: object, **changes: object) -> World:
    return both(*(make(name, *arguments, **changes) for name in NAMES))


def copies(name: str, *mtus: int) -> World:
    return facts(
        name,
        subnet_env_copies=tuple(
            SubnetEnv(f"/var/backups/{mtu}", "10.42.0.0/16", f"10.42.{NAMES.index(name)}.1/24", mtu) for mtu in mtus
        ),
    )


Expected = dict[tuple[str, str], Severity]
NOTE, WARNING = Severity.NOTE, Severity.WARNING
HOLDS: dict[str, tuple[World, Expected]] = {
    "uplinks lowered, nothing else": (
        everywhere(link, "eth0", mtu=1450),
        {(code, name): WARNING for name in NAMES for code in ("flannel-mtu-mismatch", "overlay-exceeds-underlay")}
        | {("host-gw-possible", "overlay"): NOTE},
    ),
    "lowered and restarted": (
        both(everywhere(link, "eth0", mtu=1450), everywhere(env, mtu=1400)),
        {
            (code, name): WARNING
            for name in NAMES
            for code in ("flannel-mtu-mismatch", "overlay-exceeds-underlay", "subnet-env-mtu-differs", "pod-mtu-stale")
        }
        | {("host-gw-possible", "overlay"): NOTE},
    ),
    "repaired but for the pods": (
        both(everywhere(link, "eth0", mtu=1450), everywhere(link, "flannel.1", mtu=1400), everywhere(env, mtu=1400)),
        {("pod-mtu-stale", name): WARNING for name in NAMES},
    ),
    "device smaller than it need be": (
        everywhere(link, "flannel.1", mtu=1400),
        {("flannel-mtu-mismatch", name): WARNING for name in NAMES}
        | {("subnet-env-mtu-differs", name): WARNING for name in NAMES},
    ),
    "all smaller, by hand": (
        both(everywhere(link, "flannel.1", mtu=1400), everywhere(env, mtu=1400), everywhere(pods, 1400)),
        {("flannel-mtu-mismatch", name): NOTE for name in NAMES},
    ),
    "one device smaller": (
        both(link(S, "flannel.1", mtu=1400), env(S, mtu=1400), pods(S, 1400)),
        {("flannel-mtu-mismatch", S): NOTE, ("flannel-mtu-differs", "overlay"): WARNING},
    ),
    "jumbo on one node": (
        both(link(S, "eth0", mtu=9000), link(S, "flannel.1", mtu=8950), env(S, mtu=8950), pods(S, 8950)),
        {("uplink-mtu-differs", "overlay"): WARNING, ("flannel-mtu-differs", "overlay"): WARNING},
    ),
    "configured too large": (
        both(
            everywhere(facts, net_conf=NetConf(backend="vxlan", mtu=1500)),
            everywhere(link, "eth0", mtu=1400),
        ),
        {("overlay-exceeds-underlay", name): WARNING for name in NAMES} | {("host-gw-possible", "overlay"): NOTE},
    ),
    "edited soon after the start": (
        both(unit(S, started_at=0.0), env(S, written_at=990.0, mtu=1400)),
        {("subnet-env-mtu-differs", S): WARNING, ("pod-mtu-stale", S): NOTE},
    ),
    "edited a day after the start, to the same": (
        both(unit(S, started_at=-90000.0), env(S, written_at=0.0)),
        {("subnet-env-edited", S): NOTE},
    ),
    "edited a day after the start, to another": (
        both(unit(S, started_at=-90000.0), env(S, written_at=0.0, mtu=1400)),
        {("subnet-env-edited", S): WARNING, ("subnet-env-mtu-differs", S): WARNING, ("pod-mtu-stale", S): NOTE},
    ),
    "pods mixed, all fit": (pods(S, 1400, 1450), {("pod-mtu-mixed", S): NOTE}),
    "pods mixed, one too large": (pods(S, 1500, 1450), {("pod-mtu-mixed", S): WARNING}),
    "pods all too large": (pods(S, 1500), {("pod-mtu-stale", S): WARNING}),
    "a stale copy": (copies(S, 1450, 1400), {("subnet-env-stale-copy", S): NOTE}),
}


@pytest.mark.parametrize("case", HOLDS)
def test_mtus_that_disagree(case: str) -> None:
    """Exactly what disagrees is named, as bad as it is."""
    change, expected = HOLDS[case]
    found = {(f.code, f.subject.name): f.severity for f in flat(diagnose(change(healthy())).findings)}
    assert found == expected


QUIET: dict[str, World] = {
    "an equal copy": copies(S, 1450),
    "configured smaller": both(
        everywhere(facts, net_conf=NetConf(backend="vxlan", mtu=1450)),
        everywhere(link, "flannel.1", mtu=1400),
        everywhere(env, mtu=1400),
        everywhere(pods, 1400),
    ),
    "all jumbo": both(
        everywhere(link, "eth0", mtu=9000),
        everywhere(link, "flannel.1", mtu=8950),
        everywhere(env, mtu=8950),
        everywhere(pods, 8950),
    ),
    "cni0 of its own": link(S, "cni0", mtu=1280),
    "pods not known": facts(S, pod_netns=None, unassessed={"pod_netns": "needs root"}),
    "a pod without an MTU": facts(S, pod_netns=(PodNetns("cni-1", 0, "eth0", None),)),
    "net-conf not readable": facts(S, unassessed={"net_conf": "needs root"}),
    "env without an MTU": env(S, mtu=None),
    "written while starting slowly": both(unit(S, started_at=-900.0), env(S, written_at=800.0)),
}


@pytest.mark.parametrize("case", QUIET)
def test_mtus_that_agree_or_are_not_known(case: str) -> None:
    """Where all is as it should be, or a number is lacking, nothing is said."""
    assert told(QUIET[case](healthy())) == set()


def test_the_change_is_the_cause() -> None:
    """After a change of the hosts' MTU the device is the root; what else disagrees is folded beneath it."""
    world = both(everywhere(link, "eth0", mtu=1450), everywhere(env, mtu=1400))(healthy())
    roots = diagnose(world).findings
    assert [f.code for f in roots[:3]] == ["flannel-mtu-mismatch"] * 3
    assert [f.subject.name for f in roots[:3]] == sorted(NAMES)
    assert "a restart of k3s will not repair this" in roots[0].summary
    assert "ip link set dev flannel.1 mtu 1400" in roots[0].detail


def _failing(message: str) -> Snapshot:
    ref = ObjectRef("GitRepository", "flux-system", "flux-system")
    conditions = (Condition("Ready", "False", "GitOperationFailed", message, AT - 60),)
    item = FluxObject(ref, generation=1, observed_generation=1, conditions=conditions)
    key = "GitRepository/flux-system/flux-system"
    return fold(healthy(), [Observed("kube/flux/GitRepository", AT, Listed({key: item}))])


def test_headroom_is_advice_for_who_asks() -> None:
    """Headroom is a note, only while large transfers stall, only under the margin, and never with a margin of 0."""
    stalls = _failing("net/http: TLS handshake timeout")
    (note,) = [f for f in diagnose(stalls).findings if f.code == "mtu-headroom"]
    assert note.severity is Severity.NOTE
    assert "50 bytes" in note.summary
    for quiet in (
        diagnose(stalls, advice=Advice(headroom=0)),
        diagnose(stalls, advice=Advice(headroom=50)),
        diagnose(healthy()),
        diagnose(_failing("authentication required")),
    ):
        assert "mtu-headroom" not in {f.code for f in flat(quiet.findings)}
