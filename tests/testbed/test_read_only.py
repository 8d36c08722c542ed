"""Until writing is unlocked the screens write nothing: every key they offer is pressed, on a real cluster."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from tests.testbed.cluster import Testbed
from tests.testbed.repairs import CONTEXT, Operator, left_in_api
from tests.tui.terminal.keys import offered
from tests.tui.terminal.tmux import Tmux, underlay, until

pytestmark = [
    pytest.mark.testbed,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

FEW: Final = (
    ("overview", "1", "1 Findings"),
    ("describe", "", "▸ Describe"),
    ("runbooks", "", "▸ Runbooks"),
    ("runbooks", "Enter", "▸ Plan"),
    ("runs", "", "▸ Runs"),
    ("runs", "Enter", "▸ Report"),
)
"""What to type after a colon, then, and what says that it is there: where something could be begun."""
ALL: Final = (
    *FEW,
    ("overview", "2", "2 Nodes"),
    ("overview", "3", "3 Overlay"),
    ("overview", "4", "4 Flux"),
    ("overview", "5", "5 Probes"),
    ("overview", "6", "6 Changes"),
    ("node theoden", "", "▸ theoden"),
    ("mesh", "", "▸ Overlay"),
    ("flux", "", "▸ Flux"),
    ("findings", "", "▸ Findings"),
    ("events", "", "▸ Events"),
    ("probes", "", "▸ Probes"),
    ("yaml", "", "▸ YAML"),
    ("journal", "", "▸ Journal"),
)
LEAST: Final = 4
"""Keys that every screen offers."""
ASKING: Final = {"begin", "resume", "abort"}
"""What asks for a name."""
TOGGLES: Final = {"faults", "zoom", "fold", "wrap"}
"""What a second press takes back."""
WRONG: Final = "production"
"""What is typed wherever a name is asked for: no context, node or run."""
CHANGING: Final = (
    "journal|/run/motd.dynamic|wtmp|lastlog|btmp|machine-id|/run/systemd|/run/user|/run/utmp|/run/sudo|/run/dbus"
    "|k3s/lease"
)


def node_state(bed: Testbed, node: str) -> dict[str, Any]:
    """Read what a write on a node would change: files, links, routes, rules, and which start of each unit this is."""

    def told(*argv: str) -> str:
        return bed.run_on(node, argv, check=False).stdout

    found = "find / -xdev -type f -printf '%p %s %T@\\n'; find /run /tmp -type f -printf '%p %s %T@\\n'"
    units = ("systemctl", "show", "-p", "Id,InvocationID,NRestarts", bed.node(node).unit, "ssh", "systemd-networkd")
    links = json.loads(told("ip", "-j", "-d", "link", "show"))
    return {
        "files": set(told("sh", "-c", f"({found}) 2>/dev/null | grep -vE '{CHANGING}'").splitlines()),
        "units": told(*units),
        "ours": told("systemctl", "list-units", "--all", "--no-legend", "underlay-*"),
        "links": {link["ifname"]: (link["mtu"], link["address"], sorted(link["flags"])) for link in links if link},
        "routes": told("ip", "route"),
        "peers": (told("bridge", "fdb", "show", "dev", "flannel.1"), told("ip", "neigh", "show", "nud", "permanent")),
        "rules": told("iptables", "-t", "mangle", "-S"),
    }


def go(terminal: Tmux, name: str, then: str, sign: str) -> str:
    """Go to a screen by its command, from wherever a key has led."""
    if name in {"describe", "yaml", "journal"}:
        go(terminal, "overview", "2", "2 Nodes")
    for _ in range(4):
        terminal.type(":")
        if until(lambda: terminal.screen().rstrip().rpartition("\n")[2].startswith(" :"), 1):
            break
        terminal.type("Escape")
        terminal.settled()
    terminal.write(name)
    terminal.type("Enter")
    if then:
        terminal.until(lambda text: len(offered(text)) >= LEAST)
        terminal.settled()
        terminal.type(then)
    terminal.until(lambda text: sign in text and len(offered(text)) >= LEAST)
    return terminal.settled()


def press_all(terminal: Tmux, name: str, then: str, sign: str) -> list[str]:
    """Press each key that a screen offers, type a wrong name where one is asked for; gives what the keys are for."""
    keys = offered(go(terminal, name, then, sign))

    def is_there(screen: str) -> bool:
        return sign in screen and offered(screen) == keys

    pressed = []
    for key in keys:
        terminal.type(key.key)
        after = terminal.settled()
        pressed.append(key.word)
        if key.word in ASKING:
            terminal.until("takes it")
            terminal.write(WRONG)
            terminal.type("Enter")
            terminal.until("not testbed")
        if key.word in TOGGLES:
            terminal.type(key.key)
            terminal.settled()
        elif not is_there(after):
            terminal.type("Escape")
            if not is_there(terminal.settled()):
                go(terminal, name, then, sign)
    return pressed


def paused_run(bed: Testbed, home: Path) -> str:
    """Leave a run that rests, of somebody who was at work earlier: `:runs` lists its journal."""
    operator = Operator(bed, home)
    done = operator.run("run", "restore-vxlan", "--node", "theoden", "--unlock", CONTEXT, answers="y\np\n")
    assert done.returncode == 1, done.stdout + done.stderr
    (run,) = operator.runs
    return run


@pytest.mark.parametrize("screens", [FEW, pytest.param(ALL, marks=pytest.mark.whole)], ids=["few", "all"])
def test_no_key_of_any_screen_writes_anything(
    testbed: Testbed, tmp_path: Path, screens: tuple[tuple[str, str, str], ...]
) -> None:
    """Locked, each key of each footer, with a wrong name where one is asked for, leaves API and nodes as they are."""
    run = paused_run(testbed, tmp_path)
    before = {node.name: node_state(testbed, node.name) for node in testbed.nodes}
    audit = len(testbed.plane.audit_log.read_text().splitlines())
    where = ("--kubeconfig", str(testbed.kubeconfig), "--ssh-config", str(testbed.ssh_config))
    homes = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    pressed: set[str] = set()
    with Tmux(testbed.operator_command(underlay(*where)), width=160, height=50, environ=homes) as terminal:
        terminal.until("READ-ONLY")
        terminal.until("▲ :runs")
        for screen in screens:
            pressed |= set(press_all(terminal, *screen))
            assert "UNLOCKED" not in terminal.screen()
        go(terminal, "runs", "", "▸ Runs")
        assert run in terminal.screen()
        terminal.type(":")
        terminal.write(f"write {WRONG}")
        terminal.type("Enter")
        terminal.until("That is not testbed")
    assert {"begin", "resume", "abort", "repair", "probe", "parameters"} <= pressed
    mine = [
        each
        for each in map(json.loads, testbed.plane.audit_log.read_text().splitlines()[audit:])
        if each["user"].get("username") == "underlay"
    ]
    assert mine
    assert {each["verb"] for each in mine} <= {"get", "list", "watch"}
    assert left_in_api(testbed) == []
    assert {node.name: node_state(testbed, node.name) for node in testbed.nodes} == before
