"""Probes on the testbed: what they cost in time, CPU and bytes, beside ping, tracepath and curl on the same way."""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Final

from tests.bench.timing import ROOT, Run, by_turns, report, run
from tests.testbed import roads, topology
from tests.testbed.cluster import Testbed, available

_WEB: Final = "web.outside.test"
_LARGE: Final = f"https://{_WEB}/large.bin"
_RUNS: Final = 5
_THREE: Final = ("--nodes", "boromir,samwise,theoden")
_MARKS: Final = ("namelookup", "connect", "appconnect", "starttransfer", "total")
"""curl's times, each counted from the beginning."""
_PHASES: Final = ("dns", "connect", "tls", "first-byte", "transfer")
"""Ours, each counted from the end of the one before: together they end where curl's marks stand."""
_APART: Final = 0.5
"""Share by which the medians of a phase may differ."""
_NOISE: Final = 0.02
"""Seconds that they may differ by whatever they are."""
_SILENT: Final = ("router", "OUTPUT", "-p", "icmp", "--icmp-type", "fragmentation-needed")


def main() -> None:
    """Bring up a testbed of five nodes, measure, print, take it down."""
    if reason := available():
        print(f"probes: not measured: {reason}")
        return
    testbed = Testbed(f"p{os.getpid()}", nodes=topology.MOST_NODES)
    with tempfile.TemporaryDirectory() as state:
        testbed.up(owner=os.getpid())
        try:
            os.environ |= {"SSL_CERT_FILE": str(testbed.ca), "XDG_STATE_HOME": state}
            _costs(testbed)
            _plan(testbed)
            _pairs(testbed)
            _peers(testbed)
            _phases(testbed)
        finally:
            testbed.down()


def _ours(testbed: Testbed, *argv: str) -> list[str]:
    where = ("--kubeconfig", str(testbed.kubeconfig), "--ssh-config", str(testbed.ssh_config), "-o", "json")
    return testbed.operator_command([sys.executable, "-m", "tui", "probe", *argv, *where])


def _told(testbed: Testbed, *argv: str) -> list[dict[str, object]]:
    """Run a probe for what it finds."""
    done = subprocess.run(_ours(testbed, *argv), cwd=ROOT, capture_output=True, check=False, timeout=120)
    results: list[dict[str, object]] = json.loads(done.stdout)["results"]
    return results


def _counted(testbed: Testbed) -> int:
    """Bytes that all nodes have sent and received on their uplinks."""
    total = 0
    for node in testbed.nodes:
        argv = testbed.fabric.inside(node.name, ("ip", "-j", "-s", "link", "show", "eth0"))
        stats = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout)[0]["stats64"]
        total += stats["rx"]["bytes"] + stats["tx"]["bytes"]
    return total


def _cost(testbed: Testbed, title: str, *argv: str) -> Run:
    """Print what a probe costs; the bytes are those of all nodes' uplinks."""
    before = _counted(testbed)
    took = run(_ours(testbed, *argv), allowed=(0, 1, 2, 3))
    sent = (_counted(testbed) - before) / 1024
    print(f"probe {title}: wall {took.wall:5.2f} s   cpu {took.cpu:5.2f} s   {sent:8.0f} KiB", flush=True)
    return took


def _costs(testbed: Testbed) -> None:
    """Print what each kind costs from three nodes and their pods."""
    kinds: Sequence[tuple[str, ...]] = (
        *(("pmtu",), ("ping",), ("mesh",), ("tcp", f"http://{_WEB}/large.bin")),
        *(("tls", _WEB), ("http", _LARGE), ("dns", _WEB)),
    )
    for kind in kinds:
        _cost(testbed, f"{kind[0]:<5} 6 vantages", *kind, "--from", "node,pod", *_THREE)


def _plan(testbed: Testbed) -> None:
    """Run the whole default plan from operator, three nodes and their pods; then where no resolver answers."""
    _cost(testbed, "plan default, 7 vantages (aim 30 s)", "plan", *_THREE)
    with roads.dropping(testbed, "world", "INPUT", "-p", "udp", "--dport", "53"):
        _cost(testbed, "plan default, no resolver answers (aim 30 s)", "plan", *_THREE)


def _pairs(testbed: Testbed) -> None:
    """Search 100 paths: from nodes and pods to each other and outside; clean, and where pods lose without a word."""
    places = [each for each in _told(testbed, "pmtu", "--from", "node,pod") if each["kind"] in {"node", "pod"}]
    targets = sorted({str(each["way"]["address"]) for each in places})  # type: ignore[index]
    targets += [_WEB, "git.outside.test", "registry.outside.test", "192.0.2.1", "198.51.100.1"]
    roads.forget(testbed)
    argv = ("pmtu", *targets, "--from", "node,pod")
    count = len(_told(testbed, *argv))
    _cost(testbed, f"pmtu  {count} pairs, clean (aim 20 s)", *argv)
    with roads.narrow_routes(testbed, 1400), roads.dropping(testbed, "lan", "FORWARD", "-f"):
        _cost(testbed, f"pmtu  {count} pairs, fragments dropped (aim 20 s)", *argv)


