"""A plan is exact: which step, where, what is sent, what it clears and what it does not."""

import msgspec
import pytest

from probes.model.flux import ObjectRef
from probes.model.kube import FlannelAnnotations
from probes.rules.finding import Finding, Severity
from runbooks.actions import RestartUnit, Run, WriteFile
from runbooks.facts import Found
from runbooks.parameters import PlanError
from runbooks.plan import Plan, plan, run_name
from runbooks.shelf import catalog
from tests.probes.worlds import AT, with_network, with_node
from tests.runbooks.worlds import diagnosis, runbook, running, with_servers

ROLLING = catalog().runbooks["k3s-rolling-restart"]
NODES = "parameters:\n  nodes: {type: nodes, from: found-nodes, about: which}\n"


def made(**changes: object) -> Plan:
    given = {"given": {}, "diagnosis": diagnosis(), "run": "1125-000000-abcd", "now": AT, **changes}
    return plan(ROLLING, given.pop("given"), given.pop("diagnosis"), **given)  # type: ignore[arg-type]


def test_the_order_is_agents_then_servers_then_the_leader() -> None:
    """Agents come first; of the servers, the one we reach the API by late, the leader of etcd last."""
    names = ("boromir", "samwise", "theoden", "faramir")
    snapshot = with_servers(running(names), ("boromir", "samwise", "faramir"))
    snapshot = msgspec.structs.replace(snapshot, server="https://192.0.2.14:6443")
    planned = made(diagnosis=diagnosis(snapshot), found=Found(etcd_leader="boromir"))
    assert planned.nodes == ("theoden", "samwise", "faramir", "boromir")


def test_an_operators_order_is_kept_and_told() -> None:
    """Nodes that were named are taken as they were named, with a word about the usual order."""
    planned = made(given={"nodes": "boromir,samwise"})
    assert planned.nodes == ("boromir", "samwise")
    assert any("the order is yours" in each for each in planned.warnings)
    assert made(given={"nodes": "all"}).warnings == ()


def test_every_step_is_exact() -> None:
    """The argv, the line to type, the node's name to confirm, the conditions and their times."""
    step = made(given={"nodes": "samwise", "soak": "2s"}).steps[0]
    assert isinstance(step.action, RestartUnit)
    assert step.action.argv == ("systemctl", "restart", "k3s")
    assert step.by_hand == ("ssh samwise 'sudo systemctl restart k3s'",)
    assert step.typed == "samwise"
    assert step.id == "01-restart-unit-samwise"
    assert step.gate is not None
    assert (step.gate.timeout, step.gate.soak) == (600, 2)
    assert {each.node for each in step.gate.conditions} == {"samwise", ""}
    assert [each.kind for each in step.before] == ["quorum"]


def test_a_plan_is_pure_and_can_be_kept() -> None:
    """The same in, the same out; written to a journal and read back it is the same."""
    assert made() == made()
    assert msgspec.json.decode(msgspec.json.encode(made()), type=Plan) == made()


def test_what_is_cleared_and_what_is_not_is_said() -> None:
    """A missing subnet.env goes with the restart; a wrong flannel.1 does not, and the plan says what does it."""
    snapshot = with_network(running(), "samwise", subnet_env=None)
    links = tuple(
        msgspec.structs.replace(link, mtu=1400) if link.ifname == "flannel.1" else link
        for link in snapshot.networks["theoden"].links or ()
    )
    planned = made(diagnosis=diagnosis(with_network(snapshot, "theoden", links=links)))
    assert planned.clears == ("subnet-env-missing samwise",)
    left = {each.finding: each.reason for each in planned.leaves}
    assert "mtu-change" in left["flannel-mtu-mismatch theoden"]
    assert planned.findings


def test_outages_that_nobody_can_avoid_are_consented_to() -> None:
    """A single server: the API goes. Wireguard: traffic goes. Three servers and agents: nothing goes."""
    assert "only server" in made().consents[0]
    assert made(given={"nodes": "samwise"}).consents == ()
    names = ("boromir", "samwise", "theoden")
    assert made(diagnosis=diagnosis(with_servers(running(), names))).consents == ()
    two = made(diagnosis=diagnosis(with_servers(running(), names[:2])))
    assert "loses its quorum" in two.consents[0]
    snapshot = with_node(running(), "samwise", flannel=FlannelAnnotations("wireguard", public_key="x", managed=True))
    assert "wireguard-native" in made(diagnosis=diagnosis(snapshot), given={"nodes": "samwise"}).consents[0]


def test_what_is_not_known_makes_no_plan() -> None:
    """A fact that the plan rests on and nobody knows is an error with the step's line, not a guess."""
    snapshot = with_network(running(), "samwise", unit=None)
    with pytest.raises(PlanError, match=r"k3s-rolling-restart\.yaml:[0-9]+: the unit of samwise is not known"):
        made(diagnosis=diagnosis(snapshot))


def test_the_baseline_is_how_it_stands_now() -> None:
    """What was broken before the run is noted, so that the run is not blamed for it."""
    planned = made(diagnosis=diagnosis(with_network(running(), "samwise", subnet_env=None)))
    assert planned.baseline["subnet-env samwise"].state == "waiting"
    assert planned.baseline["subnet-env theoden"].state == "held"
    assert "path-mtu samwise" not in planned.baseline


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "/etc", "a/b", "samwise; reboot", "$(reboot)", "-oProxyCommand=x", "samwise\n", "unknown"]
)
def test_a_node_is_one_that_there_is(name: str) -> None:
    """A path, an option, a command or a stranger is no node."""
    text = "parameters:\n  node: {type: node, about: x}\n  word: {type: text, about: x, optional: true}\n"
    with pytest.raises(PlanError, match="no node"):
        plan(
            runbook("  - cordon: {node: '${node}'}\n    why: x\n", text),
            {"node": name.strip() if name != "samwise\n" else "sam wise"},
            diagnosis(),
            run="r",
            now=AT,
        )


