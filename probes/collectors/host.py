"""What a node is: its name, kernel, k3s version, boot and the user we are on it."""

import re
from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, brief, said
from probes.model.network import Host

STEPS: Final = (
    Step("host", ("uname", "-r")),
    Step("hostname", ("hostname",)),
    Step("hostname-proc", ("cat", "/proc/sys/kernel/hostname"), orelse=True),
    Step("boot", ("cat", "/proc/sys/kernel/random/boot_id")),
    Step("user", ("id", "-un")),
    Step("k3s", ("k3s", "--version")),
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
    )


def _word(outputs: Outputs, step: str) -> str:
    try:
        return brief(said(outputs, step))
    except Unreadable:
        return ""
