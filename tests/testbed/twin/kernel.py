"""The node's kernel, spoken to with iproute2 as an operator would."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any


class CommandError(Exception):
    """A program that ended with another status than 0; says which and what it wrote."""


def run(argv: Sequence[str], *, check: bool = True, text: str | None = None) -> str:
    """Run one program, give its standard output; raises CommandError with what it wrote to standard error."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode != 0:
        raise CommandError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def ip(*argv: str, check: bool = True) -> str:
    """Run `ip` with these arguments."""
    return run(("ip", *argv), check=check)


def dump(*argv: str) -> list[dict[str, Any]]:
    """Objects of `ip -j …`; empty where the object does not exist or iproute2 prints nothing."""
    out = run(("ip", "-j", *argv), check=False).strip()
    found: list[dict[str, Any]] = json.loads(out) if out else []
    return [each for each in found if each]


def link(ifname: str) -> dict[str, Any] | None:
    """One link with its details (`ip -j -d link show`), or None."""
    found = dump("-d", "link", "show", "dev", ifname)
    return found[0] if found else None


def is_v6(address: str) -> bool:
    """Tell whether an address or a network is of IPv6."""
    return ":" in address


def uplink() -> str:
    """Find the device of the default route: what flannel takes without `--flannel-iface` (k3s docs, networking)."""
    for route in dump("-4", "route", "show", "default"):
        return str(route["dev"])
    raise CommandError("no default route: cannot find an external interface")


def first_address(ifname: str, *, v6: bool = False) -> str:
    """First IPv4 address of a device, or first global IPv6 one, without its prefix length."""
    for each in dump("-6" if v6 else "-4", "addr", "show", "dev", ifname, "scope", "global"):
        for info in each.get("addr_info", []):
            return str(info["local"])
    raise CommandError(f"{ifname} has no {'IPv6' if v6 else 'IPv4'} address")
