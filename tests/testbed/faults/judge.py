"""What was found held against what was to be found."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.testbed.faults.fault import Expected, Fault

Told = dict[str, Any]


def everything(findings: Iterable[Told]) -> Iterator[Told]:
    """Go through findings and all that is folded beneath them."""
    for finding in findings:
        yield finding
        yield from everything(finding["symptoms"])


def key(finding: Told) -> Expected:
    """Name a finding by its code and subject."""
    return Expected(finding["code"], finding["subject"])


@dataclass(frozen=True)
class Outcome:
    """What came of one fault, or of two at once."""

    faults: tuple[Fault, ...]
    first: str = "nothing"
    """The first finding."""
    wrong_first: str = ""
    missed: tuple[str, ...] = ()
    mistaken: tuple[str, ...] = ()
    """Findings that are not true, or that the fault's file does not know of."""
    unfolded: tuple[str, ...] = ()
    """Symptoms that are not beneath the root cause."""
    unhealed: tuple[str, ...] = ()
    """What was still found when all had been put back."""
    seconds: dict[str, float] = field(default_factory=dict)
    """How long injecting, finding and healing took."""

    @property
    def name(self) -> str:
        """The fault's name."""
        return " + ".join(fault.name for fault in self.faults)

    @property
    def good(self) -> bool:
        """Whether all is as the fault's file says."""
        return not (self.wrong_first or self.missed or self.mistaken or self.unfolded or self.unhealed)

    @property
    def complaints(self) -> tuple[str, ...]:
        """What is not as the fault's file says, in words."""
        parts = {
            "first was": (self.wrong_first,) if self.wrong_first else (),
            "missed": self.missed,
            "false alarm": self.mistaken,
            "not folded": self.unfolded,
            "still there afterwards": self.unhealed,
        }
        return tuple(f"{what}: {each}" for what, found in parts.items() for each in found)


def judge(faults: Sequence[Fault], findings: Sequence[Told], usual: frozenset[Expected]) -> Outcome:
    """Judge one diagnosis; `usual`: what is found on the healthy testbed as well (advice)."""
    roots = [each for each in findings if key(each) not in usual]
    expected = [each for fault in faults for each in fault.expect]
    keys = [key(each) for each in roots]
    true = {each.code for each in expected} | {code for fault in faults for code in fault.follows + fault.folded}
    barred = {code for fault in faults for code in fault.absent}
    found = list(everything(roots))
    mistaken = [str(key(e)) for e in found if e["code"] not in true or e["code"] in barred]
    # A code that is true of one node is not true of another.
    once = true - {code for fault in faults for code in fault.follows + fault.folded}
    mistaken += [str(key(e)) for e in found if e["code"] in once and key(e) not in expected]
    first = roots[0] if roots else None
    allowed = [fault.expect[0] for fault in faults if fault.expect]
    wrong = ""
    if allowed and (first is None or key(first) not in allowed):
        wrong = f"{first['severity']} {key(first)}" if first else "nothing"
    elif first is not None and len(faults) == 1 and faults[0].severity not in {"", first["severity"]}:
        wrong = f"{key(first)} was {first['severity']}, not {faults[0].severity}"
    return Outcome(
        tuple(faults),
        first=str(key(first)) if first else "nothing",
        wrong_first=wrong,
        missed=tuple(str(each) for each in expected if each not in keys),
        mistaken=tuple(dict.fromkeys(mistaken)),
        unfolded=tuple(_unfolded(faults, roots)),
    )


def _unfolded(faults: Sequence[Fault], roots: Sequence[Told]) -> Iterator[str]:
    for fault in faults:
        cause = next((each for each in roots if fault.expect and key(each) == fault.expect[0]), None)
        beneath = {each["code"] for each in everything(cause["symptoms"])} if cause else set()
        yield from (code for code in fault.folded if code not in beneath)


def line(outcome: Outcome) -> str:
    """Print what came of one fault, complaints on lines of their own."""
    expected = "; ".join(str(fault.expect[0]) for fault in outcome.faults)
    mark = "found" if outcome.good else "WRONG"
    row = f"{mark} {sum(outcome.seconds.values()):5.1f} s  {outcome.name:40} {expected}"
    return "\n".join([row, *(f"{'':15}{said}" for said in outcome.complaints)])


def total(outcomes: Sequence[Outcome]) -> str:
    """Sum up what came of all faults."""
    spent = sum(sum(each.seconds.values()) for each in outcomes)
    first = sum(not each.wrong_first and not each.missed for each in outcomes)
    return (
        f"{len(outcomes)} faults: root cause first {first}, missed {sum(len(e.missed) for e in outcomes)}, "
        f"false alarms {sum(len(e.mistaken) for e in outcomes)}, not folded {sum(len(e.unfolded) for e in outcomes)}; "
        f"{spent:.0f} s, {spent / max(1, len(outcomes)):.2f} s each"
    )