def _by_hand(testbed: Testbed, node: str, *argv: str) -> list[str]:
    return testbed.operator_command(["ssh", "-F", str(testbed.ssh_config), node, shlex.join(argv)])


def _each(testbed: Testbed, *argv: str) -> list[str]:
    """Give what an operator does by hand on three nodes: one after the other."""
    lines = [
        shlex.join(["ssh", "-F", str(testbed.ssh_config), node.name, shlex.join(argv)]) for node in testbed.nodes[:3]
    ]
    return testbed.operator_command(["sh", "-c", "; ".join(lines)])


def _peers(testbed: Testbed) -> None:
    """Hold one vantage, and three, against the tool that an operator would use there by hand."""
    node = testbed.nodes[0].name
    one, three = ("--nodes", node, "--from", "node"), (*_THREE, "--from", "node")
    trace = ("tracepath", "-n", "-m", "8", _WEB)
    loop = ("sh", "-c", f"for v in 1.1 2; do curl -sS -o /dev/null --http$v -r 0-131071 {_LARGE}; done")
    pairs = (
        ("ping HOST against ping of two sizes", ("ping", _WEB, *one), _by_hand(testbed, node, "sh", "-c", _pings())),
        ("pmtu HOST against tracepath", ("pmtu", _WEB, *one), _by_hand(testbed, node, *trace)),
        ("pmtu HOST from 3 nodes against 3 tracepaths", ("pmtu", _WEB, *three), _each(testbed, *trace)),
        ("http URL against curl by both versions", ("http", _LARGE, "-n", "1", *one), _by_hand(testbed, node, *loop)),
        ("http URL from 3 nodes against 3 of these", ("http", _LARGE, "-n", "1", *three), _each(testbed, *loop)),
    )
    for title, ours, theirs in pairs:
        report(f"probe {title}", "wall 1", *by_turns(_ours(testbed, *ours), theirs, _RUNS))
    _say_mtu(testbed, node)
    with roads.narrow(testbed, "router", "eth1", 1400), roads.dropping(testbed, *_SILENT):
        title = "probe pmtu HOST against tracepath, large packets lost without a word"
        report(title, "wall 1", *by_turns(_ours(testbed, "pmtu", _WEB, *one), _by_hand(testbed, node, *trace), 2))
        _say_mtu(testbed, node)


def _say_mtu(testbed: Testbed, node: str) -> None:
    found = [
        (each["outcome"], each["sizes"]) for each in _told(testbed, "pmtu", _WEB, "--nodes", node, "--from", "node")
    ]
    argv = _by_hand(testbed, node, "tracepath", "-n", "-m", "8", _WEB)
    said = subprocess.run(argv, capture_output=True, check=False, timeout=60).stdout.decode().strip().splitlines()
    print(f"    ours {found}, tracepath: {said[-1].strip()}", flush=True)


def _phases(testbed: Testbed) -> None:
    """Hold the phases that we tell of a transfer against those that curl tells of the same one; they have to agree."""
    node = testbed.nodes[0].name
    marks = " ".join(f"%{{time_{name}}}" for name in _MARKS)
    asked = f"for n in 1 2 3 4 5; do curl -sS -o /dev/null --http2 -r 0-131071 -w '{marks}\\n' {_LARGE}; done"
    done = subprocess.run(
        _by_hand(testbed, node, "sh", "-c", asked), capture_output=True, check=True, timeout=60, text=True
    )
    theirs = [
        statistics.median(map(float, column)) for column in zip(*map(str.split, done.stdout.splitlines()), strict=True)
    ]
    results = _told(testbed, "http", _LARGE, "-n", "5", "--nodes", node, "--from", "node")
    tries: list[dict[str, dict[str, float]]] = results[0]["attempts"]  # type: ignore[assignment]
    spent = [each["seconds"] for each in tries if each["variant"] == "HTTP/2"]  # type: ignore[comparison-overlap]
    sums = [[sum(each[name] for name in _PHASES[: place + 1]) for each in spent] for place in range(len(_PHASES))]
    ours = [statistics.median(each) for each in sums]
    print("phases of one transfer, ms from its beginning (medians of 5):")
    for name, values in (("ours", ours), ("curl", theirs)):
        told = "   ".join(f"{mark} {value * 1000:6.1f}" for mark, value in zip(_MARKS, values, strict=True))
        print(f"    {name:<5} {told}")
    for mark, a, b in zip(_MARKS, ours, theirs, strict=True):
        if abs(a - b) > max(_NOISE, _APART * b):
            raise SystemExit(f"{mark}: ours says {a:.3f} s and curl {b:.3f} s of the same transfer")


def _pings() -> str:
    return f"ping -n -q -c 20 -i 0.2 {_WEB} & ping -n -q -c 20 -i 0.2 -M do -s 1472 {_WEB} & wait"


if __name__ == "__main__":
    main()
