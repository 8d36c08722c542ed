"""Probes on the testbed: what they cost in time, CPU and bytes, beside ping, tracepath and curl on the same way."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence

from tests.bench.timing import ROOT, by_turns, report, run
from tests.testbed.cluster import Testbed, available

_WEB = "web.outside.test"
_RUNS = 5


def main() -> None:
    """Bring up a testbed, measure, print, take it down."""
    if reason := available():
        print(f"probes: not measured: {reason}")
        return
    testbed = Testbed(f"p{os.getpid()}")
    testbed.up(owner=os.getpid())
    try:
        os.environ["SSL_CERT_FILE"] = str(testbed.ca)
        _costs(testbed)
        _peers(testbed)
    finally:
        testbed.down()


def _ours(testbed: Testbed, *argv: str) -> list[str]:
    where = ("--kubeconfig", str(testbed.kubeconfig), "--ssh-config", str(testbed.ssh_config), "-o", "json")
    return testbed.operator_command([sys.executable, "-m", "tui", "probe", *argv, *where])


def _counted(testbed: Testbed) -> int:
    """Bytes that all nodes have sent and received on their uplinks."""
    total = 0
    for node in testbed.nodes:
        argv = testbed.fabric.inside(node.name, ("ip", "-j", "-s", "link", "show", "eth0"))
        stats = json.loads(subprocess.run(argv, capture_output=True, check=True, timeout=20).stdout)[0]["stats64"]
        total += stats["rx"]["bytes"] + stats["tx"]["bytes"]
    return total


def _costs(testbed: Testbed) -> None:
    """Print what each kind costs from three nodes and their pods; the bytes are those of all nodes' uplinks."""
    large = f"https://{_WEB}/large.bin"
    kinds: Sequence[tuple[str, ...]] = (
        *(("pmtu",), ("ping",), ("mesh",), ("tcp", f"http://{_WEB}/large.bin")),
        *(("tls", _WEB), ("http", large), ("dns", _WEB)),
    )
    for kind in kinds:
        before = _counted(testbed)
        took = run(_ours(testbed, *kind, "--from", "node,pod"), allowed=(0, 1, 2, 3))
        sent = (_counted(testbed) - before) / 1024
        print(f"probe {kind[0]:<5} 6 vantages: wall {took.wall:5.2f} s   cpu {took.cpu:5.2f} s   {sent:8.0f} KiB")


def _peers(testbed: Testbed) -> None:
    """Hold one vantage against the tool that an operator would use there by hand."""
    node = testbed.nodes[0].name

    def by_hand(*argv: str) -> list[str]:
        return testbed.operator_command(["ssh", "-F", str(testbed.ssh_config), node, shlex.join(argv)])

    where = ("--nodes", node, "--from", "node")
    url = f"https://{_WEB}/large.bin"
    loop = f"for v in 1.1 2; do curl -sS -o /dev/null --http$v -r 0-131071 {url}; done"
    pairs = (
        ("probe pmtu HOST against tracepath", ("pmtu", _WEB), ("tracepath", "-n", "-m", "8", _WEB)),
        ("probe ping HOST against ping of two sizes", ("ping", _WEB), ("sh", "-c", _pings())),
        ("probe http URL against curl by both versions", ("http", url, "-n", "1"), ("sh", "-c", loop)),
    )
    for title, ours, theirs in pairs:
        report(
            title, "none: a status comes with ours", *by_turns(_ours(testbed, *ours, *where), by_hand(*theirs), _RUNS)
        )
    done = subprocess.run(_ours(testbed, "pmtu", _WEB, *where), cwd=ROOT, capture_output=True, check=False, timeout=60)
    found = [each["sizes"]["mtu"] for each in json.loads(done.stdout)["results"]]
    said = subprocess.run(by_hand("tracepath", "-n", "-m", "8", _WEB), capture_output=True, check=False, timeout=60)
    print(f"    path MTU: ours {found}, tracepath: {said.stdout.decode().strip().splitlines()[-1].strip()}")


def _pings() -> str:
    return f"ping -n -q -c 20 -i 0.2 {_WEB} & ping -n -q -c 20 -i 0.2 -M do -s 1472 {_WEB} & wait"


if __name__ == "__main__":
    main()
