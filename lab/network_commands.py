"""ip, bridge, ping, tracepath and systemctl on a node of the demo."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any, Final

from lab import asking, commands, fabric, greeting, iproute, outside, scripts, sources, systemd
from lab.commands import Call, Done, Program, value
from lab.entries import Address, FdbEntry, Link, Neighbor, Route
from lab.journal import journalctl
from lab.kernel import Kernel, KernelError
from lab.machine import BRIDGE, PodNetns

_OBJECTS = {
    "a": "address", "addr": "address", "address": "address", "l": "link", "link": "link",
    "r": "route", "ro": "route", "route": "route", "n": "neigh", "neigh": "neigh", "neighbor": "neigh",
    "neighbour": "neigh", "netns": "netns",
}  # fmt: skip
ICMP_HEADERS: Final = 28
"""IPv4 header 20 and ICMP header 8: what ping adds to its payload."""
_MOST_PACKETS: Final = 20


async def _ip(call: Call) -> Done:
    flags, rest = _options(call.args)
    if not rest:
        return Done(255, err="Usage: ip [ OPTIONS ] OBJECT { COMMAND | help }\n")
    kind = _OBJECTS.get(rest[0], "")
    words = list(rest[1:])
    if kind == "netns":
        return await _netns(call, flags, words)
    command = words.pop(0) if words else "show"
    if command in {"show", "list", "sh", "ls", "s"}:
        return _show(call, kind, flags, words)
    if kind == "route" and command == "get":
        return _route_get(call, words)
    return _change(call, f"{kind} {command}", words)


def _options(args: Iterable[str]) -> tuple[set[str], list[str]]:
    rest = list(args)
    flags = set()
    while rest and rest[0].startswith("-"):
        flags.add("-" + rest.pop(0).lstrip("-")[:3])
    return {"-j" if f.startswith("-j") else f for f in flags}, rest


def _show(call: Call, kind: str, flags: set[str], words: list[str]) -> Done:
    kernel = call.machine.kernel
    dev = value(words, "dev") or (words[0] if kind in {"link", "address"} and len(words) == 1 else "")
    links = pod_links(call.netns) if call.netns else kernel.links
    if dev and dev not in links:
        return Done(1, err=f'Device "{dev}" does not exist.\n')
    if kind in {"link", "address"}:
        wanted = [link for name, link in links.items() if dev in {"", name}]
        if wanted_kind := value(words, "type"):
            wanted = [link for link in wanted if link.kind == wanted_kind]
        if "-j" not in flags:
            return Done(out="".join(iproute.link_line(link).replace("\\", "\n") + "\n" for link in wanted))
        form = {"details": "-d" in flags, "stats": "-s" in flags, "addresses": kind == "address"}
        return Done(out=iproute.dump(iproute.link_row(link, links, **form) for link in wanted))
    if kind == "route":
        routes = [] if "-6" in flags or call.netns else [r for r in kernel.routes.values() if dev in {"", r.dev}]
        return _rows(flags, routes, iproute.route_row, iproute.route_line)
    if kind == "neigh":
        neighbors = [] if call.netns else [n for n in kernel.neighbors.values() if dev in {"", n.dev}]
        return _rows(flags, neighbors, lambda n: iproute.neighbor_row(n, with_dev=not dev), iproute.neighbor_line)
    return Done(1, err=f'Object "{kind}" is unknown, try "ip help".\n')


def _rows(flags: set[str], items: list[Any], row: Callable[[Any], dict[str, Any]], line: Callable[[Any], str]) -> Done:
    if "-j" in flags:
        return Done(out=iproute.dump(map(row, items)))
    return Done(out="".join(line(item) + "\n" for item in items))


def _route_get(call: Call, words: list[str]) -> Done:
    if call.netns is not None:  # a pod has one way out: its bridge
        bridge = call.machine.kernel.links.get(BRIDGE)
        gateway = bridge.addresses[0].local if bridge is not None and bridge.addresses else ""
        row = {"dst": words[0], "gateway": gateway, "dev": "eth0", "prefsrc": call.netns.ip}
        return Done(out=iproute.dump([row | {"flags": [], "uid": 0, "cache": []}]))
    route = call.machine.kernel.route_to(words[0])
    if route is None:
        return Done(2, err="RTNETLINK answers: Network is unreachable\n")
    row = {"dst": words[0], **({"gateway": route.gateway} if route.gateway else {}), "dev": route.dev}
    return Done(out=iproute.dump([row | {"flags": [], "uid": 0, "cache": []}]))


def _change(call: Call, what: str, words: list[str]) -> Done:
    """Run a command that changes the node's network: root's only."""
    change = _CHANGES.get(what)
    if change is None:
        return Done(255, err=f'Command "{what}" is unknown, try "ip help".\n')
    if (refusal := commands.denied(call)) is not None:
        return refusal
    try:
        change(call, words)
    except KernelError as error:
        return Done(2 if str(error).startswith("RTNETLINK") else 1, err=f"{error}\n")
    return Done()


def _link_set(call: Call, words: list[str]) -> None:
    kernel = call.machine.kernel
    words = [word for word in words if word != "dev"]
    ifname, rest = words[0], words[1:]
    kernel.link(ifname)
    if mtu := value(rest, "mtu"):
        kernel.set_mtu(ifname, int(mtu))
    if "up" in rest:
        kernel.set_up(ifname)
    if "down" in rest:
        kernel.set_down(ifname)


def _link_delete(call: Call, words: list[str]) -> None:
    call.machine.kernel.link(words[-1])
    call.world.delete_link(call.machine.name, words[-1])


def _route_put(call: Call, words: list[str]) -> None:
    call.machine.kernel.put_route(
        Route(words[0], value(words, "dev"), value(words, "via"), onlink="onlink" in words),
    )


def _route_delete(call: Call, words: list[str]) -> None:
    kernel = call.machine.kernel
    found = next((r for r in kernel.routes.values() if r.dst == words[0] and value(words, "dev", r.dev) == r.dev), None)
    kernel.drop_route(words[0], found.dev if found else "")


def _neighbor_put(call: Call, words: list[str]) -> None:
    call.machine.kernel.put_neighbor(Neighbor(words[0], value(words, "dev"), value(words, "lladdr")))


def _neighbor_delete(call: Call, words: list[str]) -> None:
    call.machine.kernel.drop_neighbor(words[0], value(words, "dev"))


_CHANGES: Final[dict[str, Callable[[Call, list[str]], None]]] = {
    "link set": _link_set,
    "link del": _link_delete,
    "link delete": _link_delete,
    "route add": _route_put,
    "route replace": _route_put,
    "route del": _route_delete,
    "neigh add": _neighbor_put,
    "neigh replace": _neighbor_put,
    "neigh del": _neighbor_delete,
}


async def _netns(call: Call, flags: set[str], words: list[str]) -> Done:
    """``ip netns list | list-id | exec NAME …`` and ``ip -all netns exec …``: root's only, exec included."""
    pods = call.machine.overlay.pods
    command = words.pop(0) if words else "list"
    if command == "list":
        return Done(out=iproute.dump({"name": p.name, "id": p.nsid} for p in pods))
    if command == "list-id":
        return Done(out=iproute.dump({"nsid": p.nsid, "name": p.name} for p in pods))
    if command != "exec":
        return Done(255, err=f'Command "{command}" is unknown, try "ip netns help".\n')
    if not call.root:
        return Done(1, err="setting the network namespace failed: Operation not permitted\n")
    if "-all" not in flags:
        name = words.pop(0)
        pod = next((p for p in pods if p.name == name), None)
        if pod is None:
            return Done(1, err=f'Cannot open network namespace "{name}": No such file or directory\n')
        return await commands.run(replace(call, argv=tuple(words), netns=pod), PROGRAMS)
    out = ""
    for pod in pods:
        done = await commands.run(replace(call, argv=tuple(words), netns=pod), PROGRAMS)
        out += f"\nnetns: {pod.name}\n{done.out}"
    return Done(out=out)


