"""What probes come to together with what is known of the cluster: findings, causes first."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from probes.model.observation import Observed
from probes.model.reach import Result
from probes.model.snapshot import PROBE, fold
from probes.rules.codes import FAMILIES
from probes.rules.egress import judge_egress
from probes.rules.finding import Finding, Severity
from tui.cli.arguments import Arguments
from tui.cli.grid import Cell, Paper, paper_for, wrap
from tui.cli.ground import Ground
from tui.cli.output import write
from tui.cli.probe import document, exit_status

_CODES: Final = frozenset((*FAMILIES["crossing"], *FAMILIES["egress"]))
_TONES: Final = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.NOTE: "unknown"}


async def concluded(ground: Ground, results: Sequence[Result]) -> tuple[Finding, ...]:
    """Judge results beside the cluster's state: each root cause that has something of a probe in it, or is that.

    Where only the vantages are known, the state is observed once there is something to be held beside it.
    """
    if not results or (ground.rest is not None and not any(judge_egress(results))):
        return ()
    from probes.rules.diagnose import diagnose  # noqa: PLC0415 - all rules: only where there is something to explain

    snapshot = ground.snapshot if ground.rest is None else await ground.rest()
    seen = fold(snapshot, [Observed(f"{PROBE}{results[0].probe}", time.time(), tuple(results))])
    return tuple(finding for finding in diagnose(seen).findings if any(_by_probes(finding)))


def _by_probes(finding: Finding) -> Iterator[Finding]:
    if finding.code in _CODES:
        yield finding
    for symptom in finding.symptoms:
        yield from _by_probes(symptom)


async def publish(
    arguments: Arguments,
    ground: Ground,
    results: Sequence[Result],
    text: Callable[[Paper], str],
    status: int | None = None,
    **more: Any,
) -> int:
    """Print results and what they come to as the command line asks, and have them kept; gives the exit status.

    ``status``: where it does not follow from the results and what they come to.
    """
    ground.kept.extend(results)
    findings = await concluded(ground, results)
    told = [_TONES[each.severity] for finding in findings for each in _by_probes(finding)]
    if status is None:
        status = exit_status([*(each.tone for each in results), *told])
    if arguments.output == "json":
        from tui.cli.status_document import finding_document  # noqa: PLC0415 - start-up is measured

        documents = [finding_document(finding) for finding in findings]
        write(document(arguments.probe, ground, status, results, findings=documents, **more))
    else:
        paper = paper_for(sys.stdout)
        write(text(paper) + "".join(f"{line}\n" for line in _lines(findings, paper)))
    return status


def _lines(findings: Sequence[Finding], paper: Paper) -> Iterator[str]:
    for finding in findings:
        yield ""
        yield from _one(finding, paper, 0)


def _one(finding: Finding, paper: Paper, depth: int) -> Iterator[str]:
    tone = _TONES[finding.severity]
    yield "  " * depth + paper.paint(Cell(f"{paper.symbol(tone)} {finding.code}", tone))
    said = finding.summary if finding.code not in _CODES else f"{finding.summary}. Refuted if {finding.refutes}."
    for line in wrap(paper.text(said), paper.width - 2 * depth - 2):
        yield "  " * (depth + 1) + line
    for symptom in finding.symptoms:
        yield from _one(symptom, paper, depth + 1)
