"""How a host keeps its settings is read from what its own tools say."""

from collections.abc import Mapping

import pytest

from probes.model.observation import Completed
from runbooks.hosts import parse, steps

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n'
NETWORKD = """● 2: eth0
                   Link File: /usr/lib/systemd/network/99-default.link
                Network File: {file}
                       State: routable ({state})
                Online state: online
                         MTU: 1500 (min: 68, max: 65535)
"""
NETPLAN = """network:
  version: 2
  renderer: networkd
  ethernets:
    lan0:
      match:
        macaddress: 52:54:00:aa:bb:cc
      set-name: eth0
      dhcp4: true
  wifis:
    wlan0:
      access-points:
        home:
          password: s3cret
"""


def told(**said: str | None) -> Mapping[str, Completed]:
    """Let a host answer some steps; ``_`` stands for a hyphen."""
    names = {name.replace("_", "-"): text for name, text in said.items()}
    return {
        name: Completed((name,), 127 if text is None else 0, text or "")
        for name, text in ({"os": DEBIAN} | names).items()
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {"network": "other"}),
        ({"os": 'ID="nixos"\n'}, {"network": "nixos", "os": "nixos"}),
        (
            {"networkctl": NETWORKD.format(file="/etc/systemd/network/20-wired.network", state="configured")},
            {"network": "networkd", "network-dropin": "/etc/systemd/network/20-wired.network.d"},
        ),
        (
            {"networkctl": NETWORKD.format(file="/usr/lib/systemd/network/80.network", state="unmanaged")},
            {"network": "other"},
        ),
        ({"networkctl": NETWORKD.format(file="n/a", state="configured")}, {"network": "other"}),
        (
            {"networkctl_old": NETWORKD.format(file="/run/systemd/network/w.network", state="configuring")},
            {"network": "networkd", "network-dropin": "/etc/systemd/network/w.network.d"},
        ),
        (
            {
                "networkctl": NETWORKD.format(file="/run/systemd/network/10-netplan-lan0.network", state="configured"),
                "netplan": NETPLAN,
            },
            {"network": "netplan", "netplan-section": "ethernets", "netplan-id": "lan0"},
        ),
        ({"netplan": NETPLAN}, {"network": "netplan", "netplan-id": "lan0"}),
        (
            {"netplan": "network:\n  bonds:\n    eth0: {mtu: 9000}\n"},
            {"netplan-section": "bonds", "netplan-id": "eth0"},
        ),
        ({"netplan": "network: {ethernets: {e: {match: {name: 'eth*'}}}}"}, {"netplan-id": "e"}),
        ({"netplan": "network: {ethernets: {e: {match: {name: 'ens*'}}}}"}, {"network": "other"}),
        ({"netplan": "network: ["}, {"network": "other"}),
        ({"nmcli": "100 (connected)\n", "nm_mtu": "auto\n"}, {"network": "networkmanager"}),
        ({"nmcli": "100 (connected)\n", "nm_mtu": "1500\n"}, {"network": "networkmanager-own"}),
        ({"nmcli": "10 (unmanaged)\n"}, {"network": "other"}),
        ({"mirrors": "absent\n"}, {"registries": "absent"}),
        ({"mirrors": "mirrors\n    ghcr.io:\n"}, {"registries": "mirrors", "registries-indent": "    "}),
        ({"mirrors": "mirrors\n"}, {"registries": "mirrors", "registries-indent": "  "}),
        ({"options": ""}, {"flannel-conf": "default", "upstream": "kept"}),
        (
            {"options": 'flannel-conf: "/etc/f.json"\ndisable-default-registry-endpoint: true\n'},
            {"flannel-conf": "/etc/f.json", "upstream": "dropped"},
        ),
        ({"programs": "ip=/sbin/ip\nethtool=\n"}, {"ip": "/sbin/ip"}),
    ],
)
def test_facts(said: dict[str, str], expected: dict[str, str]) -> None:
    """Who manages the uplink now, how its file is named, and what k3s's own files say."""
    facts = parse(told(**said), "eth0", "52:54:00:AA:BB:CC").facts
    assert expected.items() <= dict(facts).items()
    assert "s3cret" not in str(facts)


def test_what_was_not_told_is_not_known() -> None:
    """A host that did not say which system it is has no network configuration that anybody may write."""
    assert parse({}, "eth0").facts == {}
    assert "network" not in parse(told(os=None), "eth0").facts
    assert "ethtool" not in parse(told(programs="ethtool=\n"), "eth0").facts


def test_files_that_runbooks_wrote_are_read_back() -> None:
    """By path, with their content made harmless."""
    said = "\x1e/etc/underlay/a.rules\n*mangle\nCOMMIT\n\x1e/etc/netplan/90-underlay-mtu.yaml\nx\x1b[2J\n"
    files = parse(told(ours=said), "eth0").files
    assert files["/etc/underlay/a.rules"] == "*mangle\nCOMMIT\n"
    assert "\x1b" not in files["/etc/netplan/90-underlay-mtu.yaml"]


def test_an_uplink_is_an_argument() -> None:
    """Its name stands in no script."""
    for step in steps("eth0; reboot"):
        assert "reboot" not in " ".join(step.argv[:3]) or step.argv[0] in {"networkctl", "nmcli"}
