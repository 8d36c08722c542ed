"""The nodes as they were when all was well: saved once, put back after each fault without restarting anything.

A restart of k3s would put much of it right as well, but what lacks on a node whose k3s has just started is judged
leniently: every fault is to meet nodes that have been up for a while.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.cluster import Testbed
from tests.testbed.commands import run

DEVICE = "flannel.1"
DEVICES = {DEVICE: "-4", "flannel-v6.1": "-6"}
"""flannel's devices, the second of a dual-stack testbed only, each with its family."""
SUBNET_ENV = "/run/flannel/subnet.env"
OWN = ("lo", "eth0", "cni0", *DEVICES)


@dataclass(frozen=True)
class Entries:
    """What one of flannel's devices had: its addresses, and what leads to its peers."""

    addresses: tuple[str, ...]
    routes: tuple[dict[str, Any], ...]
    neighbors: tuple[dict[str, Any], ...]
    fdb: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class Saved:
    """What one node's kernel had: links by name, and the entries of flannel's devices."""

    links: dict[str, dict[str, Any]]
    devices: dict[str, Entries]
    files: dict[str, tuple[bytes, float] | None]

    @property
    def mac(self) -> str:
        """MAC of flannel.1."""
        return str(self.links[DEVICE]["address"])

    @property
    def mac_v6(self) -> str:
        """MAC of flannel-v6.1; empty where there is none."""
        return str(self.links.get("flannel-v6.1", {}).get("address", ""))


class Ground:
    """The nodes of one testbed."""

    def __init__(self, bed: Testbed) -> None:
        self.bed = bed
        self._machines = bed.machines
        self._leaders: dict[str, int] = {}
        self.saved = {node.name: self._save(node.name) for node in bed.nodes}

    def inside(self, node: str, argv: Sequence[str]) -> list[str]:
        """Give the command that runs `argv` on a node as root, past its sshd."""
        return ["nsenter", "-t", str(self._leader(node)), "-m", "-u", "-i", "-n", "-p", "--", *argv]

    def run(self, node: str, argv: Sequence[str], *, check: bool = True, text: str | None = None) -> str:
        """Run a program on a node; gives its standard output."""
        return run(self.inside(node, argv), check=check, text=text, timeout=20).stdout

    def path(self, node: str, name: str) -> Path:
        """Give the path of a node's file, its /run and /proc included."""
        return Path(f"/proc/{self._leader(node)}/root{name}")

    def _leader(self, node: str) -> int:
        pid = self._leaders.get(node)
        if pid is None or not Path(f"/proc/{pid}").exists():
            pid = self._machines.leader(node)
            assert pid is not None, f"{node} does not run"
            self._leaders[node] = pid
        return pid

    def _told(self, node: str, *argv: str) -> list[dict[str, Any]]:
        return [each for each in json.loads(self.run(node, argv) or "[]") if each]

    def _save(self, node: str) -> Saved:
        links = {each["ifname"]: each for each in self._told(node, "ip", "-j", "-d", "addr", "show")}
        return Saved(
            {name: link for name, link in links.items() if name in OWN},
            {name: self._entries(node, links[name]) for name in DEVICES if name in links},
            {SUBNET_ENV: self._content(node, SUBNET_ENV)},
        )

    def _entries(self, node: str, link: dict[str, Any]) -> Entries:
        device, family = link["ifname"], DEVICES[link["ifname"]]
        held = [f"{each['local']}/{each['prefixlen']}" for each in link["addr_info"]]
        routes = self._told(node, "ip", "-j", family, "route", "show", "dev", device)
        return Entries(
            tuple(each for each in held if not each.startswith("fe80")),
            tuple(each for each in routes if "gateway" in each),
            tuple(self._told(node, "ip", "-j", family, "neigh", "show", "dev", device, "nud", "permanent")),
            tuple(self._told(node, "bridge", "-j", "fdb", "show", "dev", device)),
        )

    def _content(self, node: str, name: str) -> tuple[bytes, float] | None:
        path = self.path(node, name)
        if not path.exists():
            return None
        return path.read_bytes(), path.stat().st_mtime

    def write(self, node: str, name: str, text: str | None, *, age: float | None = None) -> None:
        """Write a file of a node, or remove it; `restore` puts back what was there."""
        saved = self.saved[node].files
        if name not in saved:
            saved[name] = self._content(node, name)
        path = self.path(node, name)
        if text is None:
            path.unlink(missing_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if age is not None:
            moment = path.stat().st_mtime - age
            os.utime(path, (moment, moment))

    def restore(self, node: str) -> None:
        """Put back a node's devices, entries and files."""
        self._restore_files(node, self.saved[node])
        self.remake(node)

    def remake(self, node: str, **other: str) -> None:
        """Make flannel's devices and entries anew as they were, but for attributes given of flannel.1.

        They are those of `ip link help vxlan`.
        """
        saved = self.saved[node]
        present = {each["ifname"] for each in self._told(node, "ip", "-j", "link", "show")}
        kept = {*OWN, other.get("dev", "")}
        strange = {name for name in present if name not in kept and not name.startswith("veth")}
        lines = [f"link del {name}" for name in sorted(strange | (saved.devices.keys() & present))]
        lines += [f"link set {name} mtu {saved.links[name]['mtu']} up" for name in ("eth0", "cni0")]
        fdb = []
        for device, had in saved.devices.items():
            lines += list(_device(saved.links[device], other if device == DEVICE else {}))
            lines += [f"addr add {each} dev {device}" for each in had.addresses]
            lines.append(f"link set {device} up")
            lines += [
                f"neigh replace {n['dst']} lladdr {n['lladdr']} dev {device} nud permanent" for n in had.neighbors
            ]
            lines += [f"route replace {r['dst']} via {r['gateway']} dev {device} onlink" for r in had.routes]
            fdb += [f"fdb replace {e['mac']} dev {device} dst {e['dst']} self permanent" for e in had.fdb if "dst" in e]
        self.run(node, ("ip", "-batch", "-"), text="\n".join(lines) + "\n")
        self.run(node, ("bridge", "-batch", "-"), text="\n".join(fdb) + "\n")

    def _restore_files(self, node: str, saved: Saved) -> None:
        for name, kept in saved.files.items():
            path = self.path(node, name)
            if kept is None:
                path.unlink(missing_ok=True)
            elif self._content(node, name) != kept:
                path.write_bytes(kept[0])
                os.utime(path, (kept[1], kept[1]))


def _device(link: dict[str, Any], other: Mapping[str, str]) -> tuple[str, ...]:
    device, data = link["ifname"], link["linkinfo"]["info_data"]
    local = data.get("local") or data["local6"]
    wanted = {"id": data["id"], "local": local, "dev": data["link"], "dstport": data["port"], **other}
    made = f"{' '.join(f'{name} {value}' for name, value in wanted.items())} nolearning"
    return (
        f"link add {device} address {link['address']} mtu {link['mtu']} type vxlan {made}",
        f"link set {device} addrgenmode {link.get('inet6_addr_gen_mode', 'eui64')}",
    )
