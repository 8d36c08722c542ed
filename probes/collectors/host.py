"""What a node is: its name, kernel, k3s version, boot and the user we are on it."""

import re
from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, brief, printed, said
from probes.model.network import Host

_DATA: Final = "/var/lib/rancher/k3s/data/"
"""Where k3s unpacks itself, a folder a build: ``current`` is a link to the newest, made when that first ran, and
``previous`` to the one that was it before (k3s cmd/k3s/main.go, extract). ``stat`` tells of the links themselves."""
STEPS: Final = (
    Step("host", ("uname", "-r")),
    Step("hostname", ("hostname",)),
    Step("hostname-proc", ("cat", "/proc/sys/kernel/hostname"), orelse=True),
    Step("boot", ("cat", "/proc/sys/kernel/random/boot_id")),
    Step("user", ("id", "-un")),
    Step("k3s", ("k3s", "--version")),
    Step("k3s-data", ("stat", "-c", "%Y %n", f"{_DATA}current", f"{_DATA}previous"), root=True),
)

_K3S: Final = re.compile(r"k3s version (\S{1,60})")


def parse(outputs: Outputs) -> Host:
    """Read what a node is; raises Unreadable where not even its kernel is known."""
    kernel = brief(said(outputs, "host"))
    if not kernel:
        raise Unreadable("`uname -r` said nothing")
    version = _K3S.search(_word(outputs, "k3s"))
    return Host(
        hostname=_word(outputs, "hostname") or _word(outputs, "hostname-proc"),
        kernel=kernel,
        k3s_version=version[1] if version else "",
        boot_id=_word(outputs, "boot"),
        user=_word(outputs, "user"),
        k3s_changed_at=_changed_at(outputs),
    )


_LINK: Final = re.compile(rf"(?m)^([0-9]{{1,12}}) {re.escape(_DATA)}(current|previous)$")


def _changed_at(outputs: Outputs) -> float | None:
    """Tell when the build that runs was unpacked, if one ran before."""
    try:
        told = printed(outputs, "k3s-data")
    except Unreadable:
        return None
    links = {name: float(at) for at, name in _LINK.findall(told)}
    return links["current"] if len(links) == 2 else None  # noqa: PLR2004 - both of them


def _word(outputs: Outputs, step: str) -> str:
    try:
        return brief(said(outputs, step))
    except Unreadable:
        return ""
