"""Repairs on a real cluster: each action exactly once whatever dies, and nothing left behind.

Takes about five minutes: every line of it is a run against real systemd, sshd, kernel and API.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed import outages
from tests.testbed.cluster import Testbed
from tests.testbed.repairs import CONTEXT, Operator, invocation, left_in_api, left_on, starts, wait, writes

pytestmark = pytest.mark.testbed

ROLLING = "k3s-rolling-restart"
AGENTS = ("samwise", "theoden")
SHORT = ("--set", "soak=1s", "--unlock", CONTEXT)
TWO = ("--node", ",".join(AGENTS), "--unlock", CONTEXT)
QUICK = """\
name: quick
title: Restart k3s on some nodes, verified by what the node itself shows
parameters:
  nodes: {type: nodes, from: all-nodes, about: which}
  patience: {type: seconds, default: 60s, about: how long a node may take}
steps:
  - for-each: node
    of: nodes
    steps:
      - restart-unit: {node: "${node}", unit: "${node.unit}"}
        why: to see it happen exactly once
        gate: {timeout: "${patience}", must: [unit-restarted, unit-stable, node-ready, peers-complete, peers-towards]}
"""


CAREFUL = """\
name: careful
title: Restart k3s on one node that takes no pods meanwhile
parameters:
  node: {type: node, about: which}
steps:
  - cordon: {node: "${node}"}
    why: to see it happen exactly once, as all of this
  - restart-unit: {node: "${node}", unit: "${node.unit}"}
    why: likewise
    gate: {must: [unit-restarted, unit-stable, node-ready]}
  - uncordon: {node: "${node}"}
    why: likewise
    gate: {must: [schedulable]}
"""


TOUCHING = """\
name: touching
title: Touch a node in every way there is but a restart
parameters:
  node: {type: node, about: which}
steps:
  - set-link-mtu: {node: "${node}", ifname: flannel.1, mtu: 1400}
    why: to see it happen exactly once, as all of this
    gate: {must: [{link-mtu: {ifname: flannel.1, mtu: "1400"}}]}
  - write-file: {node: "${node}", path: /etc/underlay-test.conf, content: "it's $HOME; `x`\\n", mode: "0640"}
    why: likewise
  - annotate: {target: {kind: Node, name: "${node}"}, annotations: {underlay.test/seen: "${run}"}}
    why: likewise
  - remove-file: {node: "${node}", path: /etc/underlay-gone.conf}
    why: likewise
  - set-link-mtu: {node: "${node}", ifname: flannel.1, mtu: 1450}
    why: likewise
    gate: {must: [{link-mtu: {ifname: flannel.1, mtu: "1450"}}]}
