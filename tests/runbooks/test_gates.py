"""Gates open by what is seen, never by what is hoped: each condition, held and not, and unknown."""

from collections.abc import Mapping

import msgspec
import pytest

from probes.model.kube import Condition as KubeCondition
from probes.model.kube import Lease
from probes.model.observation import Failed
from probes.model.snapshot import Snapshot, fold
from runbooks.events import State
from runbooks.gates import holds, judge, words
from runbooks.sight import Condition, Mark, Sight, Stood, finding_key, findings_of, mark_of
from tests.probes.worlds import AT, with_network, with_node
from tests.runbooks.worlds import at, diagnosis, restarted, running, with_servers

LATER = AT + 20
BEFORE = Mark(AT, "k3s", "a" * 32, 0)


def seen(
    kind: str, snapshot: Snapshot, node: str = "samwise", *, sight: Mapping[str, object] | None = None, **args: str
) -> State:
    looked = Sight(diagnosis(snapshot), **{"since": AT + 1, "mark": BEFORE, **(sight or {})})  # type: ignore[arg-type]
    return judge(looked, Condition(kind, node, args), {}).state


def now(snapshot: Snapshot) -> Snapshot:
    return at(snapshot, LATER)


def after(**leases: float) -> Snapshot:
    """Give samwise after its restart, with its lease renewed, and others' as given."""
    snapshot = restarted(running(), "samwise")
    renewed = {name: Lease(name, leases.get(name, AT + 9), 40) for name in snapshot.leases}
    return now(msgspec.structs.replace(snapshot, leases=renewed))


@pytest.mark.parametrize(
    "kind", ["unit-active", "unit-restarted", "unit-stable", "node-ready", "overlay", "subnet-env"]
)
def test_what_was_seen_before_the_step_says_nothing(kind: str) -> None:
    """Facts that are older than the step leave a condition unknown, however good they look."""
    assert seen(kind, restarted(running(), "samwise")) == "unknown"


def test_a_restart_is_a_new_invocation() -> None:
    """The same InvocationID is no restart, whatever else is said; a new one is, once it is active."""
    assert seen("unit-restarted", now(running())) == "waiting"
    assert seen("unit-restarted", after()) == "held"
    snapshot = after()
    unit = snapshot.networks["samwise"].unit
    assert unit is not None
    starting = with_network(snapshot, "samwise", unit=msgspec.structs.replace(unit, active_state="activating"))
    assert seen("unit-restarted", starting) == "waiting"
    assert seen("unit-restarted", after(), sight={"mark": Mark()}) == "unknown"


def test_a_unit_is_stable_if_two_looks_agree() -> None:
    """NRestarts or the InvocationID that moves between two looks is a unit that restarts by itself."""
    steady = {"previous": Mark(AT, "k3s", "b" * 32, 0)}
    assert seen("unit-stable", after(), sight=steady) == "held"
    assert seen("unit-stable", after()) == "waiting"
    assert seen("unit-stable", after(), sight={"previous": Mark(AT, "k3s", "b" * 32, 1)}) == "waiting"


def test_ready_counts_once_the_lease_is_younger_than_the_unit() -> None:
    """Ready goes on being said for 40 s of a dead kubelet: only a lease renewed since the start proves it."""
    assert seen("node-ready", after()) == "held"
    assert seen("node-ready", after(samwise=AT + 4)) == "waiting"
    not_ready = (KubeCondition("Ready", "False", "KubeletNotReady"),)
    assert seen("node-ready", with_node(after(), "samwise", conditions=not_ready)) == "waiting"


def test_an_api_that_is_away_tells_nothing() -> None:
    """With the API unreachable, what only it knows is unknown, though the old answers look fine."""
    down = fold(after(), [Failed("kube/leases", LATER, "refused", "unreachable")])
    assert seen("node-ready", down) == "unknown"
    down = fold(after(), [Failed("kube/nodes", LATER, "refused", "unreachable")])
    assert [seen(kind, down) for kind in ("etcd-voter", "quorum", "no-new-findings")] == ["unknown"] * 3
    assert seen("api", down) == "waiting"
    assert seen("api", after()) == "held"


def test_voters_and_quorum() -> None:
    """A learner is no voter; a server may be restarted only if the other voters are a quorum; one or two never are."""
    snapshot = now(with_servers(running(), ("boromir", "samwise", "theoden")))
    assert seen("etcd-voter", snapshot) == "held"
    assert seen("quorum", snapshot) == "held"
    learner = (KubeCondition("Ready", "True"), KubeCondition("EtcdIsVoter", "False", "MemberIsLearner"))
    assert seen("etcd-voter", with_node(snapshot, "samwise", conditions=learner)) == "waiting"
    assert seen("quorum", with_node(snapshot, "theoden", conditions=learner)) == "waiting"
    assert seen("etcd-voter", after(), "theoden") == "held"
    assert seen("quorum", now(with_servers(running(), ("samwise",)))) == "held"


