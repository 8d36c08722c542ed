"""Which of the kernel's event lines matter; every line here was printed by ip or bridge 6.1."""

import pytest

from probes.collectors.events import relevant

MATTER = r"""
2: eth0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UP group default \    link/ether 8a:5b
3: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1350 qdisc noqueue state UNKNOWN group default \    link/ether be
[LINK]4: cni0: <BROADCAST,MULTICAST> mtu 1450 qdisc noqueue state DOWN group default \    link/ether 66:54:49:2b:25:1f
Deleted 3: flannel.1: <BROADCAST,MULTICAST> mtu 1450 qdisc noqueue state DOWN group default \    link/ether be:fb:ec
9: wg0: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1420 qdisc noqueue state UNKNOWN group default \    link/none
2: eth0    inet 10.7.7.7/32 scope global eth0\       valid_lft forever preferred_lft forever
Deleted 2: eth0    inet 10.7.7.7/32 scope global eth0\       valid_lft forever preferred_lft forever
Deleted 2: eth0    inet 192.0.2.11/25 brd 192.0.2.127 scope global dynamic eth0\       valid_lft 0sec preferred_lft 0sec
10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink
Deleted 10.42.2.0/24 via 10.42.2.0 dev flannel.1 onlink
10.42.0.0/24 dev cni0 proto kernel scope link src 10.42.0.1
192.0.2.200 dev eth0 scope link
blackhole 10.55.0.0/16
Stopped k3s.service - Lightweight Kubernetes.
k3s.service: Main process exited, code=exited, status=1/FAILURE
2001:db8:2::/64 via fe80::1 dev eth0 metric 1024 pref medium
Deleted default via fe80::1 dev eth0 proto ra metric 1024 expires 1799sec pref medium
10.42.2.0 dev flannel.1 lladdr ee:8d:cf:69:b3:7d PERMANENT
10.42.2.0 dev flannel.1 FAILED
Deleted 10.42.2.0 dev flannel.1 FAILED
192.0.2.77 dev eth0 lladdr ee:8d:cf:69:b3:7d PERMANENT
192.0.2.13 dev flannel.1 lladdr ee:8d:cf:69:b3:7e NOARP PERMANENT
Deleted 192.0.2.13 dev flannel.1 lladdr ee:8d:cf:69:b3:7e NOARP PERMANENT
ee:8d:cf:69:b3:7e dev flannel.1 dst 192.0.2.13 self permanent
Deleted ee:8d:cf:69:b3:7e dev flannel.1 dst 192.0.2.13 self permanent
"""
NOISE = r"""
192.0.2.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE
192.0.2.1 dev eth0 lladdr 02:00:00:00:00:01 STALE
10.42.0.5 dev cni0 lladdr 4e:a4:bb:a3:f5:11 DELAY
fe80::1 dev eth0 lladdr 02:00:00:00:00:01 router PROBE
10.42.0.9 dev cni0 FAILED
Deleted ff02::2 dev flannel.1 lladdr 33:33:00:00:00:02 NOARP
Deleted 224.0.0.22 dev cni0 lladdr 01:00:5e:00:00:16 NOARP
Deleted ff02::1:ff5a:f6d4 dev cni0 lladdr 33:33:ff:5a:f6:d4 NOARP
dev veth12ab lladdr 9e:88:94:92:a0:3b REACHABLE
Deleted dev veth12ab lladdr 9e:88:94:92:a0:3b REACHABLE
Deleted 9e:88:94:92:a0:3b dev veth12ab master cni0
local 10.7.7.7 dev eth0 table local proto kernel scope host src 10.7.7.7
Deleted local 10.7.7.7 dev eth0 table local proto kernel scope host src 10.7.7.7
broadcast 10.42.0.255 dev cni0 table local proto kernel scope link src 10.42.0.1
multicast ff00::/8 dev cni0 table local proto kernel metric 256 pref medium
2: eth0    inet 192.0.2.11/25 brd 192.0.2.127 scope global dynamic eth0\       valid_lft 3600sec preferred_lft 3600sec
default via fe80::1 dev eth0 proto ra metric 1024 expires 1799sec hoplimit 64 pref medium
"""


@pytest.mark.parametrize("line", MATTER.strip().splitlines())
def test_what_matters(line: str) -> None:
    """Links, addresses, routes, PERMANENT neighbours and all of flannel's devices trigger a collection."""
    assert relevant(line)


@pytest.mark.parametrize("line", ["", "   ", *NOISE.strip().splitlines()])
def test_what_does_not(line: str) -> None:
    """Neighbours that come and go, learnt MACs, the local table and renewals cost a quiet cluster nothing."""
    assert not relevant(line)
