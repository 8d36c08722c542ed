"""Two runs held against each other: what a change of the network did. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from probes.model.evidence import Circumstances, Run
from probes.model.reach import WORST, Result, percentile

_NOTABLE: Final = 0.5
"""A median that changed by less than half of what it was, or by less than the following, is the same."""
_NOISE_SECONDS: Final = 0.02
Change = Literal["better", "worse", "slower", "faster", "same", "new", "gone"]


class Compared(msgspec.Struct, frozen=True):
    """One probe of one target from one vantage, before and after."""

    probe: str
    vantage: str
    target: str
    change: Change
    before: str = ""
    """What it came to, in a few words."""
    after: str = ""
    tones: tuple[str, str] = ("", "")
    medians: tuple[float | None, float | None] = (None, None)
    """Seconds."""
    lost: tuple[str, str] = ("", "")
    """``1/6`` before and after."""


class Difference(msgspec.Struct, frozen=True):
    """Something of a vantage's network that is not as it was."""

    vantage: str
    what: str
    """``mtu``, ``default route``, ``resolvers``, ``address of TARGET``."""
    before: str
    after: str


class Comparison(msgspec.Struct, frozen=True):
    """Two runs held against each other."""

    before: str
    after: str
    """Names of the runs."""
    differences: tuple[Difference, ...]
    compared: tuple[Compared, ...]


def compare(before: Run, after: Run) -> Comparison:
    """Hold a run against an earlier one."""
    old, new = ({each.key: each for each in run.results} for run in (before, after))
    keys = [*new, *(key for key in old if key not in new)]
    return Comparison(
        before.name,
        after.name,
        tuple(_differences(before, after)),
        tuple(_compared(old.get(key), new.get(key)) for key in keys),
    )


def _compared(old: Result | None, new: Result | None) -> Compared:
    known = new or old
    assert known is not None  # noqa: S101 - a key is of one of the two
    return Compared(
        known.probe,
        known.vantage,
        f"{known.target} {known.asked}".strip(),
        _change(old, new),
        before=old.said if old else "",
        after=new.said if new else "",
        tones=(old.tone if old else "", new.tone if new else ""),
        medians=(_median(old), _median(new)),
        lost=(_lost(old), _lost(new)),
    )


def _change(old: Result | None, new: Result | None) -> Change:
    if old is None or new is None:
        return "new" if old is None else "gone"
    if WORST[old.tone] != WORST[new.tone]:
        return "better" if WORST[new.tone] < WORST[old.tone] else "worse"
    shares = [each.lost / each.sent if each.sent else 0.0 for each in (old, new)]
    if shares[0] != shares[1]:
        return "better" if shares[1] < shares[0] else "worse"
    first, second = _median(old), _median(new)
    if first is None or second is None or abs(second - first) < max(_NOISE_SECONDS, _NOTABLE * first):
        return "same"
    return "slower" if second > first else "faster"


def _median(each: Result | None) -> float | None:
    return percentile(each.times, 0.5) if each is not None else None


def _lost(each: Result | None) -> str:
    return f"{each.lost}/{each.sent}" if each is not None and each.sent else ""


def _differences(before: Run, after: Run) -> Iterator[Difference]:
    old: Mapping[str, Circumstances] = {each.vantage: each for each in before.circumstances}
    for new in after.circumstances:
        was = old.get(new.vantage)
        if was is None or was.reason or new.reason:
            continue
        pairs = {
            "mtu": (f"{was.dev} {was.mtu}", f"{new.dev} {new.mtu}"),
            "default route": (was.gateway, new.gateway),
            "resolvers": (" ".join(was.resolvers), " ".join(new.resolvers)),
        }
        for target, address in new.addresses.items():
            pairs[f"address of {target}"] = (was.addresses.get(target, address), address)
        yield from (Difference(new.vantage, what, a, b) for what, (a, b) in pairs.items() if a != b)
