"""underlay as a process that can be made to die at an exact point: ``-m tests.testbed.repair_process SPEC ARGV…``.

SPEC is JSON: the engine's times, and ``die``, by SIGKILL to itself: ``new`` once a record of a kind that the journal
does not have yet is on disk; ``before`` or ``after`` the very command that starts a step's unit. Nothing of it is in
the product.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from runbooks.engine import Settings
from runbooks.journal import AnyRecord, Journal, read
from runbooks.plan import PlannedStep
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


if __name__ == "__main__":
    spec = json.loads(sys.argv[1])
    running.SETTINGS = Settings(**spec.get("times", {}))
    if spec.get("die") == "new":
        _die_at_news()
    elif spec.get("die"):
        _die_around_begin(spec["die"])
    sys.exit(main(sys.argv[2:]))
