"""``underlay probe git``: the cluster's own repositories, fetched by both versions of HTTP from every vantage."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from probes.kube.known_hosts import NotRead, read_known_hosts
from probes.model.flux import FluxObject
from probes.model.reach import Result, percentile
from probes.model.snapshot import Snapshot
from probes.model.text import clean
from probes.reach.cloning import REPOSITORIES, Repository, fetch_repositories
from probes.reach.git import spelled
from probes.reach.greeting import Server, greet
from probes.transports.known_hosts import KnownHosts
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, grid, wrap
from tui.cli.ground import Ground
from tui.cli.place import PlaceError
from tui.cli.probe import Report, collected, milliseconds
from tui.cli.probe_findings import publish
from tui.cli.versions import side_by_side
from tui.format import size

_PHASES: Final = {"dns": "dns", "connect": "tcp", "tls": "tls", "refs": "refs", "clone": "clone"}
_SSH_PHASES: Final = {"dns": "dns", "connect": "tcp", "banner": "banner"}
_CONSENT: Final = "give --read-secret to have it held against the known_hosts of the source's Secret"


async def run(arguments: Arguments, ground: Ground) -> int:
    """Fetch, print, and return the verdict as exit status."""
    urls = chosen(arguments.targets, ground.snapshot)
    repositories = [Repository(url, ", ".join(names)) for url, names in urls.items() if not _is_ssh(url)]
    servers = [await _server(url, names, arguments, ground) for url, names in urls.items() if _is_ssh(url)]
    vantages = ground.offered.vantages
    tries, seconds, always = arguments.attempts, arguments.timeout, arguments.counted

    async def send(report: Report) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                fetch_repositories(vantages, repositories, report, attempts=tries, seconds=seconds, always=always)
            )
            tasks.create_task(greet(vantages, servers, report, attempts=tries, seconds=seconds))

    found = await collected("git", len(urls) * len(vantages), send, ground)
    return await publish(arguments, ground, found, lambda paper: render(found, ground, paper))


def chosen(targets: Sequence[str], snapshot: Snapshot) -> dict[str, list[str]]:
    """Take the repositories named, as URL or as GitRepository; else those of every GitRepository of the cluster.

    URL without secrets -> the GitRepositories that have it, as NAMESPACE/NAME; raises PlaceError.
    """
    sources = _sources(snapshot)
    called: dict[str, list[str]] = {}
    for name, each in sources.items():
        if (url := _spelled(each.url)) is not None:
            called.setdefault(url, []).append(name)
    urls = [_named(target, sources) for target in targets] or list(called)
    if not urls:
        raise PlaceError("there is no repository to fetch: the cluster has no GitRepository, so name one or more URLs")
    if len(urls) > REPOSITORIES and targets:
        raise PlaceError(f"{len(urls)} repositories are too many for one run: give at most {REPOSITORIES}")
    return {url: called.get(url, []) for url in dict.fromkeys(urls[:REPOSITORIES])}


def _sources(snapshot: Snapshot) -> dict[str, FluxObject]:
    found = [each for each in snapshot.flux.values() if each.ref.kind == "GitRepository"]
    return {f"{each.ref.namespace}/{each.ref.name}": each for each in sorted(found, key=lambda each: each.ref)}


def _named(target: str, sources: Mapping[str, FluxObject]) -> str:
    alike = [name for name in sources if target in {name, name.partition("/")[2]}]
    if "://" not in target and len(alike) > 1:
        raise PlaceError(f"{target} is the name of several GitRepositories: give one of {', '.join(alike)}")
    url = _spelled(target if "://" in target else sources[alike[0]].url if alike else "")
    if url is None:
        raise PlaceError(
            f"{clean(target)[:60]} is no repository: give https://HOST/PATH, ssh://HOST/PATH, or NAMESPACE/NAME of a "
            "GitRepository"
        )
    return url


def _spelled(url: str) -> str | None:
    """Write a URL without what may be secret in it; None where git cannot be asked for it."""
    try:
        if not url.startswith("ssh://"):
            return spelled(url)
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return None
    return f"ssh://{f'[{host}]' if ':' in host else host}{port}{parts.path}" if host else None


def _is_ssh(url: str) -> bool:
    return url.startswith("ssh://")


def unread(url: str, names: Sequence[str]) -> Server:
    """Give the server of an ssh URL, of which nobody allowed to read the host keys that Flux trusts."""
    parts = urlsplit(url)
    return Server(url, parts.hostname or "", parts.port or 22, ", ".join(names), None, _CONSENT)


async def _server(url: str, names: Sequence[str], arguments: Arguments, ground: Ground) -> Server:
    server = unread(url, names)
    if not arguments.read_secret:
        return server
    sources = _sources(ground.snapshot)
    why = "no GitRepository has this URL, so there is no Secret to hold it against"
    for name in names:
        source = sources[name]
        if not source.secret:
            continue
        try:
            text = await read_known_hosts(ground.wires.api, source.ref.namespace, source.secret)
        except NotRead as error:
            why = str(error)
            continue
        where = f"known_hosts of Secret {source.ref.namespace}/{source.secret}"
        known = KnownHosts()
        known.add(text, where)
        keys = tuple(known.of_host(server.host, server.port))
        return Server(url, server.host, server.port, server.called, keys, where)
    return Server(url, server.host, server.port, server.called, None, why)


def render(found: Sequence[Result], ground: Ground, paper: Paper) -> str:
    """Write a grid a repository, a row a vantage, with the median of every phase."""
    lines: list[str] = []
    for target in dict.fromkeys(each.target for each in found):
        here = [each for each in found if each.target == target]
        called = f"  {here[0].called}" if here[0].called else ""
        lines += ["", paper.paint(Cell(f"{target}{called}", "title"))]
        phases = _SSH_PHASES if _is_ssh(target) else _PHASES
        header = ("FROM", "VERDICT", "LOST", *phases.values(), "p95 ms", *(() if _is_ssh(target) else ("PACK",)))
        lines += grid(paper, header, [_row(each, phases, paper) for each in side_by_side(here)], flexible=1)
        lines += _said(here, paper)
    for name, why in ground.offered.missing.items():
        lines += ["", *wrap(paper.text(f"not asked: {name}: {why}"), paper.width)]
    return "\n".join(lines).strip("\n") + "\n"


def _said(here: Sequence[Result], paper: Paper) -> list[str]:
    """Say beneath a grid what its rows have no room for, once for all that have the same to say."""
    said: dict[str, list[str]] = {}
    for each in here:
        if each.reason:
            said.setdefault(each.reason, []).append(each.vantage)
        if (to := each.facts.get("redirects-to")) and each.outcome != "fails":
            said.setdefault(f"the URL redirects to {to}: spell it so in spec.url", []).append(each.vantage)
        if each.facts.get("by") == "curl":
            text = "has no git: its curl fetched the same pack and let it go"
            said.setdefault(text, []).append(each.vantage)
        if keys := [f"{kind[9:]} {key}" for kind, key in each.facts.items() if kind.startswith("host-key ")]:
            said.setdefault(f"{each.facts.get('banner', '')}, {', '.join(keys)}", []).append(each.vantage)
    lines = []
    for text, names in said.items():
        who = "everywhere" if len(names) == len(here) > 1 else ", ".join(names)
        lines += wrap(paper.text(f"{who}: {text}"), paper.width)
    return lines


def _row(each: Result, phases: Mapping[str, str], paper: Paper) -> list[Cell]:
    medians = [
        milliseconds(percentile([a.seconds[phase] for a in each.attempts if phase in a.seconds], 0.5))
        for phase in phases
    ]
    packed = each.facts.get("pack")
    pack = [] if _is_ssh(each.target) else [Cell(size(int(packed), paper.glyphs) if packed else "·")]
    return [
        Cell(each.vantage),
        Cell(each.said, each.tone),
        Cell(f"{each.lost}/{each.sent}" if each.sent else "·"),
        *map(Cell, medians),
        Cell(milliseconds(percentile(each.times, 0.95))),
        *pack,
    ]
