"""The kernel settings of a node that decide over forwarding, path MTU discovery and probes."""

import re
from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, brief, printed

_PATHS: Final = (
    "net/ipv4/ip_forward",
    "net/ipv4/ip_forward_use_pmtu",
    "net/ipv4/ip_no_pmtu_disc",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_base_mss",
    "net/ipv4/route/mtu_expires",
    "net/ipv4/ping_group_range",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/conf/default/rp_filter",
    "net/ipv4/conf/flannel.1/rp_filter",
    "net/ipv6/conf/all/forwarding",
    "net/ipv6/conf/all/disable_ipv6",
    "net/bridge/bridge-nf-call-iptables",
    "net/netfilter/nf_conntrack_max",
)
STEPS: Final = (Step("sysctls", ("grep", "-H", ".", *(f"/proc/sys/{path}" for path in _PATHS))),)

_LINE: Final = re.compile(r"/proc/sys/([A-Za-z0-9_./-]{1,120}):(.*)")
_SWAP: Final = str.maketrans("/.", "./")


def parse(outputs: Outputs) -> dict[str, str]:
    """Read the settings that this kernel has, by the names that sysctl(8) prints; raises Unreadable.

    Words of a value are parted by one space. An interface's dot is a slash there, as in
    ``net.ipv4.conf.flannel/1.rp_filter``.
    """
    found = [_LINE.fullmatch(line) for line in printed(outputs, "sysctls").splitlines()]
    settings = {line[1].translate(_SWAP): brief(line[2]) for line in found if line}
    if not settings:
        raise Unreadable("/proc/sys gave no setting")
    return settings