def test_the_overlay_is_looked_at_from_both_sides() -> None:
    """The device and subnet.env by their expected MTU, peers on the node and towards it on all others."""
    snapshot = after()
    for kind in ("overlay", "subnet-env", "peers-complete", "peers-towards"):
        assert seen(kind, snapshot) == "held", kind
    assert seen("subnet-env", with_network(snapshot, "samwise", subnet_env=None)) == "waiting"
    assert seen("overlay", with_network(snapshot, "samwise", udp=())) == "waiting"
    assert seen("peers-complete", with_network(snapshot, "samwise", fdb=())) == "waiting"
    assert seen("peers-towards", with_network(snapshot, "theoden", fdb=())) == "waiting"
    away = fold(snapshot, [Failed("node/theoden", LATER, "no answer", "timeout")])
    assert seen("peers-towards", away) == "unknown"


def test_links_and_pods_by_their_mtu() -> None:
    """A link's MTU is the very number; one pod of another MTU is enough to wait."""
    assert seen("link-mtu", after(), ifname="flannel.1", mtu="1450") == "held"
    assert seen("link-mtu", after(), ifname="flannel.1", mtu="1400") == "waiting"
    assert seen("link-mtu", after(), ifname="nope0", mtu="1400") == "waiting"
    assert seen("pods-mtu", after(), mtu="1450") == "held"
    assert seen("pods-mtu", after(), mtu="1400") == "waiting"


def test_findings_that_are_cleared_and_that_are_new() -> None:
    """What was found is gone only if its node was seen since; what was there before is not new."""
    broken = with_network(after(), "samwise", subnet_env=None)
    assert seen("cleared", broken, finding="subnet-env-missing") == "waiting"
    assert seen("cleared", after(), finding="subnet-env-missing") == "held"
    assert seen("found", broken, finding="subnet-env-missing") == "held"
    assert seen("cleared", running(), finding="subnet-env-missing") == "unknown"
    links = tuple(link for link in broken.networks["samwise"].links or () if link.ifname != "flannel.1")
    broken = with_network(broken, "samwise", links=links)
    known = frozenset(finding_key(each) for each in findings_of(diagnosis(broken)))
    assert seen("no-new-findings", broken) == "waiting"
    assert seen("no-new-findings", broken, sight={"findings_before": known}) == "held"


def test_probes_count_only_when_they_were_sent() -> None:
    """A condition that needs a probe is unknown until one was sent for this look."""
    condition = Condition("path-mtu", "samwise")
    assert seen("path-mtu", after()) == "unknown"
    reached = {condition.key: Stood("held", "1450 bytes")}
    assert seen("path-mtu", after(), sight={"reached": reached}) == "held"


def test_only_what_was_bad_before_is_excused() -> None:
    """A condition that must not get worse is excused where it did not hold at plan time, an absolute one never."""
    sight = Sight(diagnosis(with_network(after(), "samwise", subnet_env=None)), since=AT + 1)
    keep, must = Condition("subnet-env", "samwise", absolute=False), Condition("subnet-env", "samwise")
    assert judge(sight, keep, {keep.key: Stood("waiting")}).state == "excused"
    assert judge(sight, keep, {keep.key: Stood("held")}).state == "waiting"
    assert judge(sight, keep, {}).state == "waiting"
    assert judge(sight, must, {keep.key: Stood("waiting")}).state == "waiting"
    assert holds((judge(sight, keep, {keep.key: Stood("waiting")}),))
    assert not holds((judge(sight, must, {}),))


def test_unknown_is_excused_only_by_unknown() -> None:
    """What could be told before and cannot be told now is worse than it was, even if it was bad."""
    sight = Sight(diagnosis(running()), since=LATER)
    keep = Condition("overlay", "samwise", absolute=False)
    assert judge(sight, keep, {keep.key: Stood("waiting")}).state == "unknown"
    assert judge(sight, keep, {keep.key: Stood("unknown")}).state == "excused"


def test_conditions_are_said_in_words() -> None:
    """An operator reads what is waited for, with the node and the numbers in it."""
    assert words(Condition("link-mtu", "samwise", {"ifname": "eth0", "mtu": "1500"})) == "eth0 on samwise has MTU 1500"


def test_a_mark_tells_one_start_from_another() -> None:
    """The unit's name, InvocationID and NRestarts at a moment; of an unseen node, nothing."""
    assert mark_of(diagnosis(running()), "samwise", AT) == BEFORE
    assert mark_of(diagnosis(running()), "nobody", AT) == Mark(AT)


def test_what_failed_for_one_excuses_no_other() -> None:
    """Peers that were incomplete before the run excuse themselves, not those that became so."""
    keep = Condition("peers-towards", "samwise", absolute=False)
    broken = Sight(diagnosis(with_network(after(), "theoden", fdb=())), since=AT + 1)
    assert judge(broken, keep, {keep.key: Stood("waiting", failing=("theoden",))}).state == "excused"
    assert judge(broken, keep, {keep.key: Stood("waiting", failing=("boromir",))}).state == "waiting"
