"""Probes as their operator runs them on a testbed, and servers in its pods."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from probes.rules.codes import FAMILIES
from tests.testbed import underlay
from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError, wait_until

NODES = ("boromir", "samwise", "theoden")
WEB = "web.outside.test"


def probe(testbed: Testbed, *argv: str) -> tuple[int, dict[str, Any]]:
    """Run a probe to its end; gives exit status and document."""
    done: subprocess.CompletedProcess[str] = underlay.run(testbed, "probe", *argv, "-o", "json")
    assert done.stderr == "", done.stderr
    read: dict[str, Any] = json.loads(done.stdout)
    assert read["exit_status"] == done.returncode
    return done.returncode, read


def outcomes(read: dict[str, Any]) -> set[str]:
    """Give every outcome there is."""
    return {each["outcome"] for each in read["results"]}


_SERVER = """
import http.server, sys, threading
class Artifact(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "131072")
        self.end_headers()
        self.wfile.write(bytes(131072))
    def log_message(self, *said): pass
server = http.server.ThreadingHTTPServer(("", 9090), Artifact)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
_SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "source-controller", "namespace": "flux-system"},
    "spec": {
        "clusterIP": "10.43.0.90",
        "selector": {"app": "source-controller"},
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 9090}],
    },
}


@contextmanager
def artifacts(bed: Testbed, node: str = "samwise") -> Iterator[None]:
    """Serve artifacts in source-controller's pod, with the Service that Flux installs; ends with standard input."""
    asked = (
        "get",
        "pod",
        "-n",
        "flux-system",
        "-l",
        "app=source-controller",
        "-o",
        "jsonpath={.items[0].status.podIP}",
    )
    address = bed.kubectl(*asked).stdout
    names = [line.split()[0] for line in bed.run_on(node, ("ip", "netns", "list")).stdout.splitlines()]
    shown = {name: bed.run_on(node, ("ip", "-n", name, "-4", "addr", "show", "eth0")).stdout for name in names}
    netns = next(name for name, text in shown.items() if f"{address}/" in text)
    argv = bed.machines.inside(node, ("ip", "netns", "exec", netns, "python3", "-c", _SERVER))
    manifest = bed.folder / "artifacts.json"
    manifest.write_text(json.dumps(_SERVICE))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise TestbedError("artifacts are not served")
            bed.kubectl("create", "-f", str(manifest))
            wait_for_service(bed, "10.43.0.90/32")
            yield
        finally:
            bed.kubectl("delete", "-f", str(manifest), "--ignore-not-found")
            manifest.unlink()
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


def wait_for_service(bed: Testbed, address: str = "10.43.0.10/32") -> None:
    """Wait until every node leads a service to its pod; CoreDNS's unless told otherwise."""
    rules = ("iptables", "-t", "nat", "-S", "KUBE-SERVICES")

    def led() -> bool:
        return all(address in bed.run_on(node.name, rules).stdout for node in bed.nodes)

    wait_until(led, 60, f"the service {address} is led on")


def codes(read: dict[str, Any]) -> list[str]:
    """List what probes were found to show, whatever explains it."""

    def walk(findings: list[dict[str, Any]]) -> Iterator[str]:
        for each in findings:
            yield each["code"]
            yield from walk(each["symptoms"])

    known = {*FAMILIES["crossing"], *FAMILIES["egress"]}
    return [code for code in walk(read["findings"]) if code in known]
