"""Proposals: what each kind of probe would send for what is wanted, in one sentence, and how it is sent."""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from probes.model.reach import Result
from probes.reach import artifact
from probes.reach.asking import ask
from probes.reach.cloning import REPOSITORIES, Repository, fetch_repositories
from probes.reach.exchanging import Goal
from probes.reach.experiment import TARGETS as TCP_TARGETS
from probes.reach.experiment import experiment
from probes.reach.fetch import TARGETS, fetch
from probes.reach.greeting import greet
from probes.reach.handshakes import TARGETS as TLS_TARGETS
from probes.reach.handshakes import handshakes
from probes.reach.pairs import PAIRS, Plan, Target, pairs
from probes.reach.paths import search
from probes.reach.registries import IMAGES, ask_registries
from probes.reach.registry import parse_image
from probes.reach.sounding import sound
from probes.reach.tcp import FEWEST
from probes.vantage import Kind, Vantage
from tui.cli import probe_dns, probe_mesh
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe_git import unread
from tui.cli.probe_tcp import CONNECTION_SECONDS, goal
from tui.probing import CannotProbe, Report, Wanted

ATTEMPTS: Final = 3
CLONES: Final = 2
PINGS: Final = 10
MESH_PINGS: Final = 5
"""Of each of two sizes."""
SECONDS: Final = 10.0
"""For one request."""
_NAMED: Final = 3
"""Places and targets that a sentence names."""


class Part(NamedTuple):
    """What one kind of probe would send."""

    what: str
    where: str
    total: int
    """How many results will come; 0: there is nothing to send."""
    send: Callable[[Report], Awaitable[None]]


Make = Callable[[Wanted, Ground], Awaitable[Part]]


async def pmtu(wanted: Wanted, ground: Ground) -> Part:
    """Search the path MTU between places."""
    ways = _between("pmtu", wanted, ground)

    async def send(report: Report) -> None:
        ways.tell_unsent(report)
        await search(ways.plan, report)

    return Part("path MTU", ways.says, ways.total, send)


async def ping(wanted: Wanted, ground: Ground) -> Part:
    """Send small and full-size packets between places."""
    ways = _between("ping", wanted, ground)

    async def send(report: Report) -> None:
        ways.tell_unsent(report)
        await sound(ways.plan, report, probe="ping", packets=PINGS)

    return Part(f"ping ({PINGS} small, {PINGS} full-size)", ways.says, ways.total, send)


async def mesh(wanted: Wanted, ground: Ground) -> Part:
    """Send small and full-size packets between all places, and take an artifact as Flux's controllers do."""
    ways = _between("mesh", wanted, ground)
    hops = await probe_mesh.hops_of(ground, {})

    async def send(report: Report) -> None:
        ways.tell_unsent(report)
        await sound(ways.plan, report, probe="mesh", packets=MESH_PINGS)
        await artifact.take(hops, report, attempts=2, seconds=probe_mesh.TAKE_SECONDS)

    what = f"ping ({MESH_PINGS} small, {MESH_PINGS} full-size)"
    what += f" and {_counted(len(hops), 'artifact download')}" if hops else ""
    return Part(what, ways.says, ways.total + len(hops), send)


async def http(wanted: Wanted, ground: Ground) -> Part:
    """Hold HTTP/1.1 against HTTP/2 for some URLs."""
    urls = [url for url in wanted.targets if url.startswith(("https://", "http://"))][:TARGETS]

    def send(vantages: Sequence[Vantage], report: Report) -> Awaitable[None]:
        return fetch(vantages, urls, report, attempts=ATTEMPTS, seconds=SECONDS)

    what = f"HTTP/1.1 and HTTP/2 to {{}}, {ATTEMPTS} times each,"
    return _outward("http", what, {url: urlsplit(url).hostname or url for url in urls}, ground, send)


