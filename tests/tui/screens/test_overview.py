"""The overview: every key of it, at every size."""

import re

import pytest
from textual.binding import Binding
from textual.geometry import Region

from probes.model.changes import Change
from probes.model.flux import ObjectRef
from probes.rules.facts import node_ref
from probes.rules.finding import Diagnosis, Finding, Severity
from tests.probes.worlds import AT, healthy, with_network
from tests.tui.scripted import failed, shown, source_tree, without_vxlan
from tui.format import UNICODE
from tui.screens.findings_pane import FindingsPane
from tui.screens.overview import OverviewScreen, pane_bar, share_out
from tui.views.timeline import subject_of
from tui.widgets.footer import Keys
from tui.widgets.pane import Pane
from tui.widgets.tones import tones_of


def rows(text: str) -> list[str]:
    """Pick the lines of the nodes pane."""
    return [line for line in text.splitlines() if "eth0 1500" in line]


SIZES = [(80, 24), (120, 40), (160, 50)]


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_what_is_wrong_is_in_sight(width: int, height: int) -> None:
    """At every size, whichever pane is in front, the first root cause is on the screen."""
    async with shown(without_vxlan(healthy()), width=width, height=height) as screen:
        for pane in "12345":
            text = await screen.press(pane)
            assert "samwise" in text
            assert "flannel.1 does not exist" in text


@pytest.mark.parametrize(("width", "height"), SIZES)
async def test_nothing_is_cut_without_a_mark(width: int, height: int) -> None:
    """A text that does not fit ends in a mark, in the table and on top alike."""
    long = "because " * 60
    async with shown(failed(healthy(), "node/samwise", "timeout", long), width=width, height=height) as screen:
        for pane in "12":
            lines = [line for line in (await screen.press(pane)).splitlines() if "the node did not answer" in line]
            assert lines
            assert all("…" in line or line.rstrip().endswith(("because", "│")) for line in lines)


async def test_one_pane_at_a_time() -> None:
    """At 80x24 one pane is shown, with the others and how bad they are in one line above it."""
    async with shown(without_vxlan(source_tree()), width=80, height=24) as screen:
        text = await screen.press("2")
        bar = next(line for line in text.splitlines() if "1 Findings ✖" in line)
        assert "2 Nodes ✖ 1  3 Overlay ✖" in bar
        assert "4 Flux ✖ 1" in bar
        assert "NODE" in text
        assert "OBJECT" not in text
        assert "OBJECT" in await screen.press("4")
        assert "from ╲ to" in await screen.press("3")
        assert "target" in await screen.press("tab", "tab")
        assert "SUBJECT" in await screen.press("tab", "tab")
        assert "CHANGE" in await screen.press("shift+tab")


async def test_the_pane_that_has_the_keys_is_framed_from_the_start() -> None:
    """Nobody need press a key to see whose keys these are, on the overview as on a screen that is opened."""

    def framed() -> list[str]:
        """List the titles of the frames that are drawn as that of the keys' pane."""
        panes = [pane for pane in app.screen.query(Pane) if pane.display]
        return [
            pane.NAME
            for pane in panes
            for strip in [pane.render_lines(Region(0, 0, *pane.region.size))[0]]
            if next(iter(strip)).style == tones_of(pane).variable("border")
        ]

    async with shown(without_vxlan(healthy())) as screen:
        app = screen.app
        assert framed() == ["Findings"]
        await screen.press("2")
        assert framed() == ["Nodes"]
        app.go("mesh")
        await screen.pilot.pause()
        assert framed() == ["Overlay"]


async def test_zoom() -> None:
    """Z shows one pane alone and, pressed again, all of them; it is remembered."""
    async with shown(without_vxlan(source_tree())) as screen:
        assert "NODE" in screen.text()
        text = await screen.press("4", "z")
        assert "NODE" not in text
        assert "OBJECT" in text
        assert screen.app.remembered.zoomed
        assert screen.app.remembered.pane == 4
        text = await screen.press("z")
        assert "NODE" in text
        assert "OBJECT" in text


