"""Each parser on what other nodes print: old iproute2, other systemds, other kernels, and what cannot be true."""

from collections.abc import Callable
from pathlib import Path

import pytest

from probes.collectors import (
    batch,
    conntrack,
    counters,
    fdb,
    flannel,
    host,
    links,
    neighbors,
    offloads,
    pods,
    resolvers,
    routes,
    sockets,
    sysctls,
    unit,
)
from probes.collectors.reading import Outputs, Unreadable
from probes.model.network import Address, FdbEntry, Neighbor, NetConf, Route, SubnetEnv, UdpSocket, Vxlan
from probes.model.observation import Completed

OLD_LINKS = (Path(__file__).parent / "cases" / "links-iproute2-4.15.json").read_text()


def said(**texts: str) -> dict[str, Completed]:
    """Pretend that steps printed these; a dash of a step's name is an underscore here."""
    return {name.replace("_", "-"): Completed((name,), 0, text) for name, text in texts.items()}


def failed(step: str, returncode: int, stderr: str = "", stdout: str = "") -> dict[str, Completed]:
    return {step: Completed((step, "-x"), returncode, stdout, stderr)}


def test_old_iproute2_links() -> None:
    """Empty and null elements are left out, missing keys are unknown, other kinds' attributes do no harm."""
    found = {link.ifname: link for link in links.parse(said(links=OLD_LINKS))}

    assert list(found) == ["eth0", "flannel.1", "cni0", "veth0", "veth1", "tunl0", "eth0.5", "huge0", "odd0"]
    assert found["eth0"].addresses == (Address("inet", "192.0.2.11", 25, "global"),)
    assert found["flannel.1"].vxlan == Vxlan(1, "192.0.2.11", "eth0", 8472, learning=None)
    assert found["cni0"].bridge is not None
    assert found["cni0"].bridge.vlan_filtering is None
    assert (found["veth0"].peer_ifindex, found["veth1"].peer_ifindex) == (6, 5)
    assert found["tunl0"].vxlan is None


def test_impossible_numbers_are_unknown() -> None:
    """An MTU or index that no device can have is unknown, never a wrong number."""
    found = {link.ifname: link for link in links.parse(said(links=OLD_LINKS))}

    assert (found["huge0"].mtu, found["odd0"].mtu) == (None, None)
    assert (found["odd0"].ifindex, found["odd0"].netnsid) == (None, None)


def test_old_iproute2_counters() -> None:
    """The overlay's counters are read from stats where there is no stats64."""
    found = counters.parse(said(links=OLD_LINKS, snmp="Udp: NoPorts InErrors\nUdp: 3 4\n", netstat=""))

    assert found == {
        "UdpNoPorts": 3,
        "UdpInErrors": 4,
        "flannel.1/rx_packets": 7,
        "flannel.1/rx_errors": 0,
        "flannel.1/rx_dropped": 0,
        "flannel.1/tx_packets": 3,
        "flannel.1/tx_errors": 0,
        "flannel.1/tx_dropped": 12,
    }


@pytest.mark.parametrize("text", ["[]", "[{}]", "null", ""])
def test_no_interface_is_no_answer(text: str) -> None:
    """A node has always one interface: an empty list is no fact."""
    with pytest.raises(Unreadable):
        links.parse(said(links=text))


@pytest.mark.parametrize("text", ["[]", "[{}]", "null", "", "[ ]\n"])
def test_empty_tables(text: str) -> None:
    """No route, neighbour or entry is a fact; older iproute2 prints nothing at all for it."""
    assert routes.parse(said(routes=text, routes6=text)) == ()
    assert neighbors.parse(said(neighbors=text)) == ()
    assert fdb.parse(said(fdb=text)) == ()


def test_hostile_names() -> None:
    """Escapes, line breaks, bidi marks and lone surrogates in names become visible and harmless."""
    text = '[{"ifname":"a\\u001b[2J\\n\\u202eb","mtu":1500,"operstate":"\\u009b31m"}]'

    (link,) = links.parse(said(links=text))

    assert link.ifname == "a␛[2J␊�b"
    assert link.operstate.isprintable()


def test_proc_routes() -> None:
    """/proc/net/route gives default, prefixes, host routes and refusals; what is down is left out."""
    text = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "flannel.1\t00012A0A\t00012A0A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth0\tC80200C0\t010200C0\t0007\t0\t0\t50\tFFFFFFFF\t0\t0\t0\n"
        "*\t0000630A\t00000000\t0201\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "eth1\t0000630B\t00000000\t0000\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    outputs = failed("routes", 127) | said(routes_proc=text)

    assert routes.parse(outputs) == (
        Route("default", gateway="192.0.2.1", dev="eth0", metric=100),
        Route("10.42.1.0/24", gateway="10.42.1.0", dev="flannel.1"),
        Route("192.0.2.200", gateway="192.0.2.1", dev="eth0", metric=50),
        Route("10.99.0.0/16", kind="unreachable"),
    )
    assert "only IPv4 routes" in routes.gap(outputs)


