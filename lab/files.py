"""The files of a node: /proc, /sys, /etc and what flannel and k3s leave, rendered from its state."""

import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from typing import Final

from lab.machine import NET_CONF, SUBNET_ENV, Machine
from lab.procnet import netstat, route, snmp, udp, udp6

_SYSCTLS = {
    "kernel/ostype": "Linux",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/ipv4/conf/all/rp_filter": "2",
    "net/ipv4/conf/default/rp_filter": "2",
    "net/ipv4/ip_forward": "1",
    "net/ipv4/ip_forward_use_pmtu": "0",
    "net/ipv4/ip_no_pmtu_disc": "0",
    "net/ipv4/ping_group_range": "0\t2147483647",
    "net/ipv4/route/mtu_expires": "600",
    "net/ipv4/tcp_base_mss": "1024",
    "net/ipv4/tcp_mtu_probing": "0",
    "net/ipv6/conf/all/disable_ipv6": "0",
    "net/ipv6/conf/all/forwarding": "0",
}


def text(machine: Machine, path: str) -> str:
    """Read a file; FileNotFoundError."""
    if path in machine.files:
        return machine.files[path].content
    if path == SUBNET_ENV and machine.overlay.subnet_env is not None:
        return machine.overlay.subnet_env.text()
    if path == NET_CONF:
        return _net_conf(machine)
    if path.startswith("/proc/sys/"):
        return _sysctl(machine, path.removeprefix("/proc/sys/")) + "\n"
    if path.startswith("/sys/class/net/"):
        return _sys_net(machine, path.removeprefix("/sys/class/net/")) + "\n"
    render: Callable[[Machine], str] | None = _RENDERED.get(path)
    if render is None:
        raise FileNotFoundError(path)
    return render(machine)


def written_at(machine: Machine, path: str) -> float:
    """When a file was last written, in seconds since the epoch; FileNotFoundError."""
    if path in machine.files:
        return machine.files[path].written_at
    if path == SUBNET_ENV and machine.overlay.subnet_env is not None:
        return machine.overlay.subnet_env.written_at
    text(machine, path)
    return machine.clock() if path.startswith(("/proc", "/sys")) else machine.unit.started_at


def find(machine: Machine, roots: list[str], depth: int, pattern: str, pruned: list[str]) -> Iterator[str]:
    """Iterate over plain files under some folders whose name fits, as find does with -maxdepth."""
    known = [*machine.files, *([SUBNET_ENV] if machine.overlay.subnet_env is not None else [])]
    for root in roots:
        for path in sorted(known):
            if not path.startswith(f"{root}/") or any(path.startswith(f"{p}/") for p in pruned):
                continue
            rest = path.removeprefix(f"{root}/").split("/")
            if len(rest) <= depth and fnmatch(rest[-1], pattern):
                yield path


def _net_conf(machine: Machine) -> str:
    backend: dict[str, object] = {"Type": "vxlan"}
    if machine.shape.backend_mtu is not None:
        backend["MTU"] = machine.shape.backend_mtu
    conf = {
        "Network": machine.shape.cluster_cidr,
        "EnableIPv6": False,
        "EnableIPv4": True,
        "IPv6Network": "::/0",
        "Backend": backend,
    }
    return json.dumps(conf, indent="\t") + "\n"


def _sysctl(machine: Machine, name: str) -> str:
    own = {
        "kernel/hostname": machine.name,
        "kernel/random/boot_id": machine.boot_id,
        "kernel/osrelease": machine.shape.kernel_release,
        "net/netfilter/nf_conntrack_count": str(machine.conntrack[0]),
        "net/netfilter/nf_conntrack_max": str(machine.conntrack[1]),
    }
    for values in (machine.sysctls, own, _SYSCTLS):
        if name in values:
            return values[name]
    device, _, leaf = name.removeprefix("net/ipv4/conf/").partition("/")
    if leaf == "rp_filter" and device in machine.kernel.links:
        return "0" if device.startswith("flannel") else "2"
    raise FileNotFoundError(f"/proc/sys/{name}")


def _sys_net(machine: Machine, name: str) -> str:
    ifname, _, attribute = name.partition("/")
    link = machine.kernel.links.get(ifname)
    if link is None:
        raise FileNotFoundError(f"/sys/class/net/{name}")
    flags = 0x1002 | (0x1 if link.up else 0) | (0x8 if link.kind == "loopback" else 0)
    values = {
        "mtu": str(link.mtu),
        "operstate": link.operstate.lower(),
        "ifindex": str(link.ifindex),
        "address": link.address,
        "flags": hex(flags),
    }
    if attribute not in values:
        raise FileNotFoundError(f"/sys/class/net/{name}")
    return values[attribute]


def _resolv(machine: Machine) -> str:
    lines = [f"nameserver {server}" for server in machine.shape.nameservers]
    if machine.shape.search:
        lines.append("search " + " ".join(machine.shape.search))
    return "\n".join(lines) + "\n"


def _stub(machine: Machine) -> str:
    search = " ".join(machine.shape.search) or "."
    return f"nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch {search}\n"


def _uptime(machine: Machine) -> str:
    up = machine.clock() - machine.booted_at
    return f"{up:.2f} {up * 3.6:.2f}\n"


_RENDERED: Final[dict[str, Callable[[Machine], str]]] = {
    "/etc/hostname": lambda machine: machine.name + "\n",
    "/etc/resolv.conf": _stub,
    "/proc/net/netstat": lambda machine: netstat(machine.counters),
    "/proc/net/route": lambda machine: route(list(machine.kernel.routes.values())),
    "/proc/net/snmp": lambda machine: snmp(machine.counters),
    "/proc/net/udp": lambda machine: udp(machine.kernel.vxlan_ports()),
    "/proc/net/udp6": lambda _machine: udp6(),
    "/proc/uptime": _uptime,
    "/run/systemd/resolve/resolv.conf": _resolv,
}