async def test_filter() -> None:
    """A filter is a regular expression over the row, ! inverts it, what is left out is counted, esc clears it."""
    async with shown(without_vxlan(healthy())) as screen:
        text = await screen.press("2", "slash", *"SAM|theo")
        nodes = rows(text)
        assert len(nodes) == 2
        await screen.press("enter")
        assert "2 of 3" in screen.text()
        text = await screen.press("slash", "home", "!", "enter")
        nodes = rows(text)
        assert len(nodes) == 1
        assert "boromir" in nodes[0]
        await screen.press("escape", "slash", *"zzz", "enter")
        assert "nothing matches; esc shows everything" in screen.text()
        text = await screen.press("escape")
        assert len(rows(text)) == 3
        assert screen.app.is_running


async def test_bad_filter_says_so() -> None:
    """An expression that is none says what is wrong with it, and the last good one stays."""
    async with shown(healthy()) as screen:
        text = await screen.press("2", "slash", *"sam", "(")
        assert "no regular expression: missing )" in text
        assert len(rows(text)) == 1
        await screen.press("escape")
        assert len(rows(screen.text())) == 3


async def test_filter_takes_no_row() -> None:
    """The line for typing stands where the keys stood: nothing else moves."""
    async with shown(healthy()) as screen:
        before = screen.lines()[:-1]
        after = (await screen.press("slash")).splitlines()
        assert after[:38] == before[:38]


async def test_faults_only() -> None:
    """ctrl-z leaves out whatever is as it should be, in every pane, and brings it back."""
    async with shown(without_vxlan(source_tree())) as screen:
        text = await screen.press("ctrl+z")
        nodes = [line for line in text.splitlines() if "enp" in line or "eth0 1500" in line]
        assert len(nodes) == 1
        assert "samwise" in nodes[0]
        assert "faults only  1 of 3" in text
        assert "ks infra" in text  # suspended is worth knowing
        assert "git home" not in text
        text = await screen.press("ctrl+z")
        assert "faults only" not in text
        assert "git home" in text


async def test_faults_only_of_what_has_none() -> None:
    """With faults only, a pane without any says so, and what brings the rest back: not that there is nothing."""
    async with shown(healthy(), height=50) as screen:
        text = await screen.press("ctrl+z")
        assert "no target" not in text
        assert "0 of 0" not in text
        assert text.count("no faults; ctrl-z shows everything") == 3, text


async def test_room_is_used() -> None:
    """Causes come folded only where their symptoms have no room; beneath them stands more where there is more room."""
    async with shown(without_vxlan(healthy()), width=160, height=60) as screen:
        assert "├" in await screen.until("└")
        assert " folded" not in screen.text()
        text = await screen.press("z")
        assert "── vxlan-link-missing" in text


async def test_sort() -> None:
    """Shift-letter sorts, again inverts, a third time is the order as given."""
    async with shown(healthy()) as screen:

        def names() -> list[str]:
            return [name for line in screen.lines() for name in ("boromir", "samwise", "theoden") if f"│{name} " in line
                    and "1500" in line]  # fmt: skip

        await screen.press("2", "N")
        assert names() == ["boromir", "samwise", "theoden"]
        assert "NODE↑" in screen.text() or "↑" in screen.text()
        await screen.press("N")
        assert names() == ["theoden", "samwise", "boromir"]
        await screen.press("N")
        assert names() == ["boromir", "samwise", "theoden"]


async def test_fold() -> None:
    """Symptoms stand beneath their cause; space folds them, and their number stays."""
    symptom = Finding("flux-not-ready", Severity.WARNING, ObjectRef("GitRepository", "flux-system", "home"), "timeout")
    root = Finding("vxlan-link-missing", Severity.CRITICAL, node_ref("samwise"), "gone", symptoms=(symptom,))
    async with shown(healthy()) as screen:
        await screen.press("z")
        pane = screen.app.screen.query_one(FindingsPane)
        diagnosis = Diagnosis(healthy(), findings=(root,))
        pane.show(diagnosis, AT, {})
        lines = (await screen.until("└ ▲ git home")).splitlines()
        place = next(i for i, line in enumerate(lines) if "samwise" in line)
        assert "▾1" in lines[place]
        assert "└ ▲ git home" in lines[place + 1]
        text = await screen.press("space")
        assert "▸1" in text
        assert "git home" not in text
        text = await screen.press("space")
        assert "▾1" in text
        assert "space fold" in text
        assert "space fold" not in await screen.press("down")


