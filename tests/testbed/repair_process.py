"""underlay as a process that can be made to die at an exact point: ``-m tests.testbed.repair_process SPEC ARGV…``.

SPEC is JSON: the engine's times, and ``die``, by SIGKILL to itself: ``new`` once a record of a kind that the journal
does not have yet is on disk; ``before`` or ``after`` the very command that starts a step's unit. ``cuts``: it dies, or
holds still, once at each point of each step; see `_cut`. Nothing of it is in the product.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from runbooks.engine import Settings
from runbooks.events import StepBegun, StepEnded, StepHappened
from runbooks.journal import AnyRecord, Journal, Told, read
from runbooks.plan import PlannedStep
from runbooks.sight import Mark
from runbooks.writers.hands import Hands
from runbooks.writers.node import NodeWriter
from tui.__main__ import main
from tui.cli import running


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kind(record: AnyRecord) -> tuple[str, ...]:
    """Tell records apart: what they are, of which event, about which step."""
    event = getattr(record, "event", None)
    about = (
        getattr(record, "step", "") or getattr(event, "step", "") or getattr(getattr(record, "ask", None), "step", "")
    )
    return type(record).__name__, type(event).__name__, str(about)


def _die_at_news() -> None:
    write: Callable[[Journal, AnyRecord], None] = Journal.write
    known: dict[str, set[tuple[str, ...]]] = {}

    def dying(journal: Journal, record: AnyRecord) -> None:
        key = str(journal.path)
        if key not in known:
            known[key] = {_kind(each) for each in read(journal.path)}
        write(journal, record)
        if _kind(record) not in known[key] and type(record).__name__ != "Resumed":
            _die()

    setattr(Journal, "write", dying)  # noqa: B010 - mypy knows the method


def _die_around_begin(when: str) -> None:
    begin: Any = NodeWriter.begin

    async def dying(node: NodeWriter, step: PlannedStep) -> None:
        if when == "before":
            _die()
        await begin(node, step)
        _die()

    setattr(NodeWriter, "begin", dying)  # noqa: B010 - likewise


NOTED = {StepBegun: "begun", StepHappened: "happened", StepEnded: "ended"}


class _Cuts:
    """The points of steps at which a run was cut, over all its processes: lines ``STEP POINT`` of the file ``seen``.

    At a new one of ``points`` the process dies; with ``hold`` it waits there until the file ``seen.N`` is made, N the
    number of the line.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._seen = Path(spec["seen"])
        self._points = spec["points"]
        self._hold = spec["hold"]

    def _new(self, step: str, point: str) -> int:
        lines = self._seen.read_text().splitlines() if self._seen.exists() else []
        if point not in self._points or f"{step} {point}" in lines:
            return 0
        self._seen.write_text("".join(f"{line}\n" for line in (*lines, f"{step} {point}")))
        return len(lines) + 1

    def noted(self, record: AnyRecord) -> None:
        if isinstance(record, Told) and (point := NOTED.get(type(record.event))):
            step = getattr(record.event, "step", "")
            if self._new(step, point):
                _die()

    async def come(self, step: str, point: str) -> None:
        if not (number := self._new(step, point)):
            return
        if not self._hold:
            _die()
        async with asyncio.timeout(60):
            while not Path(f"{self._seen}.{number}").exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.02)


def _cut(cuts: _Cuts) -> None:
    """Cut at ``begun``, ``sending``, ``sent``, ``happened`` and ``ended``: what a step comes by, in this order."""
    write: Callable[[Journal, AnyRecord], None] = Journal.write
    begin: Any = Hands.begin

    def writing(journal: Journal, record: AnyRecord) -> None:
        write(journal, record)
        cuts.noted(record)

    async def beginning(hands: Hands, step: PlannedStep, mark: Mark) -> Any:
        await cuts.come(step.id, "sending")
        said = await begin(hands, step, mark)
        await cuts.come(step.id, "sent")
        return said

    setattr(Journal, "write", writing)  # noqa: B010 - mypy knows the method
    setattr(Hands, "begin", beginning)  # noqa: B010 - likewise


if __name__ == "__main__":
    spec = json.loads(sys.argv[1])
    running.SETTINGS = Settings(**spec.get("times", {}))
    if spec.get("die") == "new":
        _die_at_news()
    elif spec.get("die"):
        _die_around_begin(spec["die"])
    if spec.get("cuts"):
        _cut(_Cuts(spec["cuts"]))
    sys.exit(main(sys.argv[2:]))
