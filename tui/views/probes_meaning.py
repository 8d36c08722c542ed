"""What the outcomes of probes mean, and what would show that they are wrong."""

from collections.abc import Mapping
from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """What an outcome says."""

    means: str
    refutes: str
    """What to look for before it is believed."""


_UNSENT: Final = Meaning(
    "Nothing could be sent from there, so this says nothing of the path.",
    "Put right what the reason names and probe again.",
)
_SLOW: Final = Meaning(
    "Everything came back, and half of the tries took too long, most of it in the phase that is named.",
    "Another run at another hour, or the same target from another place: where both are as slow, it is the far end.",
)
_RANDOM: Final = Meaning(
    "Some tries failed and others, alike in everything, did not: loss on the way, or a server with several addresses "
    "of which one is ill. No size and no version is to blame.",
    "Twenty tries that all succeed, or failures that go by one address or one size.",
)
_PATHS: Final[Mapping[str, Meaning]] = {
    "ok": Meaning(
        "A packet as large as the device that it leaves by takes comes back whole. Nothing on this way is too small.",
        "TCP that stalls here all the same: then look at offloads of the device, not at sizes.",
    ),
    "told": Meaning(
        "Something on the way is smaller than the device and says so: senders learn of it and cut their packets. It "
        "is no blackhole; the first packets of each connection are lost, and UDP may suffer.",
        "A sender that goes on sending large ones: its kernel does not hear the ICMP that the probe heard.",
    ),
    "silent": Meaning(
        "Small packets come back and larger ones are lost without a word: a blackhole. Connections open and then "
        "stall as soon as full-size segments flow: TLS certificates, image layers, git packs.",
        "A connection with a small segment size (TCP_MAXSEG 1200) that stalls just the same, or a second search that "
        "finds another size.",
    ),
    "unreachable": Meaning(
        "Somebody on the way says that there is no way: a route is missing, or a neighbour does not answer.",
        "Another address of the same place that answers.",
    ),
    "inconclusive": Meaning(
        "No size came back, or what is lost does not go by size: echo may be filtered, its rate limited, or nobody is "
        "there.",
        "A pod there that answers ping: then only this pod's NetworkPolicy drops it.",
    ),
    "large-lost": Meaning(
        "Small packets come back and full-size ones are lost without a word: the path MTU is the next thing to search.",
        "A path MTU search that finds the device's own size.",
    ),
    "lossy": Meaning(
        "Some packets are lost, small and large ones alike: congestion or a bad link, not sizes.",
        "A loss that goes by size, or one that another run does not see.",
    ),
    "unassessed": _UNSENT,
}
_ONE_VERSION: Final = (
    "HTTP/{there} works and HTTP/{here} does not, each time. Neither can make a packet larger than the MTU: both are "
    "bytes in a TCP stream. Something looks into it, or breaks off long connections: a proxy, a firewall, the server."
)
_HTTP: Final[Mapping[str, Meaning]] = {
    "ok": Meaning(
        "Every try was answered. Any status is a working way: 401 of a registry is health. Only a body of 64 KiB shows "
        "that full-size segments flow.",
        "A small body: then a large download from the same host still may stall.",
    ),
    "fails": Meaning(
        "No try came through. In dns: the resolver. In tcp: the way there, or a firewall. In tls: the certificates, "
        "the first full-size packets, did not come back: a path that is too small for them. Later: the same, or the "
        "server.",
        "The same target from another place that fails alike: then it is the far end.",
    ),
    "h2-only-fails": Meaning(
        _ONE_VERSION.format(there="1.1", here="2"),
        "One HTTP/2 try that succeeds, or HTTP/1.1 that stalls on a larger body: then it is the size.",
    ),
    "h1-only-fails": Meaning(
        _ONE_VERSION.format(there="2", here="1.1"), "One HTTP/1.1 try that succeeds, or HTTP/2 that stalls later."
    ),
    "random": _RANDOM,
    "slow": _SLOW,
    "refused": Meaning(
        "The way there works; the server answers with an error of its own.", "Another host of the same service."
    ),
    "unassessed": _UNSENT,
}
_DNS: Final[Mapping[str, Meaning]] = {
    "ok": Meaning("Every question was answered.", "A name that only fails at times: ask more often."),
    "slow": _SLOW,
    "no-such-name": Meaning(
        "The resolver answers, and says that there is no such name: right for a name that is not there, and for a "
        "cluster with another domain.",
        "Another resolver that has the name.",
    ),
    "silent": Meaning(
        "No answer within two seconds. By CoreDNS's service and not by its pods: kube-proxy. Only from other nodes "
        "than CoreDNS's own: the overlay. A resolver outside: the way out, or it is down.",
        "The same question from the same place by TCP that is answered.",
    ),
    "refused": Meaning("Nobody listens there, or there is no way.", "The same question a minute later, answered."),
    "fails": Meaning(
        "The resolver answers with an error of its own: what it asks in turn does not answer it.",
        "The resolver behind it, asked directly, that does answer.",
    ),
    "random": _RANDOM,
    "unassessed": _UNSENT,
}
_TCP: Final[Mapping[str, Meaning]] = {
    "ok": Meaning(
        "Every connection carried everything, in usual and in small segments, full-size ones both ways.",
        "A transfer from here that stalls all the same: then look at the server, or at loss that comes and goes.",
    ),
    "blackhole": Meaning(
        "Every connection stalled in segments of the usual size and none in small ones: full-size packets are lost "
        "without a word, on the way that is named. It is no matter of HTTP, TLS or git.",
        "A connection in small segments that stalls as well, or a path MTU search that finds the device's own size.",
    ),
    "lossy": Meaning(
        "Everything came through, and one connection in five or more had to send something again.",
        "Another run without anything sent again.",
    ),
    "random-loss": _RANDOM,
    "fails": Meaning(
        "Every connection opened and stalled, in small segments too: no matter of size. The server, or something that "
        "lets connections open and nothing else.",
        "One try in small segments that carries.",
    ),
    "inconclusive": Meaning(
        "Too little came back, or too few tries were made, to tell size from loss.",
        "More tries, or a larger answer: name a URL of something large.",
    ),
    "refused": Meaning("Nobody listens there: the way works.", "A connection that opens a minute later."),
    "unreachable": Meaning("No connection opened, and nobody said why.", "A connection that opens a minute later."),
    "unassessed": _UNSENT,
}
_TLS: Final[Mapping[str, Meaning]] = {
    "ok": Meaning(
        "The certificates came whole, are for this name, and are believed by this machine. Nodes, containerd and pods "
        "may trust others.",
        "A client there that complains of the certificate: then its own list of authorities is another.",
    ),
    "expires-soon": Meaning("All is well, and not for long: renew it.", "A newer certificate that another try shows."),
    "expired": Meaning("What is shown is too old: clients refuse it.", "The clock of this machine, if that is wrong."),
    "wrong-name": Meaning(
        "What is shown is for others: another server answers at this address, or something in between does.",
        "The same name from another place that shows the right certificate: then it is in between.",
    ),
    "untrusted": Meaning(
        "Nobody that this machine knows issued it: a proxy that looks into TLS, an authority of your own, or a server "
        "that leaves an intermediate out.",
        "The authority in the trust of those that have to believe it.",
    ),
    "lost": Meaning(
        "Connections open and the certificates do not come: they are the first full-size packets, and so a path MTU "
        "blackhole shows here first; or the server stalls.",
        "TCP in small segments that stalls as well: then it is the server.",
    ),
    "random": _RANDOM,
    "no-tls": Meaning("Something else than TLS answers there.", "The right port."),
    "refused": Meaning("Nobody listens there: the way works.", "A connection that opens a minute later."),
    "unreachable": Meaning("No connection opened, and nobody said why.", "A connection that opens a minute later."),
    "unassessed": _UNSENT,
}
_REGISTRY: Final[Mapping[str, Meaning]] = {
    "ok": Meaning(
        "Every stage came whole, up to the first 128 KiB of a layer at the host where that lies.",
        "A pull by containerd that fails all the same: then look at its mirrors and its trust.",
    ),
    "fails": Meaning(
        "No try came through the stage that is named. At blob: the host that blobs lie on, or full-size packets; what "
        "comes before is small and passes where those do not.",
        "The same image from another place that fails alike: then it is the far end.",
    ),
    "slow-blob": Meaning(
        "The registry answers at once and the host that it redirects to for blobs is slow.",
        "A blob of another image that comes quickly from the same host.",
    ),
    "slow": _SLOW,
    "random": _RANDOM,
    "rate-limited": Meaning("The way works: too much was asked of it (429).", "The same with a login, or later."),
    "denied": Meaning(
        "The way works: anonymously the registry does not give it. Private and missing look alike at some.",
        "A pull with the cluster's own secret that is refused as well.",
    ),
    "no-image": Meaning("The way works: there is no such image or tag.", "The tag in the registry's own list."),
    "refused": Meaning(
        "The way there works; the registry answers with an error of its own.", "Another image of the same registry."
    ),
    "unassessed": _UNSENT,
}
_GIT: Final[Mapping[str, Meaning]] = {
    **_HTTP,
    "login": Meaning(
        "The way works up to there; whether a whole repository passes is not known, as it asks for a login.",
        "A repository of the same server that asks for none.",
    ),
    "not-compared": Meaning(
        "The server is reached and greets. Its host key is not held against Flux's: that reads a Secret, which only "
        "`underlay probe git --read-secret` does.",
        "Flux's own message that names the host key.",
    ),
    "unknown-host-key": Meaning("Flux trusts no key of this server, and refuses it.", "The key in its known_hosts."),
    "other-host-key": Meaning(
        "The server shows another key than Flux trusts: it was changed, or somebody else answers.",
        "The provider's published fingerprints.",
    ),
    "not-ssh": Meaning("Something else than an sshd greets there.", "The right port."),
}
_KINDS: Final[Mapping[str, Mapping[str, Meaning]]] = {
    "pmtu": _PATHS,
    "ping": _PATHS,
    "mesh": _PATHS,
    "http": _HTTP,
    "git": _GIT,
    "registry": _REGISTRY,
    "tcp": _TCP,
    "tls": _TLS,
    "dns": _DNS,
}
OUTCOMES: Final = {kind: frozenset(meanings) for kind, meanings in _KINDS.items()}
"""Outcomes that have a meaning here, by kind of probe."""


def meaning(probe: str, outcome: str) -> Meaning | None:
    """Tell what an outcome means; None where nobody has written that down."""
    return _KINDS.get(probe, {}).get(outcome)
