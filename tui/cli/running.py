"""Running: what every command about runs needs: runbooks, journals, and an engine under plain text."""

import asyncio
import getpass
import os
import signal
import socket
import sys
from contextlib import aclosing
from pathlib import Path

import msgspec

from probes.cluster import Cluster
from probes.kube.errors import ApiError
from probes.kube.kubeconfig import read
from probes.model.text import clean
from runbooks.engine import Access, Engine, Settings
from runbooks.events import AnyEvent, GateSeen, LockHeld, RunEnded
from runbooks.journal import Journal, Progress
from tui.cli.grid import Paper, paper_for
from tui.cli.output import write
from tui.cli.place import Place, PlaceError
from tui.cli.prompting import Prompt
from tui.cli.run_text import event_lines
from tui.remembered import state_home
from tui.settings import config_home

STATUSES = {"completed": 0, "paused": 1, "aborted": 1, "failed": 2, "refused": 3}
"""Exit status of a run by how it ended."""


SETTINGS = Settings()
"""How runs keep time."""


def runs_folder() -> Path:
    """Tell where journals are kept."""
    return state_home() / "runs"


def own_runbooks() -> Path:
    """Tell where the operator's own runbooks are."""
    return config_home() / "runbooks"


def who() -> str:
    """Name the operator and the machine, for the lock and the journal."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return clean(f"{user}@{socket.gethostname()}")


def access_of(place: Place) -> Access:
    """Tell how the cluster of a place is written to; raises PlaceError."""
    try:
        kubeconfig = read(place.kubeconfig)
        context = kubeconfig.context(place.context or None)
    except ApiError as error:
        raise PlaceError(str(error)) from error
    return Access(context, lambda: kubeconfig.reread().context(context.name))


async def take(  # the parts of a run meet here
    progress: Progress,
    journal: Journal,
    cluster: Cluster,
    place: Place,
    *,
    breaking: str = "",
    output: str = "text",
    abandon: bool = False,
) -> int:
    """Run an engine under plain text; ctrl-c pauses it, a second one leaves it as it is. Gives the exit status."""
    paper = paper_for(sys.stdout)
    engine = Engine(
        progress,
        journal,
        Prompt(paper_for(sys.stderr), _beside) if output == "json" else Prompt(paper),
        cluster,
        access_of(place),
        who=who(),
        breaking=breaking,
        settings=SETTINGS,
        abandon=abandon,
    )
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    pressed: list[int] = []

    def interrupted() -> None:
        pressed.append(1)
        if len(pressed) > 1 and task is not None:
            task.cancel()
            return
        sys.stderr.write("\npausing as soon as it is known what became of what was sent; again: leave it as it is\n")
        engine.interrupt("pause")

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted)
    status = STATUSES["failed"]
    shown = _Shown(engine, paper, output)
    async with aclosing(engine.run()) as events:
        async for event in events:
            shown.show(event)
            if isinstance(event, RunEnded):
                status = STATUSES[event.end]
    return status


def _beside(text: str) -> None:
    """Put a question beside the events, which are for a program."""
    sys.stderr.write(text)
    sys.stderr.flush()


class _Shown:
    """What was shown of a run: of a gate only what changed."""

    def __init__(self, engine: Engine, paper: Paper, output: str) -> None:
        self._engine = engine
        self._paper = paper
        self._json = output == "json"
        self._states: dict[tuple[str, str], str] = {}
        self._soaking: dict[str, bool] = {}
        self._locked = False

    def show(self, event: AnyEvent) -> None:
        if self._json:
            write(msgspec.json.encode(event).decode() + "\n")
            return
        if isinstance(event, LockHeld):
            if self._locked:
                return
            self._locked = True
        if isinstance(event, GateSeen):
            event = self._changed(event)
            if not event.conditions and event.soak_ends is None:
                return
        write("".join(f"{line}\n" for line in event_lines(event, self._engine.plan, self._paper)))

    def _changed(self, event: GateSeen) -> GateSeen:
        changed = tuple(e for e in event.conditions if self._states.get((event.step, e.text)) != e.state)
        for each in changed:
            self._states[event.step, each.text] = each.state
        soaking = event.soak_ends is not None
        began = soaking and not self._soaking.get(event.step)
        self._soaking[event.step] = soaking
        return msgspec.structs.replace(event, conditions=changed, soak_ends=event.soak_ends if began else None)
