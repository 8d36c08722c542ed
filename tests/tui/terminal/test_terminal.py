"""The interface in a real terminal: what its operator sees, types and is left with."""

import asyncio
import dataclasses
import re
import shutil
import time
import unicodedata
from collections.abc import Iterator

import pytest

from lab.cluster import LabCluster
from lab.kinds import BY_KIND
from tests.tui.terminal.keys import Offered, offered
from tests.tui.terminal.tmux import Tmux, alive, end, underlay, until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

FLANNEL = "flannel-missing-after-upgrade"
CAUSES = {
    "healthy": ("nothing is wrong", "3 nodes"),
    FLANNEL: ("eq14-001", "flannel.1 does not exist"),
    "flux-clone-timeouts": ("git flux-system", "the transfer begins"),
    "flux-http2-cancelled": ("git flux-system", "the time is up before"),
    "flux-http2-vxlan": ("Cluster overlay", "an MTU was changed by hand"),
    "registry-tls-timeouts": ("docker.io", "ghcr.io", "quay.io"),
}
SCREENS = (
    ("overview", "1", "1 Findings"),
    ("overview", "2", "2 Nodes"),
    ("overview", "3", "3 Overlay"),
    ("overview", "4", "4 Flux"),
    ("overview", "5", "5 Probes"),
    ("node eq14-001", "", "▸ eq14-001"),
    ("mesh", "", "▸ Overlay"),
    ("flux", "", "▸ Flux"),
    ("findings", "", "▸ Findings"),
    ("events", "", "▸ Events"),
    ("probes", "", "▸ Probes"),
    ("describe", "", "▸ Describe"),
    ("yaml", "", "▸ YAML"),
    ("journal", "", "▸ Journal"),
)
"""What to type after a colon, then, and what says that it is there; the last ones are of what the cursor was on."""
SAID = ("copied", "long lines are")
HELP = "esc closes"
ASKS = "esc leave"
HOSTILE = "\x1b]2;evil\x07\x1b[2J [red]x[/nope] [@click=app.bell]y[/] \x9b31m \u202eback\u2066 a\nb\tc\x00 end"


