"""Vantage: a place from which a probe is sent, and how commands run there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from probes.transports.base import Transport

Kind = Literal["operator", "node", "pod", "host"]
KINDS: Final[tuple[Kind, ...]] = ("operator", "node", "pod", "host")
"""In the order in which they are shown: from outside inwards, then what the operator named."""


@dataclass(frozen=True)
class Vantage:
    """A place from which a probe is sent."""

    kind: Kind
    """``operator``: this machine. ``node``: a node's own network. ``pod``: a pod's network namespace on its node.
    ``host``: a further machine that the settings name, such as the hypervisor or the gateway."""
    name: str
    """``operator``, the node's name, ``pod@NODE`` or the name in the settings."""
    transport: "Transport"
    node: str = ""
    address: str = ""
    """Where others reach it; empty where nobody needs to."""
    netns: str = ""
    """The pod's network namespace, as /run/netns names it."""
    pod: str = ""
    """``NAMESPACE/NAME`` of the pod whose network it is, where the API tells."""
    unresolved: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Names that were looked up there a moment ago in vain, each with the reason: they are not asked for again."""

    @property
    def root(self) -> bool:
        """Whether commands there need root: entering a namespace does."""
        return bool(self.netns)

    def argv(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """Give the command that runs ``argv`` in this vantage's network.

        ``ip netns exec`` runs the node's own program, so a pod's view needs no program in its image and no image pull.
        """
        return ("ip", "netns", "exec", self.netns, *argv) if self.netns else argv
