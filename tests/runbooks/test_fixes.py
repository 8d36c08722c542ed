"""What the catalog repairs is what findings name."""

from probes.rules.codes import RANK
from probes.rules.diagnose import Advice, diagnose
from runbooks.fixes import fixes
from runbooks.shelf import catalog
from tests.probes.rules.overlays import flat
from tests.probes.worlds import healthy, with_network


def test_the_quick_reading_is_the_strict_one() -> None:
    """Every runbook stands under every code that it fixes, by the catalog's own strict reading, and no other does."""
    strict: dict[str, set[str]] = {}
    for name, runbook in catalog().runbooks.items():
        for code in runbook.fixes:
            strict.setdefault(code, set()).add(name)
    assert {code: set(names) for code, names in fixes().items()} == strict
    assert strict.keys() <= RANK.keys()


def test_what_touches_only_what_is_broken_comes_first() -> None:
    """One node is repaired before all are gone through, as the list of runbooks offers them."""
    assert fixes()["vxlan-link-missing"] == ("restore-vxlan", "k3s-rolling-restart")
    found = catalog().runbooks
    for names in fixes().values():
        everywhere = [any(each.source == "all-nodes" for each in found[name].parameters) for name in names]
        assert everywhere == sorted(everywhere), names


def test_a_finding_names_its_runbooks() -> None:
    """A finding that the catalog repairs names how, wherever it is folded; others name none."""
    world = with_network(healthy(), "samwise", fdb=())
    advice = Advice(runbooks={"peer-fdb-missing": ("k3s-rolling-restart",)})
    named = {one.code: one.runbooks for one in flat(diagnose(world, advice=advice).findings)}
    assert named == {"peer-fdb-missing": ("k3s-rolling-restart",), "peer-one-way": ()}
    assert {one.runbooks for one in flat(diagnose(world).findings)} == {()}