async def git(wanted: Wanted, ground: Ground) -> Part:
    """Fetch repositories as source-controller does, by both versions of HTTP; greet those that are reached by SSH."""
    urls = [url for url in wanted.targets if url.startswith(("https://", "http://", "ssh://"))][:REPOSITORIES]
    servers = [unread(url, ()) for url in urls if url.startswith("ssh://")]
    repositories = [Repository(url) for url in urls if not url.startswith("ssh://")]

    async def send(vantages: Sequence[Vantage], report: Report) -> None:
        await fetch_repositories(vantages, repositories, report, attempts=CLONES, seconds=SECONDS)
        await greet(vantages, servers, report, attempts=ATTEMPTS, seconds=SECONDS)

    what = (
        f"{CLONES} shallow clones of {{}} by each version" if repositories else f"{ATTEMPTS} greetings of {{}} by SSH"
    )
    return _outward("git", what, {url: urlsplit(url).hostname or url for url in urls}, ground, send)


async def registry(wanted: Wanted, ground: Ground) -> Part:
    """Ask registries stage by stage up to a blob."""
    images, wrong = [], ""
    for each in wanted.images[:IMAGES]:
        try:
            images.append(parse_image(each))
        except ValueError as error:
            wrong = str(error)
    if wrong and not images:
        raise CannotProbe(wrong)

    def send(vantages: Sequence[Vantage], report: Report) -> Awaitable[None]:
        return ask_registries(vantages, images, report, attempts=CLONES, seconds=SECONDS)

    stages = "up to a blob" if any(image.name for image in images) else "up to its challenge"
    what = f"the registry{'' if len(images) == 1 else ' each'} of {{}} {stages}, {CLONES} times"
    return _outward("registry", what, {image.shown: image.host for image in images}, ground, send)


async def tcp(wanted: Wanted, ground: Ground) -> Part:
    """Try the same bytes in usual and in small segments."""
    goals = _goals(wanted)[:TCP_TARGETS]

    def send(vantages: Sequence[Vantage], report: Report) -> Awaitable[None]:
        return experiment(vantages, goals, report, tries=FEWEST, seconds=CONNECTION_SECONDS)

    what = f"TCP to {{}} in usual and in small segments, {FEWEST} times each,"
    return _outward("tcp", what, {goal.name: goal.name for goal in goals}, ground, send)


async def tls(wanted: Wanted, ground: Ground) -> Part:
    """Ask for certificates."""
    goals = [goal for goal in _goals(wanted) if not goal.path][:TLS_TARGETS]

    def send(vantages: Sequence[Vantage], report: Report) -> Awaitable[None]:
        return handshakes(vantages, goals, report, tries=ATTEMPTS, seconds=CONNECTION_SECONDS)

    what = f"TLS handshakes with {{}}, {ATTEMPTS} times,"
    return _outward("tls", what, {goal.name: goal.name for goal in goals}, ground, send)


def _goals(wanted: Wanted) -> list[Goal]:
    try:
        return list({goal(each).name: goal(each) for each in wanted.targets if "ssh://" not in each}.values())
    except PlaceError as error:
        raise CannotProbe(str(error)) from error


def _outward(
    probe: str,
    what: str,
    targets: Mapping[str, str],
    ground: Ground,
    send: Callable[[Sequence[Vantage], Report], Awaitable[None]],
) -> Part:
    """Make the part of a probe from every vantage to targets: as results name each -> as a sentence does."""
    vantages = ground.offered.vantages
    unsent = [_unsent(probe, name, each, why) for name, why in ground.offered.missing.items() for each in targets]

    async def tell(report: Report) -> None:
        for each in unsent:
            report(each)
        await send(vantages, report)

    count = len(targets) * len(vantages)
    said = what.format(_named(list(dict.fromkeys(targets.values()))))
    return Part(said, f"from {_from(vantages)}", count + len(unsent) if count else 0, tell)


async def dns(wanted: Wanted, ground: Ground) -> Part:
    """Ask every resolver that a vantage has."""
    names = [urlsplit(each).hostname or "" if "://" in each else each for each in wanted.targets]
    try:
        inside = await probe_dns.inside_of(ground, {})
        plan = await probe_dns.plan([name for name in names if name], ground, {}, inside)
    except PlaceError as error:
        raise CannotProbe(str(error)) from error
    count = sum(map(len, plan.values()))

    async def send(report: Report) -> None:
        await ask(plan, report, attempts=ATTEMPTS, seconds=probe_dns.SECONDS)

    asked = dict.fromkeys(question.name for questions in plan.values() for question in questions)
    what = f"DNS questions for {_named(list(asked))}, {ATTEMPTS} of each resolver,"
    return Part(what, f"from {_from(list(plan))}", count, send)


