"""Runs there were are told by how they ended and by what they left."""

import msgspec
import pytest

from tests.tui.views.said import NOW, said, tones
from tui.format import ASCII, UNICODE
from tui.repairs import Leftover, PastRun, RunState
from tui.views.runs import run_blocks, run_listing

RUN = PastRun("0101-000001-aaaa", "restart", "Restart k3s", "home", "paused", NOW - 90, NOW - 60, ("samwise",), 1, 3)


@pytest.mark.parametrize(
    ("state", "sign"),
    [
        ("paused", "▲"),
        ("interrupted", "▲"),
        ("failed", "✖"),
        ("completed", "✔"),
        ("aborted", "·"),
        ("refused", "·"),
        ("running", "…"),
    ],
)
def test_every_state_has_its_sign(state: RunState, sign: str) -> None:
    """Symbol and word together; only a completed run is green."""
    run = msgspec.structs.replace(RUN, state=state)
    (item,) = run_listing([run], UNICODE).items
    assert item.text(NOW).startswith(f"{sign} {state}")
    assert ("ok" in tones(run_blocks(run, (), "home", UNICODE), state)) == (state == "completed")


def test_those_that_can_be_gone_on_with_come_first() -> None:
    """Then the newest."""
    done = msgspec.structs.replace(RUN, run="new", state="completed", started_at=NOW)
    older = msgspec.structs.replace(RUN, run="old", started_at=NOW - 900)
    keys = [item.row.key for item in run_listing([done, older, RUN], UNICODE).items]
    assert keys == [RUN.run, "old", "new"]


def test_a_run_says_how_it_stands_and_what_it_left() -> None:
    """Its own end, what it left behind, what is left in the cluster, and the next key."""
    run = msgspec.structs.replace(RUN, text="samwise was restarted.", left=("samwise is cordoned",))
    text = said(run_blocks(run, (Leftover("lock", "sam@bag-end holds the lock"),), "home", UNICODE))
    assert "▲ sam@bag-end holds the lock" in text
    assert "1 of 3 are behind it" in text
    assert "samwise was restarted." in text
    assert "▲ left behind: samwise is cordoned" in text
    assert "r goes on with it from where it rests; a gives it up." in text


def test_a_run_of_another_cluster_is_not_gone_on_with_here() -> None:
    """It says which context it is of, and offers no key."""
    text = said(run_blocks(RUN, (), "away", UNICODE))
    assert "it is of another context, home" in text
    assert "r goes on" not in text


def test_ascii_terminals_get_ascii() -> None:
    """No sign of ours needs more than ASCII there."""
    assert said(run_blocks(RUN, (), "home", ASCII), 80, ASCII).isascii()
    assert run_listing([RUN], ASCII).items[0].text(NOW).isascii()
