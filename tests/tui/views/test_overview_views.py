"""What the overview's panes say, from a diagnosis: pure functions."""

import msgspec
import pytest

from probes.model.flux import ObjectRef
from probes.model.network import Link
from probes.model.observation import Listed, Observed
from probes.model.snapshot import Snapshot, SourceState, fold
from probes.rules.diagnose import diagnose
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis, Evidence, Finding, Severity
from tests.probes.worlds import AT, healthy, with_network, with_node
from tests.tui.scripted import failed, flux_object, source_tree, with_flux, without_vxlan
from tui.format import ASCII, UNICODE, Span
from tui.views.absence import doubt, nothing
from tui.views.findings import detail, finding_at, finding_key, findings, short_subject
from tui.views.flux import flux, short_revision
from tui.views.nodes import COLUMNS, NodeRows
from tui.views.overlay import Mesh, explain, mesh
from tui.widgets.cells import spans_of
from tui.widgets.items import Listing


def cells(snapshot: Snapshot, name: str, now: float = AT + 5) -> dict[str, str]:
    """Read a node's row by column."""
    listing = NodeRows(UNICODE).listing(diagnose(snapshot), now)
    item = next(item for item in listing.items if item.row.key == name)
    texts = ("".join(span.text for span in spans_of(cell, now)) for cell in item.row.cells)
    return dict(zip((column.id for column in COLUMNS), texts, strict=True))


def texts(listing: Listing, now: float = AT + 5) -> list[str]:
    return [item.text(now) for item in listing.items]


def resized(name: str, ifname: str, mtu: int) -> Snapshot:
    """Change the MTU of a link."""
    links: list[Link] = [
        msgspec.structs.replace(link, mtu=mtu) if link.ifname == ifname else link
        for link in healthy().networks[name].links or ()
    ]
    return with_network(healthy(), name, links=tuple(links))


def test_every_number_beside_what_it_should_be() -> None:
    """A number that is as it should be stands alone, another beside the right one, with a sign."""
    row = cells(healthy(), "samwise")
    assert (row["uplink"], row["want"], row["overlay"], row["env"]) == ("eth0 1500", "1450", "1450", "1450")
    assert (row["pods"], row["peers"], row["ready"], row["port"]) == ("1450 ×1", "2/2", "✔", "✔")
    assert cells(resized("samwise", "flannel.1", 1400), "samwise")["overlay"] == "▲ 1400≠1450"
    jumbo = cells(resized("samwise", "eth0", 9000), "samwise")
    assert (jumbo["want"], jumbo["overlay"]) == ("8950", "▲ 1450≠8950")


def test_missing_link_and_file() -> None:
    """What is not there is said to be missing, and the port that goes with it is closed."""
    row = cells(with_network(without_vxlan(healthy()), "samwise", subnet_env=None), "samwise")
    assert (row["overlay"], row["env"], row["port"], row["peers"]) == ("✖ missing", "✖ missing", "✖", "✖ 0/2")


def test_unknown_is_never_green() -> None:
    """Of a node that never answered nothing is claimed: loading while it is asked, unknown when it cannot be."""
    asked = fold(Snapshot(), [Observed("kube/nodes", AT, Listed(dict(healthy().nodes)))])
    row = cells(asked, "samwise")
    assert (row["overlay"], row["peers"], row["seen"], row["want"]) == ("…", "…/2", "…", "…")
    row = cells(failed(asked, "node/samwise", "timeout"), "samwise")
    assert (row["overlay"], row["peers"], row["seen"]) == ("?", "?/2", "✖ never")


def test_cordoned_and_not_ready() -> None:
    """A cordoned node says so beside its name."""
    assert cells(with_node(healthy(), "samwise", unschedulable=True), "samwise")["node"] == "samwise cordoned"
    assert cells(with_node(healthy(), "samwise", conditions=()), "samwise")["ready"] == "?"


def test_unchanged_node_keeps_its_row() -> None:
    """A node of which nothing changed has the very same row, so that nobody has to compare it."""
    rows = NodeRows(UNICODE)
    first = diagnose(healthy())
    before = rows.listing(first, AT)
    after = rows.listing(diagnose(first.snapshot, first), AT + 60)
    assert [item.row for item in before.items] == [item.row for item in after.items]
    assert all(one is other for one, other in zip(before.items, after.items, strict=True))


