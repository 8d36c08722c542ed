"""Probes as a matrix: what is worth probing, by the places that it is probed from."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from probes.model.reach import WORST, Result
from probes.rules.finding import Diagnosis
from tui.format import Glyphs, Span, status, width
from tui.probed import Key, Probed, variants_of
from tui.views.probes_cells import BETWEEN, Reading, ago, is_old, not_run, path_text, sign, target_cell
from tui.views.probes_paths import Pair, aged, badge_of, is_between
from tui.views.probes_wanted import SOURCE, urls

_FEW: Final = 6
"""Nodes; where there are more, only those that something was sent from have columns."""
_PATHS: Final = {"pmtu": "path MTU", "ping": "ping", "mesh": "mesh"}
_VARIANTS: Final = {"HTTP/1.1": "h1", "HTTP/2": "h2"}
_FAULTS: Final = frozenset({"critical", "warning", "unknown"})


class Spot(NamedTuple):
    """What a row of the matrix is of."""

    probe: str
    target: str = ""
    """Empty: all of a kind that goes from place to place."""
    asked: str = ""
    variant: str = ""

    def key(self, vantage: str) -> Key:
        """Name the result that a vantage has of it."""
        return Key(self.probe, vantage, self.target, self.asked)


class Targets(NamedTuple):
    """A matrix of targets by vantages."""

    labels: tuple[str, ...] = ()
    vantages: tuple[str, ...] = ()
    spots: Mapping[str, Spot] = {}
    """By label."""
    rows: Mapping[str, "TargetRow"] = {}
    faults: frozenset[str] = frozenset()
    badge: Span = Span("")
    note: str = ""


class TargetRow:
    """What all vantages found of one target; no cell is made before it is looked up."""

    def __init__(self, spot: Spot, index: "_Index", now: float, glyphs: Glyphs) -> None:
        self.room = 0
        """Cells that one vantage has."""
        self._spot = spot
        self._index = index
        self._now = now
        self._glyphs = glyphs

    def get(self, vantage: str) -> tuple[Span, ...]:
        """Say what one vantage found."""
        spot, probed = self._spot, self._index.probed
        if not spot.target:
            results = self._index.between.get((spot.probe, vantage), ())
            dead = sum(self._index.is_dead(each) for each in results)
            return _paths_cell(results, dead, self.room, self._now, self._glyphs)
        key = spot.key(vantage)
        samples = probed.samples.get(key, {}).get(spot.variant, ())
        return target_cell(probed.latest.get(key), spot.variant, samples, self.room, self._now, self._glyphs)


class _Index:
    """Results by what the rows need of them."""

    def __init__(self, probed: Probed) -> None:
        self.probed = probed
        self.between: dict[tuple[str, str], list[Result]] = {}
        self.others: dict[tuple[str, str, str], list[Result]] = {}
        """By probe, target and what was asked."""
        for each in probed.latest.values():
            if each.probe in BETWEEN and is_between(each):
                self.between.setdefault((each.probe, each.vantage), []).append(each)
            else:
                self.others.setdefault((each.probe, each.target, each.asked), []).append(each)

    def is_dead(self, result: Result) -> bool:
        """Whether nothing passes between two pods whose nodes reach each other."""
        if result.kind != "pod":
            return False
        return Pair(self.probed.latest.get(Key(result.probe, result.node, result.peer)), result).is_dead


def targets(probed: Probed, diagnosis: Diagnosis, now: float, glyphs: Glyphs) -> Targets:
    """Draw up what was probed, and what is worth it and was not."""
    index = _Index(probed)
    vantages = _vantages(probed, diagnosis)
    spots = _spots(index, diagnosis) if vantages else []
    labels = _labels(spots)
    rows = {label: TargetRow(spot, index, now, glyphs) for label, spot in labels.items()}
    faults = frozenset(label for label, spot in labels.items() if _is_fault(spot, index))
    results = list(probed.latest.values())
    return Targets(
        tuple(labels),
        vantages,
        labels,
        rows,
        faults,
        badge_of(results, now, glyphs, worse=sum(map(index.is_dead, results))),
        aged(results, now) or "nothing probed yet",
    )


def _spots(index: _Index, diagnosis: Diagnosis) -> list[Spot]:
    """List the rows: paths first, then what is worth asking for, then whatever else was probed."""
    found = [Spot(kind) for kind in BETWEEN if kind == "pmtu" or any(each[0] == kind for each in index.between)]
    known = dict.fromkeys((probe, url, "") for url in urls(diagnosis) for probe in SOURCE)
    for probe, target, asked in {**known, **dict.fromkeys(index.others)}:
        results = index.others.get((probe, target, asked), [])
        variants = dict.fromkeys(variant for each in results for variant in variants_of(each))
        if not variants and probe in {"http", "git"}:
            variants = dict.fromkeys(_VARIANTS if target.startswith("https:") else ("HTTP/1.1",))
        found += [Spot(probe, target, asked, variant) for variant in variants or ("",)]
    return found


def _labels(spots: Sequence[Spot]) -> dict[str, Spot]:
    """Call each row by the shortest name that tells it from the others."""
    hosts: dict[str, set[str]] = {}
    for spot in spots:
        hosts.setdefault(_host(spot.target), set()).add(spot.target)
    made: dict[str, Spot] = {}
    for spot in spots:
        if not spot.target:
            made[_PATHS[spot.probe]] = spot
            continue
        host = _host(spot.target)
        name = host if len(hosts[host]) == 1 else f"{host}/{spot.target.rstrip('/').rpartition('/')[2]}"
        words = [name, *([spot.asked] if spot.asked else [])]
        words += [] if spot.probe == "http" else [spot.probe]
        words += [_VARIANTS.get(spot.variant, spot.variant)] if spot.variant else []
        label = " ".join(words)
        made[label if label not in made else f"{spot.target} {label}"] = spot
    return made


def _host(target: str) -> str:
    try:
        return (urlsplit(target).hostname or target) if "://" in target else target
    except ValueError:
        return target


def _is_fault(spot: Spot, index: _Index) -> bool:
    if not spot.target:
        return any(
            each.tone in _FAULTS
            for (probe, _), results in index.between.items()
            if probe == spot.probe
            for each in results
        )
    results = index.others.get((spot.probe, spot.target, spot.asked), [])
    return any(Reading(each, spot.variant).tone in _FAULTS for each in results)


def _vantages(probed: Probed, diagnosis: Diagnosis) -> tuple[str, ...]:
    """List the columns: this machine, then each node beside its pod, then further hosts."""
    kinds = {each.vantage: each.kind for each in probed.latest.values()}
    operators = [name for name, kind in kinds.items() if kind == "operator"]
    hosts = sorted(name for name, kind in kinds.items() if kind == "host")
    is_few = len(diagnosis.views) <= _FEW
    names = [
        *diagnosis.views,
        *sorted({each.node for each in probed.latest.values() if each.node} - {*diagnosis.views}),
    ]
    places = [place for name in names for place in (name, f"pod@{name}")]
    others = sorted(name for name, kind in kinds.items() if kind in {"node", "pod"} and name not in places)
    return (*operators, *(place for place in places if is_few or place in kinds), *others, *hosts)


def _paths_cell(results: Sequence[Result], dead: int, room: int, now: float, glyphs: Glyphs) -> tuple[Span, ...]:
    """Sum up the directions from one vantage by the worst of them, of which some are dead."""
    if not results:
        return (not_run(glyphs),)
    worst = max(results, key=lambda each: (WORST[each.tone], -((each.sizes.mtu if each.sizes else None) or 0)))
    newest = max(each.at for each in results)
    tone, text = ("critical", "dead") if dead else (worst.tone, path_text(worst))
    head = sign(tone, text, glyphs, old=is_old(worst, now))
    bad = sum(each.tone != "ok" for each in results)
    spans = [head]
    left = room - width(head.text)
    for text, tone in ((f" {bad}/{len(results)}" if bad else "", head.tone), (f" {ago(now - newest)}", "muted")):
        if text and len(text) <= left:
            spans.append(Span(text, tone))
            left -= len(text)
    return tuple(spans)


def nothing(diagnosis: Diagnosis, glyphs: Glyphs) -> Span:
    """Say why there is nothing to probe."""
    return status("loading", glyphs, "asking for nodes") if not diagnosis.views else status("none", glyphs, "no target")
