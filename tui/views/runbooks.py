"""Runbooks to choose from: what each fixes here now, and why one that does not help would not. Pure."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from probes.model.flux import ObjectRef
from probes.rules.finding import Diagnosis, Finding
from runbooks.runbook import Runbook
from runbooks.shelf import Catalog
from runbooks.sight import finding_key, findings_of
from tui.format import Glyphs, Span, status
from tui.views.finding_detail import cause_of
from tui.widgets.blocks import Block, Bullet, Field, Fields, Heading, Paragraph
from tui.widgets.cells import Row
from tui.widgets.columns import Column
from tui.widgets.items import Item, Listing

COLUMNS: Final = (
    Column("fit", "", least=9, most=18),
    Column("name", "RUNBOOK", least=12, most=26),
    Column("here", "FIXES HERE NOW", least=14, most=60, grow=True),
)
KIND: Final = "Runbook"
"""Of the ObjectRef that stands for a runbook in a list."""
ERROR: Final = "error:"


class Wanted(NamedTuple):
    """What a runbook is sought for."""

    ref: ObjectRef | None = None
    """The object, or the finding's subject; None: whatever there is."""
    code: str = ""
    """The finding's code; empty: any of the object's."""

    def findings(self, diagnosis: Diagnosis) -> tuple[Finding, ...]:
        """List the findings that are meant."""
        found = findings_of(diagnosis)
        if self.ref is None:
            return tuple(found)
        if self.code:
            return tuple(each for each in found if each.code == self.code and each.subject == self.ref)
        name = self.ref.name if self.ref.kind == "Node" else ""
        return tuple(each for each in found if each.subject == self.ref or (name and name in each.about))


class Fit(NamedTuple):
    """How a runbook fits what is sought."""

    runbook: Runbook
    rank: int
    """0 fixes it; 1 fixes what causes it; 2 fixes something else that is found; 3 fixes nothing that is found."""
    here: tuple[str, ...]
    """``CODE SUBJECT`` of what it fixes of what is sought or, where it is nothing of that, of all that is found."""
    reason: str = ""
    """Why it would not help."""


def fits(catalog: Catalog, diagnosis: Diagnosis, wanted: Wanted) -> tuple[Fit, ...]:
    """Hold every runbook against what is sought, the most fitting first."""
    sought = wanted.findings(diagnosis)
    causes = tuple(cause for each in sought if (cause := cause_of(diagnosis, each)) is not None)
    everything = findings_of(diagnosis)
    made = [_fit(each, sought, causes, everything) for each in catalog.runbooks.values()]
    return tuple(sorted(made, key=lambda fit: (fit.rank, _touches_all(fit.runbook), -len(fit.here), fit.runbook.name)))


def _touches_all(runbook: Runbook) -> bool:
    """Tell whether a runbook goes through every node unless told otherwise: what does less is offered first."""
    return any(each.source == "all-nodes" for each in runbook.parameters)


def _fit(runbook: Runbook, sought: Iterable[Finding], causes: Iterable[Finding], everything: Iterable[Finding]) -> Fit:
    for rank, findings in ((0, sought), (1, causes)):
        if here := _of(runbook, findings):
            return Fit(runbook, rank, here)
    codes = tuple(dict.fromkeys(each.code for each in (*sought, *causes)))
    said = next((f"{code}: {why}" for code in codes if (why := runbook.leaves.get(code))), "")
    if here := _of(runbook, everything):
        return Fit(runbook, 2, here, said or f"it does not clear {', '.join(codes[:2])}")
    return Fit(runbook, 3, (), said or "nothing that it fixes is found now")


def _of(runbook: Runbook, findings: Iterable[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(finding_key(each) for each in findings if each.code in runbook.fixes))


_FITS: Final = ("fixes it", "fixes its cause", "fixes other", "would not help")


def runbooks(catalog: Catalog, diagnosis: Diagnosis, wanted: Wanted, glyphs: Glyphs) -> Listing:
    """List the runbooks, and those that cannot be used beneath them."""
    items = [_item(fit, wanted, glyphs) for fit in fits(catalog, diagnosis, wanted)]
    for number, error in enumerate(catalog.errors):
        cells = (status("critical", glyphs, "unusable"), Span(""), Span(error))
        items.append(Item(Row(f"{ERROR}{number}", cells), None, is_fault=True))
    return Listing(tuple(items), status("none", glyphs, "there are no runbooks"))


def _item(fit: Fit, wanted: Wanted, glyphs: Glyphs) -> Item:
    name = fit.runbook.name
    said = _FITS[fit.rank] if wanted.ref is not None or fit.rank == 3 else "fixes"  # noqa: PLR2004 - see Fit.rank
    helps = fit.rank < 2  # noqa: PLR2004 - likewise
    sign = Span(f"{glyphs.arrow if helps else glyphs.none} {said}", "accent" if helps else "muted")
    what = ", ".join(fit.here) if helps or not fit.reason else fit.reason
    row = Row(name, (sign, Span(name, "text" if helps else "muted"), Span(what, "text" if helps else "muted")))
    return Item(row, ObjectRef(KIND, "", name), is_fault=helps)


def runbook_blocks(fit: Fit, diagnosis: Diagnosis, glyphs: Glyphs) -> Iterator[Block]:
    """Write a runbook up: what it is for, what it fixes here, what not, and what it does."""
    runbook = fit.runbook
    yield Paragraph(runbook.title, "header")
    if runbook.about:
        yield Paragraph(runbook.about)
    if runbook.expect:
        yield Fields((Field("expect", Span(runbook.expect)),))
    yield Heading("Here, now")
    for key in fit.here:
        yield Bullet(Span(glyphs.arrow, "accent"), f"fixes {key}")
    if fit.reason:
        yield Bullet(status("warning", glyphs), f"would not help: {fit.reason}")
    for finding in findings_of(diagnosis):
        if why := runbook.leaves.get(finding.code):
            yield Bullet(status("none", glyphs), f"does not clear {finding_key(finding)}: {why}")
    yield Heading("Steps", Span("" if runbook.writes else "changes nothing", "muted"))
    for group in runbook.groups:
        if group.each:
            yield Paragraph(f"for each {group.each} in turn:", "muted")
        for step in group.steps:
            yield Bullet(Span("  " if group.each else ""), f"{step.name}: {step.why}" if step.why else step.name)
    yield Heading("Fixes")
    yield Paragraph(", ".join(runbook.fixes) or "no finding", "muted")
    yield Paragraph(runbook.file, "muted")
