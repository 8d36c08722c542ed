"""Hosts: how a node's operating system keeps its settings, as far as a runbook writes them; read, never changed.

One batch of commands a node, and a pure reading of what they said. Nothing of what may hold a secret is kept: of
registries.yaml, of netplan and of k3s's own configuration only what the facts below name.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec
import yaml

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs
from probes.model.text import clean, clean_lines

REGISTRIES: Final = "/etc/rancher/k3s/registries.yaml"
NET_CONF: Final = "/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json"
_K3S: Final = "/etc/rancher/k3s"
_MOST: Final = 65536
"""Bytes of a file."""

_OPTIONS: Final = (
    "grep -shE '^ *(flannel-conf|disable-default-registry-endpoint) *:' "
    f"{_K3S}/config.yaml {_K3S}/config.yaml.d/*.yaml; exit 0"
)
_NM_MTU: Final = 'nmcli -g 802-3-ethernet.mtu connection show uuid "$(nmcli -g GENERAL.CON-UUID device show "$0")"'
_PROGRAMS: Final = """for p in ethtool ip iptables iptables-restore; do
  f=$(command -v $p) || f=$(ls /var/lib/rancher/k3s/data/current/bin/aux/$p 2>/dev/null) || continue
  printf '%s=%s\\n' "$p" "$f"
done"""
_MIRRORS: Final = f"""f={REGISTRIES}
if [ -L "$f" ]; then echo managed; exit 0; fi
if [ ! -e "$f" ]; then echo absent; exit 0; fi
if grep -qE '^mirrors:[[:space:]]*(#.*)?$' "$f"; then
  echo mirrors
  sed -n '/^mirrors:/,/^[^[:space:]#]/p' "$f" | grep -oE '^ +[^ #-][^ ]*:[[:space:]]*$' | head -n 1
  exit 0