"""


@pytest.fixture
def operator(testbed: Testbed, tmp_path: Path) -> Iterator[Operator]:
    """Give an operator; afterwards the cluster must be healthy and nothing of the run left."""
    made = Operator(testbed, tmp_path)
    made.write_runbook("quick", QUICK)
    made.write_runbook("careful", CAREFUL)
    made.write_runbook("touching", TOUCHING)
    yield made
    testbed.wait_healthy()
    assert left_in_api(testbed) == []
    assert {node.name: left_on(testbed, node.name) for node in testbed.nodes} == {
        node.name: [] for node in testbed.nodes
    }


def counts(bed: Testbed) -> dict[str, int]:
    return {node.name: starts(bed, node.name) for node in bed.nodes}


def grown(bed: Testbed, before: dict[str, int]) -> dict[str, int]:
    return {name: count - before[name] for name, count in counts(bed).items() if count != before[name]}


def test_a_rolling_restart_is_taken_from_plan_to_report(testbed: Testbed, operator: Operator) -> None:
    """Agents, then the server: each restarted once and verified; journal and report tell of it and of the API."""
    before = counts(testbed)
    answers = "testbed\nsamwise\ntheoden\nboromir\n"
    done = operator.run("run", ROLLING, *SHORT, answers=answers, seconds=180)
    assert done.returncode == 0, done.stdout + done.stderr
    assert grown(testbed, before) == {"boromir": 1, "samwise": 1, "theoden": 1}
    (run,) = operator.runs
    records = operator.journal(run)
    intended = [each["step"] for each in records if each["record"] == "intended"]
    assert [step[3:] for step in intended] == [f"restart-unit-{name}" for name in (*AGENTS, "boromir")]
    journal = operator.home / f"state/underlay/runs/{run}.jsonl"
    assert oct(journal.stat().st_mode & 0o777) == "0o600"
    report = operator.run("runs", "show", run).stdout
    assert report.startswith("# Restart k3s on every node")
    assert "the API answered all the time" in report or "the API did not answer" in report
    listed = json.loads(operator.run("runs", "list", "-o", "json").stdout)
    assert [(each["run"], each["end"]) for each in listed] == [(run, "completed")]


def test_killed_after_every_record_and_resumed_each_time(testbed: Testbed, operator: Operator) -> None:
    """A run that is killed after every single thing it notes, and resumed each time, does each action once."""
    before, began = counts(testbed), time.time()
    answers = "y\ny\nsamwise\ny\n"
    done = operator.run("run", "careful", "--node", "samwise", "--unlock", CONTEXT, answers=answers, die="new")
    (run,) = operator.runs
    deaths = 0
    while done.returncode == -9 and deaths < 60:
        deaths += 1
        done = operator.run("runs", "resume", run, "--unlock", CONTEXT, answers=answers, die="new")
    assert "is completed: there is nothing to resume" in done.stderr, done.stdout + done.stderr
    assert grown(testbed, before) == {"samwise": 1}
    assert [each["verb"] for each in writes(testbed, began) if "/nodes/samwise" in each["requestURI"]] == ["patch"] * 2
    intended = [each["step"][:2] for each in operator.journal(run) if each["record"] == "intended"]
    assert intended == ["01", "02", "03"]
    assert deaths >= 20


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_the_command_itself(testbed: Testbed, operator: Operator, when: str) -> None:
    """Killed just before or just after the command that starts the step's unit was sent: it happens once."""
    before = counts(testbed)
    done = operator.run("run", "quick", "--node", "samwise", "--unlock", CONTEXT, answers="y\nsamwise\n", die=when)
    assert done.returncode == -9
    (run,) = operator.runs
    if when == "after":
        wait(lambda: grown(testbed, before) == {"samwise": 1}, "the restart, which goes on by itself")
    done = operator.run("runs", "resume", run, "--unlock", CONTEXT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert grown(testbed, before) == {"samwise": 1}


def test_every_kind_of_step_on_a_node_happens_once(testbed: Testbed, operator: Operator) -> None:
    """Killed after each command was sent, before it was noted: each ran once, files are whole, what was is kept."""
    testbed.run_on("samwise", ("sh", "-c", "printf old >/etc/underlay-test.conf; printf gone >/etc/underlay-gone.conf"))
    answers = "y\nsamwise\ny\ny\ny\nsamwise\n"
    done = operator.run("run", "touching", "--node", "samwise", "--unlock", CONTEXT, answers=answers, die="after")
    (run,) = operator.runs
    deaths = 0
    while done.returncode == -9 and deaths < 10:
        deaths += 1
        left = answers_left(operator, run, answers)
        done = operator.run("runs", "resume", run, "--unlock", CONTEXT, answers=left, die="after")
    assert (done.returncode, deaths) == (0, 4), done.stdout + done.stderr
    lines = testbed.run_on("samwise", ("journalctl", "-q", "-o", "cat", "--no-pager")).stdout.splitlines()
    started = [line for line in lines if line.startswith(f"Starting underlay-{run}-")]
    assert len(started) == len(set(started)) == 4
    file = "/etc/underlay-test.conf"
    assert testbed.run_on("samwise", ("cat", file)).stdout == "it's $HOME; `x`\n"
    assert testbed.run_on("samwise", ("stat", "-c", "%a", file)).stdout == "640\n"
    kept = f"/var/lib/underlay/{run}/etc"
    assert (
        testbed.run_on("samwise", ("cat", f"{kept}/underlay-test.conf", f"{kept}/underlay-gone.conf")).stdout
        == "oldgone"
    )
    assert testbed.run_on("samwise", ("ls", "/etc/underlay-gone.conf"), check=False).returncode != 0
    testbed.run_on("samwise", ("rm", "-r", file, "/var/lib/underlay"))
    testbed.kubectl("annotate", "node", "samwise", "underlay.test/seen-")


def answers_left(operator: Operator, run: str, answers: str) -> str:
    """Leave out the answers that were given, by how many of them the journal has."""
    given = sum(each["record"] == "answered" for each in operator.journal(run))
    return "".join(f"{line}\n" for line in answers.splitlines()[given:])


def test_a_lost_connection_changes_nothing(testbed: Testbed, operator: Operator) -> None:
    """The node cut off as its step is sent: the run waits, says so, and finds that it happened, once."""
    before = counts(testbed)
    with operator.running("run", "quick", "--node", "samwise", "--unlock", CONTEXT) as running:
        running.answer("y", "samwise")
        running.until("step-acting")
        with outages.unplugged(testbed, "samwise"):
            time.sleep(4)  # the time that the node is away is what is tested
        assert running.end()["end"] == "completed"
    assert grown(testbed, before) == {"samwise": 1}


def test_an_api_that_is_away_changes_nothing(testbed: Testbed, operator: Operator) -> None:
    """The API down as a step is sent: nothing counts as verified until it is back; then all goes on, once."""
    before = counts(testbed)
    with operator.running("run", "quick", *TWO) as running:
        running.answer("y", "samwise", "theoden")
        running.until("step-acting")
        with outages.api_down(testbed):
            time.sleep(4)  # likewise
        ended = running.end()
    assert ended["end"] == "completed"
    assert "did not answer once" in ended["text"]
    assert grown(testbed, before) == {"samwise": 1, "theoden": 1}


def test_a_node_that_does_not_come_back_stops_the_roll(testbed: Testbed, operator: Operator) -> None:
    """k3s that starts no more: the gate stays shut, the run says where it is, and the next node is never touched."""
    before = counts(testbed)
    program = "/usr/local/bin/k3s"
    testbed.run_on("samwise", ("sh", "-c", f"cp {program} /root/k3s && printf '#!/bin/sh\\nexit 1\\n' >{program}"))
    try:
        done = operator.run("run", "quick", *TWO, "--set", "patience=8s", answers="y\nsamwise\ntheoden\np\n")
    finally:
        testbed.run_on("samwise", ("sh", "-c", f"mv /root/k3s {program}; systemctl reset-failed k3s-agent"))
        testbed.run_on("samwise", ("systemctl", "restart", "k3s-agent"))
    assert done.returncode == 1, done.stdout
    said = " ".join(done.stdout.split())
    assert "paused" in said
    assert "no further step was begun" in said
    assert "theoden" not in grown(testbed, before)
    testbed.wait_healthy()
    (run,) = operator.runs
    done = operator.run("runs", "abort", run, "--unlock", CONTEXT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "theoden" not in grown(testbed, before)


def test_two_operators_at_once(testbed: Testbed, operator: Operator, tmp_path: Path) -> None:
    """One proceeds; the other is told who holds the lock and does nothing; a dead holder's lock is taken over."""
    other = Operator(testbed, tmp_path / "other")
    other.write_runbook("quick", QUICK)
    before = counts(testbed)
    with operator.running("run", "quick", "--node", "samwise", "--unlock", CONTEXT) as running:
        running.answer("y")
        running.until("step-begun")
        refused = other.run("run", "quick", "--node", "theoden", "--unlock", CONTEXT, answers="y\ntheoden\n")
        assert refused.returncode == 3, refused.stdout
        (held_by,) = operator.runs
        assert f"{held_by} " in " ".join(refused.stdout.split()), refused.stdout
        running.process.kill()
    done = other.run("run", "quick", "--node", "theoden", "--unlock", CONTEXT, answers="y\ntheoden\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert grown(testbed, before) == {"theoden": 1}
    assert operator.run("runs", "abort", held_by, "--unlock", CONTEXT).returncode == 1


def test_without_unlock_nothing_is_written(testbed: Testbed, operator: Operator) -> None:
    """A plan, a run without --unlock, one for another context, a resume: no write to the API, nothing on a node."""
    before, began = counts(testbed), time.time()
    assert operator.run("run", ROLLING, "--plan").returncode == 0
    locked = operator.run("run", ROLLING, answers="testbed\nsamwise\n")
    assert locked.returncode == 0
    assert "READ-ONLY" in locked.stdout
    wrong = operator.run("run", ROLLING, "--unlock", "production", answers="testbed\nsamwise\n")
    assert wrong.returncode == 3
    assert "production is not the context" in wrong.stderr
    assert operator.runs == []
    assert grown(testbed, before) == {}
    assert writes(testbed, began) == []


def test_a_plan_by_hand_is_the_same(testbed: Testbed, operator: Operator) -> None:
    """The commands that a plan shows, typed one by one, do what the run does."""
    told = json.loads(operator.run("run", "quick", "--node", "samwise", "--plan", "-o", "json").stdout)
    before, was = counts(testbed), invocation(testbed, "samwise")
    for step in told["steps"]:
        for line in step["by_hand"]:
            typed = line.replace("ssh ", f"ssh -F {testbed.ssh_config} ", 1)
            testbed.operator(("sh", "-c", typed))
    assert grown(testbed, before) == {"samwise": 1}
    assert invocation(testbed, "samwise") != was


SERVE = """
import socket
listening = socket.create_server(("", 7007))
peer, _ = listening.accept()
while data := peer.recv(65536):
    peer.sendall(data)
"""
TALK = """
import socket, sys, time
wire = socket.create_connection((sys.argv[1], 7007), timeout=20)
wire.settimeout(20)
began, rounds, longest = time.monotonic(), 0, 0.0
print("talking", flush=True)
while not (rounds % 20 == 0 and sys.stdin in __import__("select").select([sys.stdin], [], [], 0)[0]):
    sent = time.monotonic()
    wire.sendall(b"x" * 1000)
    got = 0
    while got < 1000:
        data = wire.recv(65536)
        if not data:
            sys.exit("the connection ended")
        got += len(data)
    longest = max(longest, time.monotonic() - sent)
    rounds += 1
    time.sleep(0.02)
print(rounds, round(longest, 3), flush=True)
"""


def test_connections_of_pods_survive_a_rolling_restart(testbed: Testbed, operator: Operator) -> None:
    """One TCP connection between pods of two nodes carries on through the restart of both and of the server."""
    pods = {name: testbed.run_on(name, ("ls", "/run/netns")).stdout.split()[0] for name in AGENTS}
    shown = testbed.run_on("theoden", ("ip", "-n", pods["theoden"], "-j", "addr", "show", "dev", "eth0")).stdout
    address = next(each["local"] for each in json.loads(shown)[0]["addr_info"] if each["family"] == "inet")

    def inside(node: str, text: str, *argv: str) -> "subprocess.Popen[str]":
        command = ("ip", "netns", "exec", pods[node], "python3", "-c", text, *argv)
        line = testbed.machines.inside(node, command)
        return subprocess.Popen(
            line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    with inside("theoden", SERVE) as serving:
        listens = ("ip", "netns", "exec", pods["theoden"], "ss", "-Hltn", "sport", "=", ":7007")
        wait(lambda: "7007" in testbed.run_on("theoden", listens).stdout, "the pod to listen")
        with inside("samwise", TALK, address) as talking:
            assert talking.stdout is not None
            assert talking.stdout.readline() == "talking\n"
            everybody = ",".join((*AGENTS, "boromir"))
            done = operator.run(
                *("run", "quick", "--node", everybody, "--unlock", CONTEXT),
                answers="testbed\nsamwise\ntheoden\nboromir\n",
            )
            said, _ = talking.communicate("enough\n", timeout=30)
        serving.kill()
    assert done.returncode == 0, done.stdout + done.stderr
    rounds, longest = said.split()
    assert int(rounds) > 100, said
    assert float(longest) < 5, said


KURED = """\
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: kured, namespace: kube-system, annotations:
{weave.works/kured-node-lock: '{"nodeID":"theoden"}'}}, spec: {selector: {matchLabels: {a: b}}, template:
{metadata: {labels: {a: b}}, spec: {nodeSelector: {no: where}, containers: [{name: a, image: b}]}}}}
"""
PLANS = """\
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: plans.upgrade.cattle.io}, spec:
{group: upgrade.cattle.io, scope: Namespaced, names: {kind: Plan, plural: plans, singular: plan}, versions:
[{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object,
x-kubernetes-preserve-unknown-fields: true}}}]}}
"""
PLAN = """\
---
{apiVersion: upgrade.cattle.io/v1, kind: Plan, metadata: {name: k3s, namespace: kube-system}, status:
{applying: [samwise]}}
"""


def test_who_else_is_rolling_is_not_disturbed(testbed: Testbed, operator: Operator, tmp_path: Path) -> None:
    """kured's lock, or a Plan that system-upgrade-controller applies: refused, with who and where, before anything."""
    argv = ("run", "quick", "--node", "samwise", "--unlock", CONTEXT)
    before, began = counts(testbed), time.time()
    kured, plans, plan = (tmp_path / name for name in ("kured.yaml", "plans.yaml", "plan.yaml"))
    for file, text in ((kured, KURED), (plans, PLANS), (plan, PLAN)):
        file.write_text(text)

    def applied(file: Path) -> None:
        wait(lambda: testbed.kubectl("apply", "-f", str(file), check=False).returncode == 0, f"{file.name} is there")

    for files, sentence in (
        ((kured,), "kured holds its lock for theoden"),
        ((plans, plan), "applying kube-system/k3s on samwise"),
    ):
        try:
            for file in files:
                applied(file)
            done = operator.run(*argv, answers="y\nsamwise\n")
        finally:
            for file in reversed(files):
                testbed.kubectl("delete", "-f", str(file), "--ignore-not-found", check=False)
        assert done.returncode == 3, done.stdout
        assert sentence in " ".join(done.stdout.split())
    assert grown(testbed, before) == {}
    assert writes(testbed, began) == []