def pod_links(pod: PodNetns) -> dict[str, Link]:
    """Make the two links of a pod: lo and eth0."""
    inside = Kernel(lambda _stream, _line: None)
    inside.add(Link("lo", 0, 65536, "00:00:00:00:00:00", kind="loopback"))
    eth0 = Link("eth0", 0, pod.mtu, pod.address, kind="veth", peer_ifindex=pod.veth_ifindex, netnsid=0)
    inside.add(eth0)
    inside.add_address("eth0", Address(pod.ip, 24))
    return inside.links


def _bridge(call: Call) -> Done:
    flags, rest = _options(call.args)
    if rest[:1] != ["fdb"]:
        return Done(255, err='Object is unknown, try "bridge help".\n')
    kernel, words = call.machine.kernel, rest[2:]
    command = rest[1] if len(rest) > 1 else "show"
    dev = value(words, "dev")
    if command in {"show", "list"}:
        if dev and dev not in kernel.links:
            return Done(255, err=f'Cannot find device "{dev}"\n')
        entries = [e for e in kernel.fdb.values() if dev in {"", e.dev}]
        return _rows(flags, entries, lambda e: iproute.fdb_row(e, with_dev=not dev), iproute.fdb_line)
    if (refusal := commands.denied(call)) is not None:
        return refusal
    try:
        if command == "del":
            kernel.drop_fdb(words[0], dev)
        else:
            kernel.put_fdb(FdbEntry(words[0], dev, value(words, "dst")))
    except KernelError as error:
        return Done(2, err=f"{error}\n")
    return Done()


