"""Each parser of files and tools on what other nodes say: other systemds, old kernels, and what cannot be true."""

import pytest

from probes.collectors import conntrack, flannel, host, offloads, pods, resolvers, sysctls, unit
from probes.collectors.reading import Unreadable
from probes.model.network import NetConf, SubnetEnv
from probes.model.observation import Completed


def said(**texts: str) -> dict[str, Completed]:
    """Pretend that steps printed these; a dash of a step's name is an underscore here."""
    return {name.replace("_", "-"): Completed((name,), 0, text) for name, text in texts.items()}


def failed(step: str, returncode: int, stderr: str = "", stdout: str = "") -> dict[str, Completed]:
    return {step: Completed((step, "-x"), returncode, stdout, stderr)}


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


_CURRENT, _PREVIOUS = (f"/var/lib/rancher/k3s/data/{name}" for name in ("current", "previous"))


@pytest.mark.parametrize(
    ("told", "changed_at"),
    [
        (f"1763700000 {_CURRENT}\n1761000000 {_PREVIOUS}\n", 1763700000.0),
        (f"1763700000 {_CURRENT}\n", None),
        (f"1763700000 {_PREVIOUS}\n", None),
        (f"1763700000 {_CURRENT}\n1763700001 {_CURRENT}\n", None),
        (f"soon {_CURRENT}\n1761000000 {_PREVIOUS}\n", None),
        ("", None),
    ],
)
def test_when_k3s_was_changed(told: str, changed_at: float | None) -> None:
    """It was changed when the newest build was unpacked, if there was one before; else nothing is known of a change."""
    assert host.parse(said(host="5.10.0\n", k3s_data=told)).k3s_changed_at == changed_at
    assert host.parse(said(host="5.10.0\n") | failed("k3s-data", 1)).k3s_changed_at is None


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