@pytest.mark.parametrize("value", ["; reboot", "$(reboot)", "`reboot`", "a b", "it's", "${node}", "a|b>c"])
def test_metacharacters_stay_one_argument(value: str) -> None:
    """What an operator gives is one argument, quoted where a shell would read it; a hole in it stays text."""
    head = "parameters:\n  word: {type: text, about: x}\n"
    book = runbook("  - run: {node: boromir, argv: [echo, '${word}']}\n    why: x\n    gate: {must: [api]}\n", head)
    step = plan(book, {"word": value}, diagnosis(), run="r", now=AT).steps[0]
    assert isinstance(step.action, Run)
    assert step.action.argv == ("echo", value.strip())
    import shlex  # noqa: PLC0415

    assert shlex.split(shlex.split(step.by_hand[0])[2]) == ["sudo", "echo", value.strip()]


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("int", "1e3", "no whole number"),
        ("int", "70000", "out of range"),
        ("seconds", "soon", "no time"),
        ("path", "etc/x", "no plain absolute path"),
        ("path", "/etc/../x", "no plain absolute path"),
        ("path", "/etc/$(x)", "no plain absolute path"),
        ("host", "a b", "neither a host"),
        ("url", "https://u:p@h/", "without a password"),
        ("url", "file:///etc", "no http"),
        ("text", "-rf", "begins with a hyphen"),
        ("text", "a\x1b[2J", "cannot be shown"),
        ("bool", "maybe", "neither yes nor no"),
        ("object", "GitRepository", "write KIND/NAMESPACE/NAME"),
        ("object", "Git/../x/y", "write KIND/NAMESPACE/NAME"),
    ],
)
def test_parameters_are_held_to_their_type(kind: str, value: str, said: str) -> None:
    """What is no value of the type is refused in one sentence."""
    head = f"parameters:\n  it: {{type: {kind}, about: x, most: 65535}}\n"
    with pytest.raises(PlanError, match=said):
        plan(runbook("  - note: x\n", head), {"it": value}, diagnosis(), run="r", now=AT)


def test_defaults_come_from_the_diagnosis() -> None:
    """Nodes of the findings that the runbook fixes; with none there is nothing to do, and it says so."""
    book = runbook(
        "  - for-each: node\n    of: nodes\n    steps:\n      - cordon: {node: '${node}'}\n        why: x\n",
        "fixes: [subnet-env-missing]\n" + NODES,
    )
    found = diagnosis(with_network(running(), "theoden", subnet_env=None))
    assert plan(book, {}, found, run="r", now=AT).nodes == ("theoden",)
    with pytest.raises(PlanError, match="nothing that mine fixes is found now"):
        plan(book, {}, diagnosis(), run="r", now=AT)
    with pytest.raises(PlanError, match="has no parameter 'colour'"):
        plan(book, {"colour": "red"}, found, run="r", now=AT)


def test_facts_and_the_runs_name_come_in() -> None:
    """A file's content takes a node's facts, what its host has set, and the run's name."""
    book = runbook(
        "  - for-each: node\n    of: nodes\n    steps:\n"
        "      - write-file:\n          node: '${node}'\n          path: /etc/x-${node.uplink}.conf\n"
        '          content: "MTU=${node.overlay-mtu-expected} ${node.host.by} ${run}\\n"\n        why: x\n',
        "fixes: [subnet-env-missing]\n" + NODES,
    )
    step = plan(
        book, {"nodes": "samwise"}, diagnosis(), run="r-1", now=AT, found=Found({"samwise": {"by": "netplan"}})
    ).steps[0]
    assert isinstance(step.action, WriteFile)
    assert (step.action.path, step.action.content) == ("/etc/x-eth0.conf", "MTU=1450 netplan r-1\n")
    assert step.typed == ""


def test_a_runs_name_sorts_by_time_and_is_unlike_others() -> None:
    """Its parts are fit for a unit's and a file's name."""
    assert run_name(0.0, 0x7F3A) == "0101-000000-7f3a"


def test_what_a_cleared_finding_explains_goes_with_it() -> None:
    """What it explains is told with its cause; where the runbook says why it stays, or it is found elsewhere, not."""

    def found(code: str, *symptoms: Finding) -> Finding:
        return Finding(code, Severity.CRITICAL, ObjectRef("Node", "", "samwise"), code, symptoms=symptoms)

    port, stale, clock = found("vxlan-port-not-listening"), found("pod-mtu-stale"), found("uplink-mtu-differs")
    findings = (found("vxlan-link-missing", port, stale, clock), clock)
    planned = made(diagnosis=msgspec.structs.replace(diagnosis(), findings=findings))
    assert planned.clears == ("vxlan-link-missing samwise",)
    assert [(each.finding.split()[0], each.cause, each.reason[:12]) for each in planned.leaves] == [
        ("vxlan-port-not-listening", "vxlan-link-missing samwise", "explained by"),
        ("pod-mtu-stale", "", "running pods"),
        ("uplink-mtu-differs", "", "nothing in t"),
    ]