def test_big_endian_proc_routes_are_refused() -> None:
    """A table in the other byte order gives no wrong address: its masks betray it."""
    text = "Iface\tDestination\tGateway\nflannel.1\t0A2A0100\t0A2A0100\t0003\t0\t0\t0\tFFFFFF00\t0\t0\t0\n"

    with pytest.raises(Unreadable, match="byte order"):
        routes.parse(said(routes_proc=text))


def test_next_hop_of_the_other_family() -> None:
    """An IPv4 route over an IPv6 gateway has its gateway in via."""
    text = '[{"dst":"default","via":{"family":"inet6","host":"fe80::1"},"dev":"eth0","protocol":"bgp","flags":[]}]'

    outputs = said(routes=text) | failed("routes6", 1, "RTNETLINK answers: Operation not supported")

    assert routes.parse(outputs) == (Route("default", gateway="fe80::1", dev="eth0", protocol="bgp"),)
    assert "Operation not supported" in routes.gap(outputs)


def test_neighbors_without_state_or_lladdr() -> None:
    """An unresolved neighbour has no link address."""
    text = '[{"dst":"10.42.1.0","dev":"flannel.1","state":["INCOMPLETE"]},{},{"dst":"10.42.2.0","state":null}]'

    assert neighbors.parse(said(neighbors=text)) == (
        Neighbor("10.42.1.0", "flannel.1", "", ("INCOMPLETE",)),
        Neighbor("10.42.2.0"),
    )


def test_fdb_without_links() -> None:
    """Where interfaces are unknown, entries with a destination are VXLAN's."""
    text = '[{"mac":"ee:8d:cf:69:b3:7c","ifname":"flannel.1","dst":"192.0.2.12","flags":["self"],"state":"permanent"},\
{"mac":"33:33:00:00:00:01","ifname":"eth0","flags":["self"],"state":"permanent"}]'

    assert fdb.parse(said(fdb=text)) == (
        FdbEntry("ee:8d:cf:69:b3:7c", "flannel.1", "192.0.2.12", "permanent", ("self",)),
    )


def test_udp_sockets() -> None:
    """Bound sockets of both families are listed once; connected ones are left out."""
    head = "  sl  local_address rem_address   st tx_queue\n"
    udp = head + "  1: 3500007F:0035 00000000:0000 07 0:0\n  2: 0B0200C0:D431 01020304:0035 01 0:0\n"
    udp6 = head + f"  1: {'0' * 32}:2118 {'0' * 32}:0000 07 0:0\n  2: {'0' * 32}:2118 {'0' * 32}:0000 07 0:0\n"

    assert sockets.parse(said(udp=udp, udp6=udp6)) == (UdpSocket("127.0.0.53", 53), UdpSocket("::", 8472))
    no_ipv6 = failed("udp6", 1, "cat: can't open '/proc/net/udp6': No such file or directory")
    assert sockets.parse(said(udp=udp) | no_ipv6) == (UdpSocket("127.0.0.53", 53),)


def test_subnet_env_of_two_families() -> None:
    """subnet.env of a dual-stack node, with quotes that a script put there."""
    text = 'FLANNEL_NETWORK="10.42.0.0/16"\nFLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_IPV6_NETWORK=2001:db8:42::/56\n\
FLANNEL_IPV6_SUBNET=2001:db8:42::1/64\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'

    assert flannel.parse_subnet_env(said(subnet_env=text)) == SubnetEnv(
        *("/run/flannel/subnet.env", "10.42.0.0/16", "10.42.0.1/24", 1450, False, "2001:db8:42::/56"),
        "2001:db8:42::1/64",
    )


@pytest.mark.parametrize(
    "mtu", ["0", "-1450", "1e3", "99999999999999999999999999", "1450; reboot", "\uff11\uff14\uff15\uff10", "0x5aa"]
)
def test_impossible_flannel_mtu(mtu: str) -> None:
    """A FLANNEL_MTU that no device can have leaves the fact unassessed: it is no MTU and not none either."""
    with pytest.raises(Unreadable, match="impossible FLANNEL_MTU"):
        flannel.parse_subnet_env(said(subnet_env=f"FLANNEL_SUBNET=10.42.0.1/24\nFLANNEL_MTU={mtu}\n"))


