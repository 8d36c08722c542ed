"""The small parts of the live screens: trail, commands, filter, header, keys, what is remembered and what happened."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from textual.binding import Binding

from probes.model.flux import ObjectRef
from probes.model.observation import Observed
from probes.model.snapshot import Snapshot, fold
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis
from tests.probes.worlds import AT, healthy, with_network
from tests.tui.scripted import failed, without_vxlan
from tui import commands
from tui.chronicle import Chronicle
from tui.cli import arguments
from tui.format import ASCII, UNICODE
from tui.remembered import Remembered, keep, recall
from tui.screens import CATALOG, entries, find, make, screen_of
from tui.trail import Place, Trail
from tui.widgets.filter import BadFilter, parse_filter
from tui.widgets.footer import key_line
from tui.widgets.header import headline, trail


def text_of(spans: object) -> str:
    return "".join(span.text for span in spans)  # type: ignore[attr-defined]


def test_trail_goes_back_and_forth() -> None:
    """Going back and then elsewhere forgets what came after; the last place is the one left behind."""
    walk = Trail(Place("overview"))
    assert walk.step(-1) is None
    assert walk.step(0) is None
    for name in ("mesh", "flux", "events"):
        walk.visit(Place(name))
    assert walk.step(-1) == Place("flux")
    assert walk.step(-1) == Place("mesh")
    assert walk.step(1) == Place("flux")
    walk.visit(Place("node", ObjectRef("Node", "", "samwise")))
    assert walk.step(1) is None
    assert walk.step(0) == Place("flux")
    assert walk.step(0) == Place("node", ObjectRef("Node", "", "samwise"))


def test_trail_is_bounded() -> None:
    """However long somebody walks, only so many places are remembered."""
    walk = Trail(Place("overview"))
    for i in range(1000):
        walk.visit(Place(f"place-{i}"))
    steps = 0
    while walk.step(-1) is not None:
        steps += 1
    assert steps < 100


@pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: str(entry.name))
def test_catalog_holds_screens_that_exist(entry: object) -> None:
    """Every screen of the catalog can be made, and found by its name and aliases, which are nobody else's."""
    assert entry in tuple(entries())
    assert isinstance(entry, type(CATALOG[0]))
    assert make(entry, ObjectRef("Node", "", "samwise")).entry == entry.name
    for name in (entry.name, *entry.aliases):
        assert find(name) is entry


def test_objects_have_screens() -> None:
    """A node and every Flux kind have a screen; a kind that nobody knows has none."""
    for kind, name in (("Node", "node"), ("GitRepository", "flux"), ("HelmRelease", "flux")):
        found = screen_of(ObjectRef(kind, "", "x"))
        assert found is not None
        assert found.name == name
    assert screen_of(ObjectRef("Registry", "", "x")) is None


def test_commands_are_unambiguous() -> None:
    """No two commands share a name or an alias."""
    names = [name for command in commands.commands() for name in (command.name, *command.aliases)]
    assert len(names) == len(set(names))


def test_completion() -> None:
    """What was typed is completed to a command or a theme; what is whole or unknown is not."""
    themes = ["dark", "light"]
    assert commands.complete("me", themes) == "mesh"
    assert commands.complete("theme li", themes) == "theme light"
    assert [commands.complete(text, themes) for text in ("", "zzz", "theme ", "mesh ", "mesh x")] == [""] * 5


def test_filter() -> None:
    """A filter ignores case, ! inverts, faults alone can be wanted, and what is no expression says why."""
    wanted = parse_filter("SAM|theo")
    assert wanted.wants("samwise", is_fault=False)
    assert not wanted.wants("boromir", is_fault=True)
    assert parse_filter("!sam").wants("boromir", is_fault=False)
    assert not parse_filter("", faults_only=True).wants("x", is_fault=False)
    assert parse_filter("!").wants("anything", is_fault=False)
    for text in ("(", "[", "*", "x" * 1000):
        with pytest.raises(BadFilter):
            parse_filter(text)


@pytest.mark.parametrize("cells", [20, 40, 60, 80, 100, 120, 160, 300])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_header_fits_and_says_what_matters(cells: int, glyphs: tuple[str, ...]) -> None:
    """At any width from 60 the header says live or not, how bad, and READ-ONLY; what is left out goes by weight."""
    chosen = ASCII if glyphs is ASCII else UNICODE
    snapshot = msgspec.structs.replace(without_vxlan(healthy()), context="a-very-long-name-of-a-context-in-production")
    said = text_of(headline(diagnose(snapshot), AT, cells, chosen))
    if cells >= 60:
        assert len(said) <= cells
        assert "live" in said
        assert "READ-ONLY" in said
        assert chosen.critical in said
    assert ("api" in said) == (snapshot.api_latency is not None and cells >= 60)


