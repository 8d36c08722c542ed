"""Each parser of the kernel's tables on what other nodes print: old iproute2, and what cannot be true."""

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
from probes.model.network import Address, FdbEntry, Neighbor, Route, UdpSocket, Vxlan
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


def test_neighbors_as_text() -> None:
    """The text of ip and BusyBox gives the same values; NOARP ones and those that have no state are left out."""
    text = (
        "10.42.1.0 dev flannel.1 lladdr ee:8d:cf:69:b3:7c used 0/0/0 probes 0 PERMANENT\n"
        "fe80::1 dev eth0 lladdr 02:00:00:00:00:01 router STALE \n192.0.2.9 dev eth0  FAILED\n"
        "224.0.0.22 dev eth0 lladdr 01:00:5e:00:00:16 NOARP\n192.0.2.8 dev eth0\n\n"
    )

    assert neighbors.parse(said(neighbors_text=text)) == (
        Neighbor("10.42.1.0", "flannel.1", "ee:8d:cf:69:b3:7c", ("PERMANENT",)),
        Neighbor("fe80::1", "eth0", "02:00:00:00:00:01", ("STALE",)),
        Neighbor("192.0.2.9", "eth0", "", ("FAILED",)),
    )
    with pytest.raises(Unreadable, match="no neighbour"):
        neighbors.parse(said(neighbors_text="Usage: ip neigh\n"))


def test_proc_arp() -> None:
    """/proc/net/arp tells what is permanent and what is unresolved; entries answered for others are left out."""
    text = (
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "10.42.1.0        0x1         0x6         ee:8d:cf:69:b3:7c     *        flannel.1\n"
        "192.0.2.12       0x1         0x0         00:00:00:00:00:00     *        eth0\n"
        "192.0.2.13       0x1         0xc         00:00:00:00:00:00     *        eth0\n"
    )
    outputs = failed("neighbors", 127) | failed("neighbors-text", 127) | said(neighbors_proc=text)

    assert neighbors.parse(outputs) == (
        Neighbor("10.42.1.0", "flannel.1", "ee:8d:cf:69:b3:7c", ("PERMANENT",)),
        Neighbor("192.0.2.12", "eth0", "", ("INCOMPLETE",)),
    )
    assert "only IPv4 neighbours" in neighbors.gap(outputs)


def test_fdb_as_text() -> None:
    """The text of bridge gives the same values, cards' and bridges' entries left out."""
    text = (
        "33:33:00:00:00:01 dev eth0 self permanent\n"
        "ee:8d:cf:69:b3:7c dev flannel.1 dst 192.0.2.12 self permanent\n"
        "9e:88:94:92:a0:3b dev veth12ab master cni0 \n"
    )

    assert fdb.parse(said(fdb_text=text, links=OLD_LINKS)) == (
        FdbEntry("ee:8d:cf:69:b3:7c", "flannel.1", "192.0.2.12", "permanent", ("self",)),
    )
    with pytest.raises(Unreadable, match="no entry"):
        fdb.parse(said(fdb_text="Usage: bridge fdb\n"))


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
        (
            1,
            "sudo: timeout: failed to run command 'sudo': No such file or directory",
            "needs root, and the node has no sudo: log in as root, or install sudo there",
        ),
        (
            1,
            "sudo: sh: 12: sudo: not found",
            "needs root, and the node has no sudo: log in as root, or install sudo there",
        ),
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
