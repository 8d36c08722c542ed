"""Screens: where each one is, what it is called and which objects it is of; imported only when they are opened."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, NamedTuple

from probes.model.flux import CONSUMER_KINDS, SOURCE_KINDS, ObjectRef

if TYPE_CHECKING:
    from tui.screens.base import LiveScreen


class Entry(NamedTuple):
    """A screen that can be gone to."""

    name: str
    """What ``:`` calls it and ``go`` takes."""
    title: str
    module: str
    """Under ``tui.screens``."""
    screen: str
    """The class: a LiveScreen, made of an ObjectRef or of None."""
    aliases: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    """The kinds of object that ``open`` shows here."""
    needs_subject: bool = False
    """It is nothing without an object; ``:`` gives it the one under the cursor."""
    repairs: bool = False
    """It is of repairs, and there only where something can be repaired."""
    typed: bool = True
    """Whether ``:`` knows it; it is gone to from another screen in any case."""


OVERVIEW: Final = Entry(
    "overview", "The whole cluster on one screen", "overview", "OverviewScreen", ("pulse", "nodes", "no", "home")
)
PROBES: Final = ObjectRef("Probe", "", "")
"""What probes came to, whichever."""
CATALOG: Final = (
    OVERVIEW,
    Entry("node", "One node's packet path", "node", "NodeScreen", (), ("Node",), needs_subject=True),
    Entry("mesh", "The overlay, every node to every node", "mesh", "MeshScreen", ("overlay", "peers")),
    Entry("flux", "Flux sources and what they feed", "flux", "FluxScreen", ("fx",), (*SOURCE_KINDS, *CONSUMER_KINDS)),
    Entry("findings", "Findings with their evidence", "findings", "FindingsScreen", ("problems", "fi"), ("Finding",)),
    Entry("explain", "What a finding means", "text", "ExplainScreen", (), ("Code",), needs_subject=True),
    Entry("events", "What changed, and image pulls", "events", "EventsScreen", ("ev", "changes", "images")),
    Entry("runbooks", "What can be repaired, and how", "runbooks", "RunbooksScreen", ("rb",), repairs=True),
    Entry("runs", "Runs there were, to read or to go on with", "runs", "RunsScreen", repairs=True),
    Entry(
        "report",
        "The whole of a run",
        "runs",
        "ReportScreen",
        (),
        ("Run",),
        needs_subject=True,
        repairs=True,
        typed=False,
    ),
    Entry("probes", "What probes came to, from every vantage", "probes", "ProbesScreen", ("probe", "pr"), ("Probe",)),
    Entry("describe", "All that is known of an object", "text", "DescribeScreen", ("d",), needs_subject=True),
    Entry("yaml", "An object as the API has it", "text", "YamlScreen", ("y",), needs_subject=True),
    Entry("journal", "The journal of a node's unit", "text", "JournalScreen", ("logs", "l"), needs_subject=True),
)


def entries() -> Iterator[Entry]:
    """List the screens that there are."""
    return (entry for entry in CATALOG if find_spec(f"{__name__}.{entry.module}") is not None)


def find(name: str) -> Entry | None:
    """Look up a screen by its name or an alias."""
    return next((entry for entry in entries() if name == entry.name or name in entry.aliases), None)


def screen_of(ref: ObjectRef) -> Entry | None:
    """Tell where an object is shown."""
    return next((entry for entry in entries() if ref.kind in entry.kinds), None)


def make(entry: Entry, ref: ObjectRef | None) -> "LiveScreen":
    """Make a screen of an object; its module is imported now."""
    made: LiveScreen = getattr(import_module(f"{__name__}.{entry.module}"), entry.screen)(ref)
    made.entry = entry.name
    return made
