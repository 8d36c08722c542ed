"""What active probes came to: one value for every kind, so that findings, evidence and screens read them alike."""

from typing import Final, Literal

import msgspec

Tone = Literal["ok", "warning", "critical", "unknown"]
"""How good an outcome is: ``warning`` works and is not as it should be, ``unknown`` is never taken for well."""
Direction = Literal["there", "back", "both"]
"""Which way of the two a result speaks of, seen from its vantage."""


class Way(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a vantage sends to a target: what a result was measured over."""

    address: str = ""
    """The target's address as this vantage resolves it."""
    dev: str = ""
    mtu: int | None = None
    """Of the device."""
    learned: int | None = None
    """A path MTU that the kernel learned earlier and still keeps, for ten minutes by default (route.mtu_expires)."""
    expires: int | None = None
    """Seconds for which it does so."""
    gateway: str = ""
    prefsrc: str = ""
    reason: str = ""
    """Why it could not be found out."""


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One try of a probe, and how far it came."""

    variant: str = ""
    """What tells the tries of one result apart: ``HTTP/1.1``, ``HTTP/2``, ``mss 1200``; empty where nothing does."""
    seconds: dict[str, float] = {}
    """By phase in the order in which they were completed: ``dns``, ``connect``, ``tls``, ``first-byte``, …"""
    failed: str = ""
    """The phase it failed in; empty where it was completed."""
    reason: str = ""
    unable: str = ""
    """Why nothing could be sent at all: such a try says nothing of the path."""
    answer: str = ""
    """What came back, in the protocol's word: ``206``, ``NXDOMAIN``, ``told 1400 by 192.0.2.1``."""
    address: str = ""
    """Of the other end, as resolved there."""
    size: int | None = None
    """Bytes of the IP packet, where sizes are what is tried."""
    packets: tuple[int, int] | None = None
    """(sent, received), where a try is several packets."""
    rtts: tuple[float, ...] = ()
    """Seconds, of the packets that came back."""
    body: int = 0
    """Bytes received."""
    counters: dict[str, int] = {}
    """What the kernel counted meanwhile, by nstat's or TCP_INFO's names."""

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return sum(self.seconds.values())

    @property
    def well(self) -> bool:
        """Whether it was completed."""
        return not self.failed and not self.unable


class Sizes(msgspec.Struct, frozen=True):
    """What a search of the path MTU found; bytes of the whole IP packet."""

    mtu: int | None = None
    """The largest that came back."""
    lost_from: int | None = None
    """The smallest that was lost without a word while a smaller one came back."""
    by: str = ""
    """Who told that ``mtu`` is all that passes; empty: the sender's own kernel, or nobody had to."""


class Result(msgspec.Struct, frozen=True):
    """What one kind of probe came to from one vantage to one target."""

    probe: str
    """The kind, as on the command line: ``pmtu``, ``ping``, ``tcp``, ``tls``, ``http``, ``dns``, …"""
    vantage: str
    """``operator``, a node's name, ``pod@NODE``, the name of a further host."""
    kind: str
    """Of the vantage."""
    target: str
    """As asked for: a URL without secrets, a host, a name, or the name of another vantage."""
    outcome: str
    """The kind's own stable word: ``ok``, ``silent``, ``h2-only-fails``, …; docs/probes.md lists them."""
    tone: Tone
    said: str
    """The outcome in a few words, for a cell: ``silent above 1400``."""
    at: float
    """When it was concluded, in seconds since the epoch."""
    asked: str = ""
    """What was asked of the target, where one can be asked several things: a name of DNS, an image."""
    called: str = ""
    """What the target is, where its name does not say it: ``coredns on boromir``."""
    node: str = ""
    """The vantage's node; empty for operator and hosts."""
    pod: str = ""
    """``NAMESPACE/NAME`` of the pod whose network the vantage is."""
    peer: str = ""
    """The target's node, where it is a place of the cluster."""
    direction: Direction = "both"
    phase: str = ""
    """Of a failure or of slowness: the phase that most of the tries spent it in."""
    reason: str = ""
    """One sentence, where the outcome needs one."""
    way: Way = Way()
    sizes: Sizes | None = None
    sent: int = 0
    """Tries or packets that say something of the path."""
    lost: int = 0
    """Of these, those that failed or did not come back; of a size search, only of the sizes that pass."""
    times: tuple[float, ...] = ()
    """Seconds, of what came back whole: for medians and sparklines, in the order in which they were taken."""
    facts: dict[str, str] = {}
    """What else was learned, by a stable word: a certificate's ``expires``, a repository's ``size``."""
    attempts: tuple[Attempt, ...] = ()

    @property
    def address(self) -> str:
        """The target's address as this vantage resolves it; empty where that is not known."""
        return self.way.address or next((each.address for each in self.attempts if each.address), "")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Tell it from every other result of one run."""
        return self.probe, self.vantage, self.target, self.asked


WORST: Final[dict[Tone, int]] = {"ok": 0, "unknown": 1, "warning": 2, "critical": 3}
"""Tones in the order in which they count."""


def percentile(values: "tuple[float, ...] | list[float]", share: float) -> float | None:
    """Give the value below which a share of the values lies (nearest rank); None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