def test_header_counts_nothing_before_it_knows() -> None:
    """Before the first answer there are no counts: a 0 would be a claim."""
    said = text_of(headline(Diagnosis(Snapshot(context="home")), AT, 120, UNICODE))
    assert "connecting" in said
    assert "critical" not in said


def test_breadcrumbs() -> None:
    """Breadcrumbs lead from the cluster down."""
    assert text_of(trail(("home", "Nodes", "samwise"), UNICODE)) == " home ▸ Nodes ▸ samwise"


def test_keys_that_do_not_fit_leave_help() -> None:
    """However narrow the line, the key for help is in it."""
    bindings = [Binding(f"f{i}", "x", f"Action {i}") for i in range(12)] + [Binding("question_mark", "help", "Help")]
    for cells in (10, 40, 80, 200):
        assert text_of(key_line(bindings, cells, UNICODE)).rstrip().endswith("? help")
    assert "action 11" in text_of(key_line(bindings, 300, UNICODE))


def test_remembered(tmp_path: Path) -> None:
    """How the screens were left survives; a broken, missing or forbidden file is none at all."""
    keep(Remembered("underlay-light", 3, zoomed=True), tmp_path)
    assert recall(tmp_path) == Remembered("underlay-light", 3, zoomed=True)
    assert [path.name for path in tmp_path.iterdir()] == ["view.json"]
    (tmp_path / "view.json").write_text('{"pane": "x"}')
    assert recall(tmp_path) == Remembered()
    (tmp_path / "file").touch()
    keep(Remembered(), tmp_path / "file" / "below")
    assert recall(tmp_path / "file" / "below") == Remembered()


def test_chronicle_notes_changes_and_beginnings() -> None:
    """A change is noted once; a finding is known since it was first seen, anew when it comes back."""
    story = Chronicle()
    empty = Diagnosis(Snapshot())
    first = diagnose(healthy())
    story.note(empty, first)
    assert list(story.timeline) == []
    later = fold(without_vxlan(healthy()), [Observed("node/theoden", AT + 60, healthy().networks["theoden"])])
    second = diagnose(later, first)
    story.note(first, second)
    assert any(change.what.startswith("flannel.1") for change in story.timeline)
    key = ("vxlan-link-missing", ObjectRef("Node", "", "samwise"))
    assert story.since[key] == AT + 60
    story.note(second, first)
    assert key not in story.since


def test_chronicle_keeps_growth_of_counters() -> None:
    """What is kept of a counter is its growth; one that began anew is a gap."""
    story = Chronicle()
    judged = diagnose(with_network(healthy(), "samwise", counters={"TcpRetransSegs": 10}))
    story.note(Diagnosis(Snapshot()), judged)
    for count in (15, 15, 40, 2):
        after = diagnose(with_network(judged.snapshot, "samwise", counters={"TcpRetransSegs": count}), judged)
        story.note(judged, after)
        judged = after
    assert story.history["samwise/TcpRetransSegs"].values == (5.0, 0.0, 25.0, None)
    assert story.opened["samwise"] == {"TcpRetransSegs": 10}


def test_chronicle_is_bounded() -> None:
    """A cluster that never rests fills no memory."""
    story = Chronicle()
    before, after = diagnose(healthy()), diagnose(failed(healthy(), "node/samwise", "timeout"))
    for _ in range(1500):
        story.note(before, after)
        story.note(after, before)
    assert len(story.timeline) <= 1000
    assert len(story.since) < 100


@pytest.mark.parametrize(
    ("argv", "is_terminal", "command"),
    [
        ([], True, "screen"),
        (["--demo"], True, "screen"),
        (["--demo", "healthy"], True, "screen"),
        (["--context", "home"], True, "screen"),
        (["--demo", "healthy", "--theme", "light"], True, "screen"),
        (["--demo"], False, "status"),
        (["status"], True, "status"),
        (["--demo", "healthy", "watch"], True, "watch"),
    ],
)
def test_a_terminal_gets_the_screens(
    argv: list[str],
    is_terminal: bool,  # noqa: FBT001 - a case's data
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a command a terminal gets the screens, a pipe what it can use."""
    monkeypatch.setattr(arguments, "is_terminal", lambda: is_terminal)
    assert arguments.parse(argv).command == command


def test_a_dumb_terminal_gets_no_screens(monkeypatch: pytest.MonkeyPatch) -> None:
    """TERM=dumb can show no screens."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for term, is_one in (("dumb", False), ("xterm", True)):
        monkeypatch.setitem(os.environ, "TERM", term)
        assert arguments.is_terminal() is is_one


def test_first_frame_waits_for_no_wire() -> None:
    """What the first frame needs imports neither a Kubernetes client nor SSH nor the demo cluster."""
    said = "import sys, tui.app, tui.cli.screen; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(ast.literal_eval(done.stdout))
    assert not loaded & {"kubernetes", "asyncssh", "aiohttp", "httpx", "pyroute2", "lab"}
