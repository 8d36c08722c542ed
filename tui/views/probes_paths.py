"""Paths between places as a matrix: what each node and each pod reaches of every other, and how large a packet."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from probes.model.reach import WORST, Result
from probes.rules.finding import Diagnosis
from tui.format import Glyphs, Span, status, width
from tui.probed import Probed
from tui.views.probes_cells import ago, is_old, not_run, path_text, sign

_FAULTS: Final = frozenset({"critical", "warning", "unknown"})
_DELIVERED: Final = frozenset({"ok", "told", "silent", "lossy", "large-lost"})
"""Outcomes in which at least small packets came back."""
_GAP: Final = Span(" ")


class Pair(NamedTuple):
    """One direction: between the two nodes, and between their pods."""

    node: Result | None = None
    pod: Result | None = None

    @property
    def results(self) -> list[Result]:
        """Those that there are."""
        return [each for each in self if each is not None]

    @property
    def is_dead(self) -> bool:
        """Whether the nodes reach each other and nothing of any size passes between their pods: no overlay."""
        if self.node is None or self.pod is None:
            return False
        is_nothing = self.pod.outcome in {"inconclusive", "unreachable"} and not _passes(self.pod)
        return is_nothing and self.node.outcome in _DELIVERED and _passes(self.node)

    @property
    def tones(self) -> list[str]:
        """How good its parts are; what the contrast shows counts as well."""
        return [*(each.tone for each in self.results), *(["critical"] if self.is_dead else [])]


def _passes(result: Result) -> bool:
    """Whether anything came back at all."""
    return result.sent > result.lost


class PathRow:
    """What one place found of all others; no cell is made before it is looked up."""

    def __init__(self, source: str, found: Mapping[str, Pair], now: float, glyphs: Glyphs) -> None:
        self._source = source
        self._found = found
        self._now = now
        self._glyphs = glyphs

    def get(self, destination: str) -> tuple[Span, ...] | None:
        """Say what is known of one direction; None from a place to itself."""
        if destination == self._source:
            return None
        return pair_cell(self._found.get(destination), self._now, self._glyphs)


class Paths(NamedTuple):
    """A matrix of places by nodes."""

    sources: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    found: Mapping[str, Mapping[str, Pair]] = {}
    rows: Mapping[str, PathRow] = {}
    widest: int = 0
    faults: frozenset[str] = frozenset()
    """Sources from which something is not well, or not known."""
    badge: Span = Span("")
    note: str = ""

    def pair(self, source: str, destination: str) -> Pair:
        """Look up a direction."""
        return self.found.get(source, {}).get(destination, Pair())


def pair_cell(pair: Pair | None, now: float, glyphs: Glyphs) -> tuple[Span, ...]:
    """Say what both parts of a direction carry: between the nodes, then between their pods."""
    if pair is None or not pair.results:
        return (not_run(glyphs),)
    return (_part(pair.node, now, glyphs), _GAP, _part(pair.pod, now, glyphs, dead=pair.is_dead))


def _part(result: Result | None, now: float, glyphs: Glyphs, *, dead: bool = False) -> Span:
    if result is None:
        return status("none", glyphs)
    tone, text = ("critical", "dead") if dead else (result.tone, path_text(result))
    return sign(tone, text, glyphs, old=is_old(result, now))


def paths(probed: Probed, diagnosis: Diagnosis, kinds: Sequence[str], now: float, glyphs: Glyphs) -> Paths:
    """Draw up what probes of these kinds found between places."""
    nodes = tuple(diagnosis.views)
    found: dict[str, dict[str, Pair]] = {}
    results = [each for each in probed.latest.values() if each.probe in kinds and is_between(each)]
    for each in results:
        row = found.setdefault(each.node or each.vantage, {})
        pair = row.get(each.peer, Pair())
        row[each.peer] = pair._replace(pod=each) if each.kind == "pod" else pair._replace(node=each)
    others = sorted(name for name in found if name not in diagnosis.views)
    gone = sorted({each.peer for each in results} - {*nodes})
    sources = (*(name for name in others if name not in gone), *nodes, *gone)
    cells = [pair_cell(pair, now, glyphs) for row in found.values() for pair in row.values()]
    widest = max((sum(width(span.text) for span in each) for each in (*cells, (not_run(glyphs),))), default=0)
    pairs = [pair for row in found.values() for pair in row.values()]
    faults = frozenset(
        name for name, row in found.items() if any(tone in _FAULTS for pair in row.values() for tone in pair.tones)
    )
    rows = {name: PathRow(name, found.get(name, {}), now, glyphs) for name in sources}
    dead = sum(pair.is_dead for pair in pairs)
    badge = badge_of(results, now, glyphs, worse=dead)
    return Paths(sources, (*nodes, *gone), found, rows, widest, faults, badge, aged(results, now))


def is_between(result: Result) -> bool:
    """Whether a result is of two places of the cluster."""
    return bool(result.peer) and result.target in {result.peer, f"pod@{result.peer}"}


def badge_of(results: Sequence[Result], now: float, glyphs: Glyphs, *, worse: int = 0) -> Span:
    """Say how bad the worst is, and how often; what only was so counts as old.

    ``worse``: how many are critical only by contrast with others.
    """
    if not results:
        return status("none", glyphs)
    fresh = [each for each in results if not is_old(each, now)]
    if not fresh:
        return status("stale", glyphs, str(len(results)))
    worst = "critical" if worse else max((each.tone for each in fresh), key=lambda tone: WORST[tone])
    return status(worst, glyphs, str(sum(each.tone == worst for each in fresh) + worse))


def aged(results: Sequence[Result], now: float) -> str:
    """Say how old results are; empty where there are none."""
    if not results:
        return ""
    newest, oldest = (ago(now - pick(each.at for each in results)) for pick in (max, min))
    return f"probed {newest}" if newest == oldest else f"probed {newest} to {oldest}"