fi
if grep -qE '^[^#]*mirrors' "$f"; then echo odd; else echo bare; fi"""
_OURS: Final = f"""for f in {_K3S}/config.yaml.d/*underlay* /etc/netplan/*underlay* \\
  /etc/systemd/network/*.d/*underlay* /etc/systemd/system/k3s*.service.d/*underlay* \\
  /etc/NetworkManager/conf.d/*underlay* /etc/underlay/* {NET_CONF} \\
  /etc/udev/rules.d/90-flannel.rules /etc/systemd/network/10-flannel.link; do
  [ -f "$f" ] || continue
  printf '\\036%s\\n' "$f"; head -c {_MOST} "$f"
done"""


def steps(uplink: str) -> tuple[Step, ...]:
    """List what a node is asked; ``uplink``: the link whose configuration is sought."""
    return (
        Step("os", ("cat", "/etc/os-release")),
        Step("networkctl", ("networkctl", "--no-pager", "--lines=0", "status", uplink)),
        Step("networkctl-old", ("networkctl", "--no-pager", "status", uplink), orelse=True),
        Step("nmcli", ("nmcli", "-g", "GENERAL.STATE", "device", "show", uplink)),
        Step("nm-mtu", ("sh", "-c", _NM_MTU, uplink)),
        Step("netplan", ("netplan", "get"), root=True),
        Step("options", ("sh", "-c", _OPTIONS), root=True),
        Step("mirrors", ("sh", "-c", _MIRRORS), root=True),
        Step("programs", ("sh", "-c", _PROGRAMS)),
        Step("ours", ("sh", "-c", _OURS), root=True),
    )


class HostFacts(msgspec.Struct, frozen=True):
    """What one host said."""

    facts: Mapping[str, str]
    """By name, what ``${node.host.NAME}`` is."""
    files: Mapping[str, str]
    """By path, files of the kind that runbooks write."""


def parse(outputs: Outputs, uplink: str, mac: str = "") -> HostFacts:
    """Read what a node answered; a fact that it did not tell is not there.

    ``mac``: of the uplink, by which netplan may name it.
    """
    facts = dict(_network(outputs, uplink, mac))
    if (mirrors := _good(outputs, "mirrors")) is not None:
        word, _, first = mirrors.partition("\n")
        facts["registries"] = clean(word.strip())
        facts["registries-indent"] = " " * (len(first) - len(first.lstrip(" "))) or "  "
    if (said := _good(outputs, "options")) is not None:
        pairs = (line.partition(":") for line in said.splitlines())
        options = {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
        facts["flannel-conf"] = clean(options.get("flannel-conf", "")) or "default"
        facts["upstream"] = "dropped" if options.get("disable-default-registry-endpoint") == "true" else "kept"
    for line in (_good(outputs, "programs") or "").splitlines():
        name, _, path = line.partition("=")
        if path.startswith("/"):
            facts[name] = clean(path)
    return HostFacts(facts, dict(_files(_good(outputs, "ours") or "")))


def _good(outputs: Outputs, step: str) -> str | None:
    done = outputs.get(step)
    return done.stdout if done is not None and done.returncode == 0 else None


def _network(outputs: Outputs, uplink: str, mac: str) -> Iterator[tuple[str, str]]:
    """Tell who configures the uplink: the one that manages it now, not one that merely is installed."""
    release = _good(outputs, "os")
    if release is None or not uplink:
        return
    system = next((line[3:].strip("\"' ") for line in release.splitlines() if line.startswith("ID=")), "")
    yield "os", "nixos" if system == "nixos" else "usual"
    if system == "nixos":
        yield "network", "nixos"
        return
    if (_good(outputs, "nmcli") or "").startswith("100"):
        own = (_good(outputs, "nm-mtu") or "").strip()
        yield "network", "networkmanager" if own in {"", "0", "auto"} else "networkmanager-own"
        return
    planned = _netplan(_good(outputs, "netplan") or "", uplink, mac)
    file = _networkd(_good(outputs, "networkctl") or _good(outputs, "networkctl-old") or "")
    if planned and (not file or "netplan" in file):
        yield "network", "netplan"
        yield from zip(("netplan-section", "netplan-id"), planned, strict=True)
    elif file:
        yield "network", "networkd"
        yield "network-dropin", f"/etc/systemd/network/{PurePosixPath(file).name}.d"
    else:
        yield "network", "other"


def _networkd(text: str) -> str:
    """Find the .network file by which systemd-networkd configures a link, empty where it leaves it alone."""
    file = re.search(r"^\s*Network File: (/\S+\.network)\s*$", text, re.MULTILINE)
    state = re.search(r"^\s*State: \S+ \(([a-z]+)\)\s*$", text, re.MULTILINE)
    return clean(file[1]) if file and state and state[1] in {"configured", "configuring"} else ""


def _netplan(text: str, uplink: str, mac: str) -> tuple[str, str] | None:
    """Find a link's section and id in what ``netplan get`` says: by its id, its match, or the name it is given."""
    try:
        said = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    network = said.get("network") if isinstance(said, dict) else None
    for section, entries in network.items() if isinstance(network, dict) else ():
        for ident, entry in entries.items() if isinstance(entries, dict) else ():
            if _is_link(str(ident), entry, uplink, mac):
                return clean(str(section)), clean(str(ident))
    return None


def _is_link(ident: str, entry: Any, uplink: str, mac: str) -> bool:
    if not isinstance(entry, dict):
        return False
    match = entry.get("match")
    if not isinstance(match, dict):
        return ident == uplink
    address = str(match.get("macaddress", "")).lower()
    by_name = fnmatchcase(uplink, str(match["name"])) if "name" in match else False
    return entry.get("set-name") == uplink or by_name or bool(mac and address == mac.lower())


def _files(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split("\x1e")[1:]:
        path, _, content = part.partition("\n")
        if path.startswith("/"):
            yield clean(path), clean_lines(content)