def cells_of(made: Mesh, source: str) -> list[Span]:
    """List what one node has for each of the others."""
    found = [made.cells[source].get(other) for other in made.names if other != source]
    assert made.cells[source].get(source) is None
    return [span for span in found if span is not None]


def test_mesh() -> None:
    """A cell is whole only where everything was seen; a missing link breaks the whole row."""
    made = mesh(diagnose(healthy()), UNICODE)
    assert {span.text for name in made.names for span in cells_of(made, name)} == {"✔"}
    assert made.badge.tone == "ok"
    broken = mesh(diagnose(without_vxlan(healthy())), UNICODE)
    assert {span.text for span in cells_of(broken, "samwise")} == {"✖ link gone"}
    assert broken.widest == len("✖ gone there")
    assert "samwise" in broken.broken
    assert broken.badge.tone == "critical"


def test_mesh_names_the_leg() -> None:
    """A missing leg is named in the cell and explained with what it should be."""
    fdb = healthy().networks["samwise"].fdb or ()
    judged = diagnose(with_network(healthy(), "samwise", fdb=fdb[1:]))
    assert cells_of(mesh(judged, UNICODE), "samwise")[0].text == "✖ fdb"
    (said,) = explain(judged, "samwise", "boromir")
    assert said.startswith("FDB missing: expected 12:c6:65:89:b4:00 dst 192.0.2.11")


def test_mesh_of_silent_node_is_unknown() -> None:
    """A node that never answered breaks nothing and promises nothing."""
    asked = fold(Snapshot(), [Observed("kube/nodes", AT, Listed(dict(healthy().nodes)))])
    made = mesh(diagnose(failed(asked, "node/samwise", "timeout")), UNICODE)
    assert {span.tone for span in cells_of(made, "samwise")} == {"unknown"}
    assert made.badge.tone == "unknown"


def test_flux_tree() -> None:
    """Consumers stand beneath their source; stale, suspended and failing are told apart, and counted by the worst."""
    listing = flux(diagnose(source_tree()), AT, UNICODE)
    said = texts(listing, AT)
    assert [text.split("  ")[0] for text in said] == [
        "✔ git home",
        "├ ◷ ks apps",
        "└ ▲ ks infra",
        "✖ helm charts",
    ]
    assert "stale revision" in said[1]
    assert "suspended" in said[2]
    assert "i/o timeout" in said[3]
    assert listing.badge == ("✖ 1", "critical")
    assert [item.is_fault for item in listing.items] == [False, True, True, True]


def test_flux_ring_and_orphans_are_listed() -> None:
    """An object whose source is unknown, or whose sources form a ring, is listed all the same, once."""
    one, other = ObjectRef("HelmChart", "flux-system", "a"), ObjectRef("HelmChart", "flux-system", "b")
    ring = [flux_object("HelmChart", "a", source=other), flux_object("HelmChart", "b", source=one)]
    orphan = flux_object("Kustomization", "c", source=ObjectRef("GitRepository", "flux-system", "gone"))
    said = texts(flux(diagnose(with_flux(healthy(), *ring, orphan)), AT, UNICODE))
    assert sorted(text.split("  ")[0].split()[-1] for text in said) == ["a", "b", "c"]


def test_flux_absent_is_not_loading() -> None:
    """Flux counts as not installed only when every kind was said not to be there."""
    assert flux(diagnose(healthy()), AT, UNICODE).nothing.text.startswith("… asking")
    one = failed(healthy(), "kube/flux/Bucket", "absent")
    assert flux(diagnose(one), AT, UNICODE).nothing.text.startswith("… asking")
    kinds = ("OCIRepository", "Bucket", "GitRepository", "HelmRepository", "HelmChart", "ExternalArtifact")
    none = one
    for kind in (*kinds, "Kustomization", "HelmRelease"):
        none = failed(none, f"kube/flux/{kind}", "absent")
    assert "not installed" in flux(diagnose(none), AT, UNICODE).nothing.text