def test_copies() -> None:
    """Copies keep their age; the live file is none of them; a copy with an impossible MTU is one without."""
    text = (
        "1763700000 /run/flannel/subnet.env\n/run/flannel/subnet.env:FLANNEL_MTU=1450\n"
        "1738380600 /root/old subnet.env\n/root/old subnet.env:FLANNEL_MTU=1400\n"
        "1738380601 /opt/subnet.env.bak\n/opt/subnet.env.bak:FLANNEL_MTU=none\n"
    )
    outputs = {"copies": Completed(("find",), 1, text, "find: '/backup': No such file or directory\n")}

    assert flannel.parse_copies(outputs) == (
        SubnetEnv("/opt/subnet.env.bak", written_at=1738380601.0),
        SubnetEnv("/root/old subnet.env", mtu=1400, written_at=1738380600.0),
    )
    nothing = {"copies": Completed(("find",), 1, "", "find: '/backup': No such file or directory\n")}
    assert flannel.parse_copies(nothing) == ()


def test_copies_that_could_not_be_looked_for() -> None:
    """A find that cannot do what it was asked found nothing out: that is no proof that there are no copies."""
    with pytest.raises(Unreadable, match="unrecognized"):
        flannel.parse_copies(failed("copies", 1, "find: unrecognized: -xdev\n"))


def test_sudo_that_grumbles() -> None:
    """A sudo that cannot resolve the host's name gives root all the same: its words are no refusal."""
    grumble = "sudo: unable to resolve host node-1: Name or service not known\n"

    assert flannel.parse_copies(failed("copies", 1, f"{grumble}find: '/backup': No such file or directory\n")) == ()
    assert flannel.parse_net_conf(failed("net-conf", 1, f"{grumble}cat: x: No such file or directory\n")) is None
    with pytest.raises(Unreadable, match=r"^needs root.*: a password is required$"):
        flannel.parse_net_conf(failed("net-conf", 1, f"{grumble}sudo: a password is required\n"))


def test_net_conf() -> None:
    """net-conf.json may name an MTU, a VNI, a port and direct routing; another backend has none of them."""
    full = '{"Network":"10.42.0.0/16","EnableIPv6":true,"IPv6Network":"2001:db8:42::/56","Backend":\
{"Type":"vxlan","VNI":4096,"Port":4789,"MTU":1400,"DirectRouting":true}}'

    assert flannel.parse_net_conf(said(net_conf=full)) == NetConf(
        *("10.42.0.0/16", "2001:db8:42::/56", "vxlan", 4096, 4789, 1400, True)
    )
    assert flannel.parse_net_conf(said(net_conf='{"Backend":{"Type":"host-gw"}}')) == NetConf(backend="host-gw")
    assert flannel.parse_net_conf(said(net_conf='{"Backend":{"Type":"vxlan","MTU":0}}')) == NetConf(backend="vxlan")
    for mtu, words in (("-5", "impossible MTU"), ("65537", "impossible MTU"), ("9" * 5000, "out of range")):
        with pytest.raises(Unreadable, match=words):
            flannel.parse_net_conf(said(net_conf=f'{{"Backend":{{"Type":"vxlan","MTU":{mtu}}}}}'))


def test_agent_unit() -> None:
    """The loaded unit counts, whichever comes first."""
    text = "Id=k3s.service\nLoadState=not-found\nActiveState=inactive\n\nId=k3s-agent.service\nLoadState=loaded\n\
ActiveState=activating\nSubState=auto-restart\nNRestarts=17\nExecMainStartTimestamp=n/a\nKillMode=process\n"

    found = unit.parse(said(unit=text))

    assert (found.name, found.active_state, found.sub_state) == ("k3s-agent", "activating", "auto-restart")
    assert (found.n_restarts, found.started_at) == (17, None)


def test_no_k3s_unit() -> None:
    """A node without either unit is known to have none."""
    text = "Id=k3s.service\nLoadState=not-found\n\nId=k3s-agent.service\nLoadState=not-found\n"

    assert unit.parse(said(unit=text)).load_state == "not-found"


@pytest.mark.parametrize("stamp", ["Sat 2026-11-21 11:50:18 CET", "Sat 2026-02-31 11:50:18 UTC", "garbage", "@1"])
def test_time_that_cannot_be_read(stamp: str) -> None:
    """A time in an unknown zone or one that never was is unknown, never hours off."""
    assert (
        unit.parse(said(unit=f"Id=k3s.service\nLoadState=loaded\nExecMainStartTimestamp={stamp}\n")).started_at is None
    )


