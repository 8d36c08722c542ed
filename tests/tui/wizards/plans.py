"""Plans of the catalog's rolling restart over clusters of the tests."""

from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis
from runbooks.plan import Plan, plan
from runbooks.runbook import Runbook
from runbooks.shelf import catalog
from tests.probes.worlds import AT, healthy
from tests.tui.scripted import without_vxlan


def rolling() -> Runbook:
    return catalog().runbooks["k3s-rolling-restart"]


def broken() -> Snapshot:
    """Take flannel.1 away from samwise."""
    return without_vxlan(healthy())


def judged() -> Diagnosis:
    return diagnose(broken())


def planned(**given: str) -> Plan:
    return plan(rolling(), given, judged(), run="0101-001640-beef", now=AT)