async def test_what_is_to_be_known_of_a_pane_never_touches_the_names() -> None:
    """Where the line of panes is full, the note is cut with a mark, two cells beside the last name."""
    async with shown(healthy()) as screen:
        pane = screen.app.screen.query_one(FindingsPane)
        pane.note = "a note that has no room beside the names"
        spans = pane_bar((pane,), 1, 30, UNICODE)
        assert spans[-1].text.startswith("a note"), "what is before it would be underlined with it in 16 colours"
        line = "".join(span.text for span in spans)
        names, _, note = line.partition("a note")
        assert names.endswith("  ")
        assert note.endswith("…")
        assert len(line) <= 30


async def test_a_list_of_nothing_offers_neither_to_open_nor_to_fold() -> None:
    """Where nothing is wrong no key is offered that would do nothing."""
    async with shown(healthy()) as screen:
        text = await screen.until("nothing is wrong")
        assert "↵ open" not in text
        assert "space fold" not in text


async def test_causes_come_folded_where_room_is_short() -> None:
    """Where not all findings fit the causes come folded, all in sight; what is sought is found all the same."""
    snapshot = healthy()
    for name in ("boromir", "samwise", "theoden"):
        snapshot = without_vxlan(snapshot, name)
    async with shown(snapshot, width=80, height=10) as screen:
        await screen.until(lambda: all(f"✖ {name}" in screen.text() for name in ("boromir", "samwise", "theoden")))
        text = await screen.settled()
        assert "└" not in text
        assert "▸" in text
        assert "├" in await screen.press("space")
        assert "├" not in await screen.press("space")
        assert "8472" in await screen.press("slash", *"8472", "enter")
        await screen.press("escape")
        await screen.pilot.resize_terminal(120, 34)
        assert re.search(r"\d+ folded", await screen.until("▸")), "the header counts what is not in sight"
        await screen.pilot.resize_terminal(120, 60)
        await screen.until("├")
        assert " folded" not in screen.text()


async def test_cursor_stays_on_the_answer() -> None:
    """Until somebody moves it the cursor is on the worst finding, whatever came before; then it keeps its row."""
    async with shown(failed(healthy(), "node/theoden", "timeout")) as screen:
        await screen.tell(without_vxlan(failed(healthy(), "node/theoden", "timeout")))
        pane = screen.app.screen.query_one(FindingsPane)
        assert pane.subject() == node_ref("samwise")
        while pane.subject() != node_ref("theoden"):
            await screen.press("j")
        await screen.tell(failed(healthy(), "node/theoden", "timeout"))
        assert pane.subject() == node_ref("theoden")
        await screen.tell(without_vxlan(failed(healthy(), "node/theoden", "timeout")))
        assert pane.subject() == node_ref("theoden")


async def test_open_and_back() -> None:
    """Enter opens what is under the cursor, breadcrumbs say where that is, esc and q lead back, q at last ends it."""
    async with shown(without_vxlan(healthy())) as screen:
        text = await screen.press("2", "j", "enter")
        assert "▸ samwise" in text.splitlines()[1]
        await screen.press("escape")
        assert isinstance(screen.app.screen, OverviewScreen)
        await screen.press("enter", "q")
        assert isinstance(screen.app.screen, OverviewScreen)
        await screen.press("escape")
        assert screen.app.is_running
        await screen.pilot.press("q")
        await screen.until(lambda: screen.app.return_value == 0)


async def test_history() -> None:
    """[ and ] go through the places visited, - to the last one."""
    async with shown(without_vxlan(healthy())) as screen:

        def here() -> str:
            entry: str = screen.app.screen.entry  # type: ignore[attr-defined]
            return entry

        await screen.press("2", "enter")
        assert here() == "node"
        await screen.press("colon", *"mesh", "enter")
        assert here() == "mesh"
        await screen.press("left_square_bracket")
        assert here() == "node"
        await screen.press("left_square_bracket")
        assert here() == "overview"
        await screen.press("right_square_bracket", "right_square_bracket")
        assert here() == "mesh"
        await screen.press("minus")
        assert here() == "node"
        await screen.press("minus")
        assert here() == "mesh"