def demo(incident: str = FLANNEL, **options: object) -> Tmux:
    """Open underlay's demo cluster in a terminal."""
    return Tmux(underlay("--demo", incident), **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def terminal() -> Iterator[Tmux]:
    """One wide terminal with the incident in which most can be seen."""
    with demo(width=160, height=50) as made:
        made.until(CAUSES[FLANNEL][1])
        made.settled()
        yield made


@pytest.mark.parametrize("incident", CAUSES)
def test_the_cause_is_in_sight_at_once(incident: str) -> None:
    """In 80x24, without a key pressed, the header and the first cause of every incident are on the screen."""
    with demo(incident) as terminal:
        screen = terminal.until(lambda text: all(cause in text for cause in CAUSES[incident]))
        assert f"demo-{incident}"[:20] in screen
        assert "READ-ONLY" in screen
        assert max(len(line) for line in screen.splitlines()) <= 80


@pytest.mark.parametrize(
    "environ",
    [
        {"TERM": "linux"},
        {"TERM": "linux", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"TERM": "xterm-256color", "NO_COLOR": "1"},
        {"TERM": "xterm-256color", "COLORTERM": "truecolor", "SSH_CONNECTION": "192.0.2.1 22 192.0.2.2 22"},
        {"TERM": "vt100", "LC_ALL": "C"},
    ],
    ids=lambda environ: " ".join(environ.values()),
)
def test_every_kind_of_terminal_shows_the_cause(environ: dict[str, str]) -> None:
    """Sixteen colours, none, no Unicode, over SSH: the cause is in sight, its sign is one, and it ends cleanly."""
    with demo(width=160, height=50, environ=environ) as terminal:
        screen = terminal.until(CAUSES[FLANNEL][1])
        styles = set(re.findall(r"\x1b\[([\d;]*)m", terminal.screen(styles=True)))
        if "NO_COLOR" in environ:
            assert not [style for style in styles if re.search(r"(^|;)(3[0-8]|4[0-8]|9\d|10\d)(;|$)", style)]
        if environ.get("LC_ALL") == "C" and "PYTHONUTF8" in environ:
            assert screen.isascii(), {char for char in screen if not char.isascii()}
            assert not re.search(r"\?{3,}", screen), "characters that the terminal lacks were left to chance"
        terminal.type("q")
        assert terminal.status() == 0


def test_every_key_of_every_screen_does_something(terminal: Tmux) -> None:
    """Each key in the line at the bottom, on each screen, changes what is seen."""
    silent, everywhere = [], set[str]()
    for name, then, sign in SCREENS:
        before = go(terminal, name, then, sign)
        for key in offered(before):
            if key.word in everywhere:
                continue
            everywhere |= {key.word} & {"command", "help"}
            terminal.type(key.key)
            if not until(lambda before=before: differs(terminal.screen(), before), 3):  # type: ignore[misc]
                silent.append((name, then, key))
            elif not undo(terminal, key):
                go(terminal, name, then, sign)
            before = calm(terminal)
    assert not silent


def calm(terminal: Tmux) -> str:
    """Wait until what a key said has gone again: else its going would be taken for what the next key does."""
    terminal.until(lambda text: not any(said in text for said in SAID))
    return terminal.settled()


def go(terminal: Tmux, name: str, then: str, sign: str) -> str:
    """Go to a screen by its command, and wait until it is there."""
    if name in {"describe", "yaml", "journal"}:
        go(terminal, "overview", "2", "2 Nodes")
    terminal.type(":")
    terminal.until(lambda text: text.rstrip().rpartition("\n")[2].startswith(" :"))
    terminal.write(name)
    terminal.type("Enter")
    terminal.until(lambda text: sign in text and bool(offered(text)))
    terminal.type(*then)
    return terminal.settled()


def undo(terminal: Tmux, key: Offered) -> bool:
    """Take back what a key did, where it is that kind of key."""
    match key.word:
        case "faults" | "zoom" | "fold" | "wrap":
            after = terminal.settled()
            terminal.type(key.key)
            terminal.until(lambda text: differs(text, after))
        case "help":
            terminal.until(HELP)
            terminal.type("Escape")
            # An escape and a key that follows at once are one key to a terminal.
            terminal.until(lambda text: HELP not in text)
        case "repair":
            # The crumbs of the runbooks have the node's name as well: back, so that they are not taken for its screen.
            terminal.until("▸ Runbooks")
            terminal.type("Escape")
            terminal.until(lambda text: "▸ Runbooks" not in text and bool(offered(text)))
        case "probe" | "probe all":
            terminal.until(ASKS)
            terminal.type("Escape")
            terminal.until(lambda text: ASKS not in text)
        case "filter" | "command":
            terminal.until(lambda text: not offered(text))
            terminal.type("Escape")
            terminal.until(lambda text: bool(offered(text)))
        case _:
            return False
    return True


def differs(screen: str, before: str) -> bool:
    """Tell whether more than clocks and ages differ."""
    return re.sub(r"\d", "", screen) != re.sub(r"\d", "", before)


def test_a_probe_is_read_then_sent_and_can_be_stopped() -> None:
    """In 80x24: p says what it would send, its results come in live, esc ends another run, and all ends cleanly."""
    with demo() as terminal:
        terminal.until(CAUSES[FLANNEL][1])
        terminal.type("2", "p")
        screen = terminal.until(ASKS)
        assert "send path MTU and ping" in screen
        assert "from eq14-001 to gladius and momonoke" in " ".join(screen.split())
        terminal.type("Enter")
        screen = terminal.until("✔ 1500 ✖ dead")
        assert "▸ Probes" in screen
        terminal.until(lambda text: "probing" not in text)
        terminal.type("P")
        terminal.until(ASKS)
        terminal.type("Enter")
        terminal.until("probing 0/")
        terminal.type("Escape")
        began = time.monotonic()
        screen = terminal.until(lambda text: "probing" not in text)
        assert time.monotonic() - began < 2
        assert "▸ Probes" in screen
        terminal.type("q", "q")
        assert terminal.status() == 0


def test_any_size_is_survived(terminal: Tmux) -> None:
    """From 160x50 to 20x5 to 80x24 and back, every size is drawn, and the cause is in sight where there is room."""
    go(terminal, "overview", "1", "1 Findings")
    for width, height in ((20, 5), (1, 1), (80, 24), (250, 4), (30, 60), (160, 50)):
        terminal.resize(width, height)
        if width >= 80 and height >= 24:
            terminal.until(CAUSES[FLANNEL][1])
        else:
            terminal.settled()
        assert terminal.tell("alternate_on") == "1"


def test_a_quit_leaves_the_terminal_clean() -> None:
    """After q the usual screen is back, the cursor shown, the mouse free and the line discipline as it was."""
    with demo() as terminal:
        terminal.until("READ-ONLY")
        assert terminal.tell("alternate_on") == "1"
        terminal.type("q")
        assert terminal.status() == 0
        screen = terminal.until("icanon")
        for flag, value in (("alternate_on", "0"), ("cursor_flag", "1"), ("mouse_any_flag", "0")):
            assert terminal.tell(flag) == value, flag
        settings = set(screen.replace(";", " ").split())
        assert {"icanon", "echo", "isig", "icrnl", "opost"} <= settings
        assert "Traceback" not in screen


@pytest.mark.parametrize("keys", [("C-c",), (":", "q", "Enter")])
def test_other_ways_out_are_as_clean(keys: tuple[str, ...]) -> None:
    """Interrupt and :q end it as q does."""
    with demo() as terminal:
        terminal.until(lambda text: bool(offered(text)))
        for key in keys:
            terminal.type(key)
            if key == ":":
                terminal.until(lambda text: not offered(text))
        assert terminal.status() == 0
        assert terminal.tell("alternate_on") == "0"
        assert terminal.tell("cursor_flag") == "1"


def test_a_lost_link_leaves_no_process() -> None:
    """Hung up on, underlay ends, and so does whatever it started."""
    with demo() as terminal:
        terminal.until(CAUSES[FLANNEL][1])
        processes = terminal.descendants()
        assert processes
        terminal.hang_up()
        left = not until(lambda: not any(alive(pid) for pid in processes))
        for pid in processes if left else ():
            end(pid)
        assert not left, "it was still running"


async def test_hostile_strings_are_shown_harmless() -> None:
    """Markup, escapes and bidi marks from the cluster are seen as marks, and none of them reaches the terminal."""
    async with LabCluster("healthy") as lab:
        git = BY_KIND["GitRepository"]
        name = lab.world.store.objects(git)[0]["metadata"]["name"]
        lab.world.store.edit(git, "flux-system", name, lambda obj: _fail(obj["status"]["conditions"]))
        gimli = lab.world.nodes["gimli"]
        gimli.shape = dataclasses.replace(gimli.shape, k3s_version=f"v1.34.1{HOSTILE}")
        where = ("--kubeconfig", str(lab.kubeconfig), "--ssh-config", str(lab.ssh_config))
        await asyncio.to_thread(_look_at_hostile, where)


def _fail(conditions: list[dict[str, str]]) -> None:
    next(each for each in conditions if each["type"] == "Ready").update(status="False", message=HOSTILE)


def _look_at_hostile(where: tuple[str, ...]) -> None:
    """Look for the hostile message on every screen that shows it."""
    with Tmux(underlay(*where), width=160, height=50) as terminal:
        terminal.until("[red]x[/nope]")
        for name, sign in (("overview", "1 Findings"), ("findings", "▸ Findings"), ("flux", "▸ Flux")):
            screen = go(terminal, name, "", sign)
            assert "[red]x[/nope]" in screen, name
            assert not [char for char in screen if unicodedata.category(char) in {"Cc", "Cf"} and char != "\n"], name
        go(terminal, "node gimli", "", "▸ gimli")
        assert terminal.tell("pane_title") != "evil"
        terminal.type("q", "q", "q", "q", "q")
        assert terminal.status() == 0


async def test_an_api_that_goes_and_comes_back_is_told() -> None:
    """While the API is away the last data stays, with its age, and nobody is left at a shell; then it is live again."""
    async with LabCluster("healthy") as lab:
        where = ("--kubeconfig", str(lab.kubeconfig), "--ssh-config", str(lab.ssh_config))
        with Tmux(underlay(*where)) as terminal:
            await asyncio.to_thread(terminal.until, "● live")
            await lab.pause_api()
            for transport in tuple(lab.api._open):
                transport.abort()
            await asyncio.to_thread(terminal.until, "stale")
            await lab.resume_api()
            await asyncio.to_thread(terminal.until, "● live")


def test_nothing_unprintable_is_on_the_screen(terminal: Tmux) -> None:
    """No control or format character is among what is shown."""
    screen = go(terminal, "overview", "1", "1 Findings")
    assert not [char for char in screen if unicodedata.category(char) in {"Cc", "Cf"} and char != "\n"]
