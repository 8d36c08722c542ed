"""The network namespaces of a node's pods, as CNI names them under /run/netns."""

import re
from typing import Final

import msgspec

from probes.collectors import links
from probes.collectors.batch import Step
from probes.collectors.reading import MAX_INDEX, MAX_MTU, Outputs, Unreadable, decoded, said, within
from probes.model.network import PodNetns
from probes.model.text import clean

STEPS: Final = (
    Step("netns-ids", ("ip", "-j", "netns", "list"), root=True),
    Step("pods", ("ip", "-all", "netns", "exec", "ip", "-j", "addr", "show"), timeout=15, root=True),
)

_SECTION: Final = re.compile(r"^netns: ([^\n/]{1,255})$", re.MULTILINE)


class _RawNetns(msgspec.Struct, gc=False):
    name: str = ""
    id: int | None = None


_NETNS: Final = msgspec.json.Decoder(list[_RawNetns | None] | None)


def parse(outputs: Outputs) -> tuple[PodNetns, ...]:
    """Read every namespace's own link, eth0 where there is one, by name; raises Unreadable.

    A namespace that could not be entered is listed without a link.
    """
    ids = _ids(outputs)
    _, *parts = _SECTION.split(said(outputs, "pods"))
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return tuple(_netns(name, ids.get(name), sections.get(name, "")) for name in sorted({*ids, *sections}))


def _ids(outputs: Outputs) -> dict[str, int | None]:
    try:
        raw = decoded(said(outputs, "netns-ids"), _NETNS, "ip -j netns list")
    except Unreadable:  # an older ip prints no JSON here; the ids only tie a veth to its pod
        return {}
    return {netns.name: within(netns.id, 0, MAX_INDEX) for netns in raw if netns.name}


def _netns(name: str, netnsid: int | None, text: str) -> PodNetns:
    try:
        found = decoded(text, links.LINKS, "ip -j addr show")
    except Unreadable:  # what one pod's namespace says costs no other pod its fact
        found = []
    outside = [link for link in found if link.ifname and "LOOPBACK" not in (link.flags or ())]
    chosen = next((link for link in outside if link.ifname == "eth0"), outside[0] if outside else None)
    if chosen is None:
        return PodNetns(clean(name), netnsid)
    return PodNetns(
        name=clean(name),
        netnsid=netnsid,
        ifname=clean(chosen.ifname),
        mtu=within(chosen.mtu, 1, MAX_MTU),
        addresses=links.addresses(chosen.addr_info),
    )