def sentence(parts: Sequence[Part]) -> str:
    """Say what is sent from where to where, what goes the same ways together."""
    ways: dict[str, list[str]] = {}
    for part in parts:
        ways.setdefault(part.where, []).append(part.what)
    # What ends in a comma, for the places that follow it, has another one in an enumeration.
    parts_of = {where: [*(each.rstrip(",") for each in what[:-1]), what[-1]] for where, what in ways.items()}
    return "; ".join(f"{_joined(what)} {where}" for where, what in parts_of.items())


KINDS: Final[Mapping[str, Make]] = {
    "pmtu": pmtu,
    "ping": ping,
    "mesh": mesh,
    "tcp": tcp,
    "tls": tls,
    "http": http,
    "git": git,
    "registry": registry,
    "dns": dns,
}


class _Ways(NamedTuple):
    """Directions between places, and those that cannot be tried."""

    plan: Plan
    unsent: list[Result]
    says: str
    total: int

    def tell_unsent(self, report: Report) -> None:
        """Report what cannot be tried."""
        for each in self.unsent:
            report(each)


def _between(probe: str, wanted: Wanted, ground: Ground) -> _Ways:
    plan, total = directions(wanted, ground.offered.vantages)
    unsent = list(_unsent_places(probe, wanted, ground))
    count = sum(map(len, plan.values()))
    sample = f", a sample of {total}" if total > count else ""
    says = f"{_ways(wanted)}: {_counted(count, 'direction')}{sample}"
    return _Ways(plan, unsent, says, count + len(unsent) if count else 0)


def directions(wanted: Wanted, vantages: Sequence[Vantage]) -> tuple[Plan, int]:
    """Choose the directions between places of one kind; everybody else reaches nodes, where no source is named.

    Gives the plan and how many directions there are altogether.
    """
    if not wanted.sources and not wanted.destinations:
        return pairs(vantages)
    plan: dict[Vantage, list[Target]] = {}
    total = 0
    for sender in vantages:
        if wanted.sources and sender.node not in wanted.sources:
            continue
        kind: Kind = "pod" if sender.kind == "pod" else "node"
        targets = [
            Target(each.name, each.address, each.node)
            for each in vantages
            if each.kind == kind and each.node != sender.node and each.address
            if not wanted.destinations or each.node in wanted.destinations
        ]
        if targets and total < PAIRS:
            plan[sender] = targets[: PAIRS - total]
        total += len(targets)
    return plan, total


def _unsent_places(probe: str, wanted: Wanted, ground: Ground) -> Iterator[Result]:
    """Say of each direction that cannot be tried why that is so, where it is few that are wanted."""
    if not wanted.destinations:
        return
    for name, why in ground.offered.missing.items():
        node = name.removeprefix("pod@")
        if node not in (wanted.sources or (node,)):
            continue
        for to in wanted.destinations:
            if to != node:
                yield _unsent(probe, f"pod@{node}", f"pod@{to}", why, peer=to)
            if to != node and name == node:
                yield _unsent(probe, node, to, why, peer=to)


def _unsent(probe: str, vantage: str, target: str, why: str, *, peer: str = "") -> Result:
    """Make the result of a probe that a vantage cannot send: unknown, with the reason."""
    node = vantage.removeprefix("pod@")
    return Result(
        probe=probe,
        vantage=vantage,
        kind="node" if node == vantage else "pod",
        target=target,
        outcome="unassessed",
        tone="unknown",
        said="not assessed",
        at=time.time(),
        node=node,
        peer=peer,
        reason=why,
    )


def _ways(wanted: Wanted) -> str:
    """Say from where to where."""
    if not wanted.sources and not wanted.destinations:
        return "between all places, nodes and pods"
    source = f"from {_named(wanted.sources)}" if wanted.sources else "from everywhere"
    return f"{source} to {_named(wanted.destinations)}, nodes and pods"


def _from(vantages: Sequence[Vantage]) -> str:
    return _named([each.name for each in vantages])


def _named(names: Sequence[str]) -> str:
    if len(names) > _NAMED + 1:
        return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"
    return _joined(names)


def _joined(names: Sequence[str]) -> str:
    return " and ".join([part for part in (", ".join(names[:-1]), *names[-1:]) if part])


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