def nested() -> Diagnosis:
    """Make a root cause with two symptoms, one of which has its own."""
    leaf = Finding("c", Severity.WARNING, ObjectRef("Kustomization", "apps", "web"), "it waits")
    middle = Finding(
        "b", Severity.WARNING, ObjectRef("GitRepository", "flux-system", "home"), "timeout", symptoms=(leaf,)
    )
    last = Finding("d", Severity.NOTE, node_ref("theoden"), "slow")
    seen = (Evidence("ip link", "no such device", "samwise", AT),)
    root = Finding("a", Severity.CRITICAL, node_ref("samwise"), "gone", seen, symptoms=(middle, last))
    return Diagnosis(healthy(), findings=(root,))


@pytest.mark.parametrize(("glyphs", "stems"), [
    (UNICODE, ["✖ samwise ▾2", "├ ▲ git home ▾1", "│ └ ▲ ks apps/web", "└ · theoden"]),
    (ASCII, ["XX samwise v2", "|-!! git home v1", "| `-!! ks apps/web", "`-.. theoden"]),
])  # fmt: skip
def test_findings_tree(glyphs: tuple[str, ...], stems: list[str]) -> None:
    """Symptoms stand beneath what explains them, however deep."""
    chosen = ASCII if glyphs is ASCII else UNICODE
    assert [text.split("  ")[0] for text in texts(findings(nested(), chosen, {}))] == stems


def test_findings_fold() -> None:
    """A folded root keeps the number of what it hides."""
    root = nested().findings[0]
    folded = findings(nested(), UNICODE, {}, {finding_key(root)})
    assert [text.split("  ")[0] for text in texts(folded)] == ["✖ samwise ▸2"]


def test_since() -> None:
    """What the API dates is exact; what was only seen began then or before."""
    since = {("a", node_ref("samwise")): AT}
    assert texts(findings(nested(), UNICODE, since), AT + 90)[0].endswith("≥1m30s")
    waits = flux_object("GitRepository", "home", ready="False")  # says so since a minute before AT
    slow = Finding("x", Severity.WARNING, waits.ref, "s")
    made = Diagnosis(healthy(), findings=(slow,), flux=diagnose(with_flux(healthy(), waits)).flux)
    assert texts(findings(made, UNICODE, {}), AT + 30)[0].endswith("  1m30s")
    tried = Finding("y", Severity.WARNING, node_ref("samwise"), "s", (Evidence("ssh", "", "operator", AT),))
    assert texts(findings(Diagnosis(healthy(), findings=(tried,)), UNICODE, {}), AT + 90)[0].endswith("  1m30s")


def test_two_images_of_one_registry_are_two_findings() -> None:
    """Findings alike in code and subject have rows of their own."""
    registry = ObjectRef("Registry", "", "ghcr.io")
    alike = [
        Finding("image-pull-failing", Severity.WARNING, registry, f"{pod} fails", (Evidence(pod, ""),)) for pod in "ab"
    ]
    listing = findings(Diagnosis(healthy(), findings=tuple(alike)), UNICODE, {})
    assert len({item.row.key for item in listing.items}) == 2


def test_detail_is_bounded() -> None:
    """The detail of a finding takes no more lines than it is given, and says where the rest is."""
    long = Finding("x", Severity.WARNING, node_ref("samwise"), "word " * 400)
    lines = detail(long, 40, 5, UNICODE)
    assert len(lines) == 5
    assert "enter shows all of it" in lines[-1][1].text
    assert finding_at(nested(), "nothing") is None


def test_short_names() -> None:
    """Subjects and revisions are written as Flux's users write them."""
    assert short_subject(ObjectRef("HelmRelease", "apps", "web")) == "hr apps/web"
    assert short_subject(node_ref("samwise")) == "samwise"
    assert short_revision("main@sha1:9ce910c1aabbccdd") == "main@9ce910c1"
    assert short_revision("3.5.2") == "3.5.2"


def test_absence() -> None:
    """Why there is nothing: five reasons, five texts; an old answer says how old it is."""
    states = ("loading", "restricted", "absent", "ok", "failed")
    assert len({nothing(SourceState(status), "nodes", UNICODE).text for status in states}) == 5
    assert doubt(SourceState("failed", AT), AT + 34, UNICODE) == "◷ failed: as it was 34s ago"
    assert doubt(SourceState("ok", AT), AT + 34, UNICODE) == ""