async def test_command_line() -> None:
    """: completes with tab, remembers what was typed, and says in a sentence what it does not know."""
    async with shown(healthy()) as screen:
        await screen.press("colon", "f", "l", "tab", "enter")
        assert screen.app.screen.entry == "flux"  # type: ignore[attr-defined]
        await screen.press("q", "colon", *"frobnicate", "enter")
        await screen.until("There is no :frobnicate")
        text = await screen.press("colon", "up", "up")
        assert ":flux" in text.splitlines()[-1]
        await screen.press("escape")
        await screen.press("colon", *"readonly", "enter")
        await screen.until("only reads")
        await screen.press("colon", *"faults", "enter")
        assert "faults only" in screen.text()
        await screen.press("colon", *"q", "enter")
        await screen.until(lambda: screen.app.return_value == 0)


async def test_node_by_name() -> None:
    """:node NAME opens a node; a name that does not exist is named."""
    async with shown(healthy()) as screen:
        await screen.press("colon", *"node theoden", "enter")
        assert "▸ theoden" in screen.lines()[1]
        await screen.press("q", "colon", *"node gollum", "enter")
        await screen.until("There is no node gollum")


async def test_refresh_key() -> None:
    """ctrl-r asks every source again and says so."""
    async with shown(healthy()) as screen:
        await screen.press("ctrl+r")
        assert screen.script.collected == 1
        await screen.until("asking every source again")


async def test_ctrl_c_ends_it_anywhere() -> None:
    """ctrl-c ends underlay, even while something is typed."""
    async with shown(healthy()) as screen:
        await screen.press("slash", "x")
        await screen.pilot.press("ctrl+c")
        await screen.until(lambda: not screen.app.is_running or screen.app._exit)


@pytest.mark.parametrize("pane", "12345")
async def test_every_key_of_the_footer_works(pane: str) -> None:
    """Whatever the line of keys offers is bound to an action that exists here."""
    async with shown(without_vxlan(source_tree())) as screen:
        await screen.press(pane)
        shown_keys = screen.app.screen.query_one(Keys).lines[0]
        offered = [span.text for span in shown_keys if span.tone == "accent"]
        assert {"/", ":", "ctrl-z", "?", "z"} <= set(offered)
        for active in screen.app.screen.active_bindings.values():
            binding: Binding = active.binding
            if binding.show and active.enabled:
                name = binding.action.partition("(")[0].rpartition(".")[2]
                assert hasattr(active.node, f"action_{name}"), binding


async def test_mesh_explains_its_cell() -> None:
    """The edge of the mesh says what the pair under the cursor lacks and should have."""
    network = healthy().networks["samwise"]
    assert network.fdb is not None
    broken = with_network(healthy(), "samwise", fdb=network.fdb[1:])
    async with shown(broken) as screen:
        text = await screen.press("3")
        assert "✖ fdb" in text
        assert "FDB missing: expected" in text


async def test_changes() -> None:
    """What changed is listed newest first, before and after."""
    async with shown(healthy()) as screen:
        assert "nothing has changed" in screen.text()
        links = tuple(healthy().networks["samwise"].links or ())
        await screen.tell(without_vxlan(healthy()))
        text = screen.text()
        assert len(links) == 3
        assert "flannel.1" in text
        assert "gone mtu 1450" in text


def test_lines_are_shared_fairly() -> None:
    """Everybody gets what they want where it fits; else nobody starves, and the last takes what is left."""
    assert share_out(40, [6, 6, 10]) == [6, 6, 28]
    assert share_out(20, [100, 100, 100]) == [7, 7, 6]
    assert share_out(30, [5, 1000, 8])[0] == 5
    assert share_out(3, [5, 5, 5]) == [4, 4, 4]


def test_change_leads_to_its_subject() -> None:
    """A change of a node leads to the node, one of a Flux object to that; the API is nothing to open."""
    made = [Change(AT, subject, "x", "a", "b") for subject in ("samwise", "GitRepository/flux-system/home", "API")]
    assert [subject_of(change) for change in made] == [
        node_ref("samwise"),
        ObjectRef("GitRepository", "flux-system", "home"),
        None,
    ]
