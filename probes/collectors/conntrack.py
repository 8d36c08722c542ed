"""How full a node's connection tracking table is."""

from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import MAX_U32, Outputs, Unreadable, absent, number, said
from probes.model.network import Conntrack

_FOLDER: Final = "/proc/sys/net/netfilter"
STEPS: Final = (Step("conntrack", ("cat", f"{_FOLDER}/nf_conntrack_count", f"{_FOLDER}/nf_conntrack_max")),)


def parse(outputs: Outputs) -> Conntrack | None:
    """Read entries in use and their maximum, None where the kernel tracks no connections; raises Unreadable."""
    if absent(outputs, "conntrack"):
        return None
    words = said(outputs, "conntrack").split()
    numbers = [value for value in (number(word, 0, MAX_U32) for word in words) if value is not None]
    if len(words) != 2 or len(numbers) != 2:  # noqa: PLR2004 - one of each file
        raise Unreadable(f"{_FOLDER} gave no count and maximum")
    return Conntrack(*numbers)
