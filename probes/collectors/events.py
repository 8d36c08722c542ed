"""The kernel's own account of changes on a node: hints that trigger a collection, never facts."""

import re
from typing import Final

_SCRIPT: Final = """\
LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin; export LC_ALL PATH
[ "$(id -u)" = 0 ] && s= || s="sudo -n"
ip -o monitor link address route neigh & a=$!
bridge monitor fdb & b=$!
$s journalctl -q -f -n 0 -o cat UNIT=k3s.service UNIT=k3s-agent.service & c=$!
trap 'kill $a $b $c' EXIT HUP INT TERM
cat >/dev/null
"""
MONITOR: Final = ("sh", "-c", _SCRIPT)
"""What the node runs for as long as we watch it; its standard input stays open, and its end takes everything along.

The kernel tells of links, addresses, routes, neighbours and forwarding entries; systemd, by the journal, that k3s was
started, stopped or has failed, which changes nothing in the kernel while its VXLAN device outlives it.
"""

JOURNAL: Final = ("journalctl", "-q", "-f", "-n", "0", "-o", "cat", "UNIT=k3s.service", "UNIT=k3s-agent.service")
"""systemd's part of MONITOR alone, for a node whose kernel we hear over netlink."""

_LABEL: Final = re.compile(r"^\[[A-Z]+\]")
_LINK: Final = re.compile(r"^(?:Deleted )?[0-9]+: ")
_STATE: Final = re.compile(r"\b(?:INCOMPLETE|REACHABLE|STALE|DELAY|PROBE|FAILED|NOARP|PERMANENT|NONE)\b")
_MAC: Final = re.compile(r"^(?:Deleted )?(?:[0-9a-f]{2}:){5}[0-9a-f]{2} ")
_FLANNEL: Final = re.compile(r"\bdev flannel")
_LOCAL: Final = re.compile(r"\btable (?:cache|local)\b|^(?:Deleted )?(?:local|broadcast|multicast|anycast) ")
_RENEWED: Final = re.compile(r"^[0-9]+: \S+ +inet6? .*\bdynamic\b|\bproto ra\b|\bexpires [0-9]+sec\b")


def relevant(line: str) -> bool:
    """Tell whether a line of MONITOR may change a fact; a quiet cluster's lines do not.

    Left out: neighbours of other devices than flannel's unless PERMANENT (they turn STALE and REACHABLE all day),
    multicast addresses, MACs that a bridge learns, the local table, and renewals of leased addresses and advertised
    routes; a new one of those brings other lines with it. Everything else counts.
    """
    text = _LABEL.sub("", line.strip())
    if not text:
        return False
    if _MAC.match(text):
        return " dst " in text or bool(_FLANNEL.search(text))
    if not _LINK.match(text) and _STATE.search(text):
        return "PERMANENT" in text or (bool(_FLANNEL.search(text)) and "NOARP" not in text)
    return not _LOCAL.search(text) and (text.startswith("Deleted ") or not _RENEWED.search(text))
