"""kube-proxy's share: addresses of Services led to the pods behind them, in the kernel's nat table."""

from typing import Any

from . import kernel
from .api import Api
from .settings import Settings

CHAIN = "KUBE-SERVICES"
NAT = ("iptables", "-w", "-t", "nat")
COMMENT = ("-m", "comment", "--comment", "kubernetes service portals")
# A pod's answer to a pod on the same bridge must pass the nat table as well (k3s sets this at start).
BRIDGE_SYSCTL = "net.bridge.bridge-nf-call-iptables=1"


class Services:
    """The nat rules of all Services, written anew when an Endpoints object changes."""

    def __init__(self, settings: Settings) -> None:
        self._access = settings.access
        self._written: list[str] = []

    def follow(self) -> None:
        """Watch Endpoints; never returns, raises ApiError when the API goes away."""
        kernel.run(("sysctl", "-qw", BRIDGE_SYSCTL), check=False)
        api = Api(self._access)
        while True:
            endpoints: dict[tuple[str, str], dict[str, Any]] = {}
            for kind, item in api.watch("/api/v1/endpoints"):
                for each in item["items"] if kind == "LISTED" else [item]:
                    key = (each["metadata"]["namespace"], each["metadata"]["name"])
                    endpoints[key] = each
                    if kind == "DELETED":
                        del endpoints[key]
                self._write(api.request("GET", "/api/v1/services")["items"], endpoints)

    def _write(self, services: list[dict[str, Any]], endpoints: dict[tuple[str, str], dict[str, Any]]) -> None:
        rules: list[str] = []
        for service in sorted(services, key=lambda each: str(each["metadata"]["uid"])):
            key = (service["metadata"]["namespace"], service["metadata"]["name"])
            rules += service_rules(service, endpoints.get(key, {}))
        if rules == self._written:
            return
        # One transaction: declaring the chain empties it.
        text = "\n".join(("*nat", f":{CHAIN} - [0:0]", *rules, "COMMIT", ""))
        kernel.run(("iptables-restore", "-w", "--noflush"), text=text)
        for hook in ("PREROUTING", "OUTPUT"):
            jump = (hook, *COMMENT, "-j", CHAIN)
            try:
                kernel.run((*NAT, "-C", *jump))
            except kernel.CommandError:
                kernel.run((*NAT, "-I", *jump))
        self._written = rules


def service_rules(service: dict[str, Any], endpoints: dict[str, Any]) -> list[str]:
    """Rules of one Service with a cluster address: each port to one of its ready endpoints at random."""
    address = service["spec"].get("clusterIP")
    if not address or address == "None":
        return []
    rules = []
    for port in service["spec"].get("ports", []):
        protocol = port.get("protocol", "TCP").lower()
        targets = [
            f"{each['ip']}:{target['port']}"
            for subset in endpoints.get("subsets") or []
            for target in subset.get("ports", [])
            if target.get("name", "") == port.get("name", "")
            for each in subset.get("addresses", [])
        ]
        match = f"-A {CHAIN} -d {address}/32 -p {protocol} -m {protocol} --dport {port['port']}"
        for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
            share = f" -m statistic --mode random --probability {1 / left:.5f}" if left > 1 else ""
            rules.append(f"{match}{share} -j DNAT --to-destination {target}")
    return rules
