"""A newcomer's way in a real terminal: from the incident on the screen to its repair, by the keys that are shown."""

import shutil
import time

import pytest

from tests.tui.terminal.tmux import Tmux, underlay

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

INCIDENT = "flannel-missing-after-upgrade"
CONTEXT = f"demo-{INCIDENT}"
LONG = 90.0
"""Seconds that a gate and its soak may take on a busy machine; some 20 are usual."""
FIVE_MINUTES = 300.0


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50)])
def test_a_newcomer_repairs_the_incident_by_the_wizard_alone(width: int, height: int) -> None:
    """w, enter, y, the context's name, y, the node's name: then what it was for is found nowhere any more."""
    with Tmux(underlay("--demo", INCIDENT), width=width, height=height) as terminal:
        terminal.until("flannel.1 does not exist", LONG)
        assert "READ-ONLY" in terminal.until("w repair", LONG)
        began = time.monotonic()
        terminal.type("w")
        terminal.until("fixes it", LONG)
        terminal.settled()
        terminal.type("Enter")
        assert "READ-ONLY" in terminal.until("y begin", LONG)
        terminal.type("y")
        terminal.until("to unlock writing and begin")
        terminal.write(CONTEXT)
        terminal.type("Enter")
        screen = terminal.until("y do it", LONG)
        assert "UNLOCKED" in screen
        assert "$ ssh eq14-001 'sudo systemctl restart k3s'" in screen
        terminal.settled()  # a question is not answered by a key that was meant for the last one
        terminal.settled()
        terminal.settled()
        terminal.type("y")
        terminal.until("type eq14-001 to confirm")
        terminal.write("eq14-001")
        terminal.type("Enter")
        screen = terminal.until("The run is completed.", LONG)
        assert "vxlan-link-missing eq14-001: not found any more" in screen
        assert time.monotonic() - began < FIVE_MINUTES
        terminal.type("v")
        terminal.until("Report")
        terminal.type("C-c")
        assert terminal.status() == 0
