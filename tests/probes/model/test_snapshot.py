"""The fold: facts, failures and their ages become the next snapshot."""

import msgspec

from probes.model.kube import Node, Pod
from probes.model.observation import Delta, Failed, Listed, Observed
from probes.model.snapshot import Snapshot, fold
from tests.probes.worlds import healthy, network


def test_an_equal_fact_keeps_the_old_object() -> None:
    """Whoever draws a snapshot can tell by identity that nothing changed."""
    before = healthy()
    again = fold(before, [Observed("node/samwise", 1001.0, network(1, 3))])
    assert again.networks is before.networks
    assert again.source("node/samwise").at == 1001.0


def test_a_changed_fact_keeps_its_unchanged_siblings() -> None:
    """Counters change at every collection; links that did not stay the very same object."""
    before = healthy()
    after = fold(before, [Observed("node/samwise", 1001.0, network(1, 3, counters={"IpForwDatagrams": 7}))])
    assert after.networks["samwise"] is not before.networks["samwise"]
    assert after.networks["samwise"].links is before.networks["samwise"].links
    assert after.networks["boromir"] is before.networks["boromir"]


def test_a_failed_source_keeps_its_facts_and_their_age() -> None:
    """A node that stops answering keeps its last facts; the source says since when and why."""
    before = healthy()
    after = fold(before, [Failed("node/samwise", 1010.0, "no route to host", "unreachable")])
    after = fold(after, [Failed("node/samwise", 1020.0, "no route to host", "unreachable")])
    state = after.source("node/samwise")
    assert after.networks["samwise"] is before.networks["samwise"]
    assert (state.status, state.at, state.since) == ("unreachable", 1000.0, 1010.0)


def test_a_delta_changes_and_removes() -> None:
    """A watch's changes apply to what the list brought, and an equal object stays the same object."""
    pods = {f"default/p{i}": Pod("default", f"p{i}", node="samwise") for i in range(3)}
    listed = fold(Snapshot(), [Observed("kube/pods", 1.0, Listed(pods))])
    moved = Pod("default", "p1", node="theoden")
    after = fold(listed, [Observed("kube/pods", 2.0, Delta({"default/p1": moved}, ("default/p2",)))])
    assert set(after.pods) == {"default/p0", "default/p1"}
    assert after.pods["default/p1"].node == "theoden"
    assert after.pods["default/p0"] is pods["default/p0"]


def test_the_list_of_one_kind_leaves_the_others() -> None:
    """Flux kinds are listed apart: GitRepositories listed anew do not remove Kustomizations."""
    state = fold(
        Snapshot(),
        [
            Observed("kube/flux/GitRepository", 1.0, Listed({"GitRepository/a/b": 1, "GitRepository/a/c": 2})),
            Observed("kube/flux/Kustomization", 1.0, Listed({"Kustomization/a/b": 3})),
        ],
    )
    state = fold(state, [Observed("kube/flux/GitRepository", 2.0, Listed({"GitRepository/a/b": 1}))])
    assert set(state.flux) == {"GitRepository/a/b", "Kustomization/a/b"}


def test_a_node_that_left_the_cluster_is_forgotten() -> None:
    """A node that the API no longer names leaves no facts and no source behind."""
    before = healthy()
    nodes = {name: node for name, node in before.nodes.items() if name != "theoden"}
    after = fold(before, [Observed("kube/nodes", 1001.0, Listed(nodes))])
    assert "theoden" not in after.networks
    assert "node/theoden" not in after.sources


def test_nodes_stay_while_the_api_is_down() -> None:
    """An API that fails does not take the nodes' own facts with it."""
    after = fold(healthy(), [Failed("kube/nodes", 1001.0, "connection refused", "unreachable")])
    assert set(after.networks) == {"boromir", "samwise", "theoden"}
    assert after.resource("nodes").status == "unreachable"


def test_the_worst_source_speaks_for_a_field() -> None:
    """A kind that is restricted is not hidden by one that answers; an absent one does not worry anybody."""
    state = fold(
        Snapshot(),
        [
            Observed("kube/flux/GitRepository", 1.0, Listed({})),
            Failed("kube/flux/Bucket", 1.0, "not installed", "absent"),
        ],
    )
    assert state.resource("flux").status == "ok"
    state = fold(state, [Failed("kube/flux/Kustomization", 1.0, "may not list", "restricted")])
    assert state.resource("flux").status == "restricted"
    assert state.resource("pods").status == "loading"


def test_a_snapshot_is_compared_by_identity() -> None:
    """Comparing two snapshots never walks through their values."""
    first = Snapshot(nodes={"a": Node("a")})
    assert first != msgspec.structs.replace(first)


def test_a_late_answer_of_a_node_that_is_gone_goes_once_the_api_answers_again() -> None:
    """It came while nobody could say that the node is no more, and the list that says so is the one from before."""
    before = healthy()
    away = fold(before, [Failed("kube/nodes", 1001.0, "refused", "unreachable")])
    late = fold(away, [Observed("node/gollum", 1002.0, network(1, 3))])
    assert "gollum" in late.networks
    back = fold(late, [Observed("kube/nodes", 1003.0, Listed(dict(before.nodes)))])
    assert back.nodes is before.nodes
    assert "gollum" not in back.networks
    assert "node/gollum" not in back.sources