def test_host_without_k3s() -> None:
    """A host where k3s is missing and hostname too is still known."""
    outputs = said(host="5.10.0\n", hostname_proc="node-9\n", user="ops\n") | failed("k3s", 127) | failed("boot", 1)

    found = host.parse(outputs)

    assert (found.hostname, found.kernel, found.k3s_version, found.user) == ("node-9", "5.10.0", "", "ops")


def test_resolvers() -> None:
    """Comments are ignored, the last search or domain line counts, a missing file is no resolver."""
    text = "# nameserver 1.1.1.1\nnameserver 10.0.0.2 extra\nnameserver\ndomain a.example\nsearch b.example c.example\n"
    absent = failed("resolv-systemd", 1, "cat: No such file or directory")

    (found,) = resolvers.parse(said(resolv=text) | absent | failed("resolv-k3s", 1, "sudo: a password is required"))

    assert (found.nameservers, found.search) == (("10.0.0.2",), ("b.example", "c.example"))


def test_sysctls_of_an_old_kernel() -> None:
    """Settings that a kernel lacks are absent; grep's status for them is no failure."""
    text = "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/ping_group_range:0\t2147483647\n"
    outputs = {"sysctls": Completed(("grep",), 2, text, "grep: /proc/sys/net/x: No such file or directory\n")}

    assert sysctls.parse(outputs) == {"net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 2147483647"}


def test_conntrack() -> None:
    """A kernel that tracks nothing has no table; a half answer is none."""
    assert conntrack.parse(failed("conntrack", 1, "cat: /proc/…: No such file or directory")) is None
    with pytest.raises(Unreadable):
        conntrack.parse(said(conntrack="12\n"))


def test_offloads() -> None:
    """Features keep their state, with or without [fixed] or [requested on]."""
    text = "Features:\ntx-checksumming: on\n\ttx-checksum-ip-generic: off [requested on]\nrx-gro-list: off [fixed]\n"

    assert offloads.parse(said(offloads=text)) == {
        "tx-checksumming": True,
        "tx-checksum-ip-generic": False,
        "rx-gro-list": False,
    }


def test_pods_of_a_damaged_namespace() -> None:
    """A namespace that cannot be entered is listed without a link; the others keep theirs."""
    ids = '[{"name":"cni-a","id":3},{"name":"cni-b"},{"name":"cni-gone","id":4}]'
    text = '\nnetns: cni-a\n[{"ifname":"lo","flags":["LOOPBACK"],"mtu":65536},{"ifname":"eth0","mtu":1450}]\n\
\nnetns: cni-b\n[{"ifname":"eth0",\n'

    found = pods.parse(said(netns_ids=ids, pods=text))

    assert [(p.name, p.netnsid, p.ifname, p.mtu) for p in found] == [
        ("cni-a", 3, "eth0", 1450),
        ("cni-b", None, "", None),
        ("cni-gone", 4, "", None),
    ]


PARSERS: dict[str, Callable[[Outputs], object]] = {
    "links": links.parse,
    "routes": routes.parse,
    "neighbors": neighbors.parse,
    "fdb": fdb.parse,
    "udp": sockets.parse,
    "subnet-env": flannel.parse_subnet_env,
    "copies": flannel.parse_copies,
    "net-conf": flannel.parse_net_conf,
    "resolv": resolvers.parse,
    "unit": unit.parse,
    "host": host.parse,
    "sysctls": sysctls.parse,
    "snmp": counters.parse,
    "conntrack": conntrack.parse,
    "offloads": offloads.parse,
    "pods": pods.parse,
}


@pytest.mark.parametrize("step", PARSERS)
@pytest.mark.parametrize(
    ("returncode", "stderr", "words"),
    [
        (127, "sh: 9: x: not found", "is not installed on the node"),
        (124, "", "did not end within its time limit"),
        (143, "Terminated", "did not end within its time limit"),
        (batch.CUT_OFF, "", "ended inside"),
        (batch.TOO_LONG, "", "more than can be held"),
        (1, "sudo: a password is required", "needs root, and sudo -n does not give it to ops: a password is required"),
        (1, "Permission denied\x1b[2J", "failed with status 1: Permission denied␛[2J"),
        (255, 'Option "-j" is unknown, try "ip -help".', "failed with status 255: Option"),
        (1, "", "it said nothing"),
    ],
)
def test_reasons(step: str, returncode: int, stderr: str, words: str) -> None:
    """A step that failed gives its reason in one harmless sentence, the same for every fact."""
    outputs = failed(step, returncode, stderr) | said(user="ops\n")
    with pytest.raises(Unreadable) as raised:
        PARSERS[step](outputs)

    assert words in str(raised.value)
    assert str(raised.value).isprintable()