async def _ping(call: Call) -> Done:
    """``ping -n -M do -c N -W S -s BYTES ADDRESS`` as iputils prints it; silence costs its time-out once."""
    words = list(call.args)
    target = words[-1]
    size = int(_joined(words, "-s") or 56) + ICMP_HEADERS
    wait = float(_joined(words, "-W") or 1)
    packets = min(int(_joined(words, "-c") or 1), _MOST_PACKETS)
    if not target.replace(".", "").isdigit():
        return Done(2, err=f"ping: {target}: Temporary failure in name resolution\n")
    pod = f"{call.netns.namespace}/{call.netns.pod}" if call.netns else ""
    origin = fabric.Endpoint(call.machine.name, pod)
    verdict = fabric.exchange(call.world, origin, target, size)
    for node, counter in verdict.counts * packets:
        call.world.nodes[node].count(counter)
    head = f"PING {target} ({target}) {size - ICMP_HEADERS}({size}) bytes of data.\n"
    stats = f"\n--- {target} ping statistics ---\n{packets} packets transmitted, "
    if verdict.outcome == "ok":
        answer = f"{size - ICMP_HEADERS + 8} bytes from {target}: icmp_seq="
        share = fabric.loss(call.world, origin, target)
        # Spread evenly: a demo shows the same each time.
        kept = [n for n in range(1, packets + 1) if int((n + 0.5) * share) == int((n - 0.5) * share)]
        answers = "".join(f"{answer}{number} ttl=63 time=0.412 ms\n" for number in kept)
        missed = 100 * (packets - len(kept)) // packets
        return Done(int(not kept), head + answers + stats + f"{len(kept)} received, {missed}% packet loss, time 0ms\n")
    lost = "0 received, +1 errors, 100% packet loss, time 0ms\n\n"
    if verdict.outcome == "told" and not verdict.by:
        return Done(1, head + stats + lost, f"ping: local error: message too long, mtu={verdict.mtu}\n")
    if verdict.outcome == "told":
        answer = f"From {verdict.by} icmp_seq=1 Frag needed and DF set (mtu = {verdict.mtu})\n"
        return Done(1, head + answer + stats + lost)
    await asyncio.sleep(wait)
    if verdict.outcome == "unreachable":
        answer = f"From {fabric.address_of(call.world, fabric.Endpoint(call.machine.name))} icmp_seq=1 "
        return Done(1, head + answer + "Destination Host Unreachable\n" + stats + lost)
    return Done(1, head + stats + "0 received, 100% packet loss, time 0ms\n\n")


def _joined(words: list[str], option: str) -> str:
    """Find the value of a short option, apart (``-s 1422``) or joined (``-c1``)."""
    for number, word in enumerate(words[:-1]):
        if word == option:
            return words[number + 1]
        if word.startswith(option) and word[2:].replace(".", "").isdigit():
            return word[2:]
    return ""


def _sudo(call: Call) -> Done | Awaitable[Done]:
    words = [word for word in call.args if word != "-n"]
    if not (call.root or call.machine.shape.sudo):
        return Done(1, err="sudo: a password is required\n")
    return commands.run(replace(call, argv=tuple(words), root=True), PROGRAMS)


async def _timeout(call: Call) -> Done:
    """``timeout [-k N] SECONDS PROGRAM …``: nothing takes longer here than it says itself."""
    words = call.args[2:] if call.args[0] == "-k" else call.args
    return await commands.run(replace(call, argv=words[1:]), PROGRAMS)


def _reboot(call: Call) -> Done:
    if not call.root:
        return Done(1, err="Call to Reboot failed: Interactive authentication required.\n")
    call.world.reboot(call.machine.name)
    return Done()


PROGRAMS: Final[dict[str, Program]] = commands.PLAIN | {
    "bash": asking.bash,
    "bridge": _bridge,
    "curl": sources.curl,
    "getent": outside.getent,
    "ip": _ip,
    "journalctl": journalctl,
    "ping": _ping,
    "python3": outside.python3,
    "reboot": _reboot,
    "sudo": _sudo,
    "sh": scripts.sh,
    "ssh-keyscan": greeting.keyscan,
    "systemctl": systemd.systemctl,
    "systemd-run": lambda call: systemd.systemd_run(call, PROGRAMS),
    "timeout": _timeout,
}
