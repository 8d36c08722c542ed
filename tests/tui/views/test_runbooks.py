"""Runbooks are chosen by what they fix here now; one that would not help says why."""

import msgspec

from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.facts import node_ref
from runbooks.runbook import Runbook
from runbooks.shelf import Catalog
from tests.probes.worlds import AT, healthy
from tests.tui.scripted import without_vxlan
from tests.tui.views.said import said
from tests.tui.wizards.plans import rolling
from tui.format import UNICODE
from tui.views.runbooks import ERROR, Fit, Wanted, fits, runbook_blocks, runbooks

BOOK = rolling()
OTHER = msgspec.structs.replace(
    BOOK, name="other", fixes=("mtu-headroom-low",), leaves={"vxlan-link-missing": "it sets MTUs and makes no device"}
)
NARROW = msgspec.structs.replace(BOOK, name="narrow", fixes=("peer-fdb-missing",))
SHELF = Catalog({each.name: each for each in (OTHER, BOOK, NARROW)}, ("/x/own.yaml:3: 'steps' is missing",))
SAMWISE = node_ref("samwise")


def found(snapshot: Snapshot, ref: object = None, code: str = "") -> dict[str, Fit]:
    return {fit.runbook.name: fit for fit in fits(SHELF, diagnose(snapshot), Wanted(ref, code))}  # type: ignore[arg-type]


def test_a_finding_is_fixed_by_the_runbooks_that_name_its_code() -> None:
    """The first is the one that fixes it; of the others each says why it would not help."""
    made = found(without_vxlan(healthy()), SAMWISE, "vxlan-link-missing")
    assert next(iter(made)) == BOOK.name
    assert made[BOOK.name].rank == 0
    assert made[BOOK.name].here == ("vxlan-link-missing samwise",)
    assert made["narrow"].rank == 2
    assert made["narrow"].reason == "it does not clear vxlan-link-missing"
    assert made["other"].reason == "vxlan-link-missing: it sets MTUs and makes no device"


def test_a_symptom_is_repaired_where_its_cause_is() -> None:
    """What no runbook fixes by itself leads to those that fix what explains it."""
    made = found(without_vxlan(healthy()), SAMWISE, "vxlan-port-not-listening")
    assert made[BOOK.name].rank == 1
    assert made[BOOK.name].here == ("vxlan-link-missing samwise",)


def test_a_node_is_repaired_by_what_fixes_any_of_its_findings() -> None:
    """From a node every finding about it counts, also as the other end; from one that is in none nothing does."""
    assert found(without_vxlan(healthy()), SAMWISE)["narrow"].rank == 0
    assert found(without_vxlan(healthy()), node_ref("theoden"))["narrow"].rank == 0
    assert found(without_vxlan(healthy()), node_ref("elsewhere"))["narrow"].rank == 2


def test_where_nothing_is_found_no_runbook_claims_to_help() -> None:
    """On a healthy cluster each says that nothing it fixes is found."""
    made = found(healthy())
    assert {fit.rank for fit in made.values()} == {3}
    assert made[BOOK.name].reason == "nothing that it fixes is found now"


def test_a_runbook_that_cannot_be_used_is_listed_with_what_is_wrong() -> None:
    """Its file and line stand in the list; it cannot be opened."""
    listing = runbooks(SHELF, diagnose(healthy()), Wanted(), UNICODE)
    broken = next(item for item in listing.items if item.row.key.startswith(ERROR))
    assert broken.ref is None
    assert "/x/own.yaml:3: 'steps' is missing" in broken.text(AT)


def test_a_runbook_is_written_up_with_what_it_leaves() -> None:
    """What it fixes here, what it would leave, its steps and its file."""
    diagnosis = diagnose(without_vxlan(healthy()))
    text = said(runbook_blocks(found(without_vxlan(healthy()), SAMWISE)["other"], diagnosis, UNICODE))
    assert "would not help: vxlan-link-missing: it sets MTUs" in text
    assert "does not clear vxlan-link-missing samwise: it sets MTUs and makes no device" in text
    assert "restart k3s: flannel writes subnet.env" in text
    assert OTHER.file in text
    assert isinstance(BOOK, Runbook)
