"""The resolv.conf of a node: the host's, systemd-resolved's upstream one and the one that k3s wrote for pods."""

from typing import Final

from probes.collectors.batch import Step
from probes.collectors.reading import Outputs, Unreadable, found
from probes.model.network import Resolvers
from probes.model.text import clean

_PATHS: Final = {
    "resolv": "/etc/resolv.conf",
    "resolv-systemd": "/run/systemd/resolve/resolv.conf",
    "resolv-k3s": "/var/lib/rancher/k3s/agent/etc/resolv.conf",
}
STEPS: Final = tuple(Step(name, ("cat", path), root=name == "resolv-k3s") for name, path in _PATHS.items())


def parse(outputs: Outputs) -> tuple[Resolvers, ...]:
    """Read those that exist (resolv.conf(5)); raises Unreadable where none could be read.

    Where :func:`gap` is not empty, one of them is not known.
    """
    texts = {step: _try(outputs, step) for step in _PATHS}
    if all(isinstance(text, Unreadable) for text in texts.values()):
        raise Unreadable(str(texts["resolv"]))
    return tuple(_resolvers(_PATHS[step], text) for step, text in texts.items() if isinstance(text, str))


def gap(outputs: Outputs) -> str:
    """Say which of the files could not be read: empty where each was read or does not exist."""
    texts = {step: _try(outputs, step) for step in _PATHS}
    return "; ".join(f"{_PATHS[step]}: {text}" for step, text in texts.items() if isinstance(text, Unreadable))


def _try(outputs: Outputs, step: str) -> str | Unreadable | None:
    try:
        return found(outputs, step)
    except Unreadable as error:
        return error


def _resolvers(path: str, text: str) -> Resolvers:
    nameservers: list[str] = []
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        keyword, *words = [clean(word) for word in line.split()] or [""]
        if keyword == "nameserver":
            nameservers += words[:1]
        elif keyword in {"search", "domain"}:  # the last one counts
            search = tuple(words)
        elif keyword == "options":
            options = (*options, *words)
    return Resolvers(path, tuple(nameservers), search, options)
