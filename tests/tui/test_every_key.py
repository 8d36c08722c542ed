"""Every key that a screen offers, pressed: none is dead, none ends underlay."""

import pytest
from textual.binding import Binding

from probes.model.flux import ObjectRef
from tests.tui.screens.opened import Reads, Shown, opened
from tests.tui.views.troubled import troubled

NODE = ObjectRef("Node", "", "samwise")
SCREENS = (
    ("mesh", None),
    ("node", NODE),
    ("flux", None),
    ("findings", None),
    ("events", None),
    ("describe", NODE),
    ("explain", ObjectRef("Code", "", "vxlan-link-missing")),
)
QUIET = {"findings.fold", "faults", "events.lists", "copy"}
"""What may change nothing: nothing to fold, nothing right to leave out, the list that is shown already, a copy."""
LISTS = {"findings"}
"""Screens of which every other key is pressed too: a list with a text."""
ELSEWHERE = {"quit", "leave", "back", "text.save", "earlier", "last"}
"""What ends, leaves or writes; each has a test of its own."""


def offered(shown: Shown) -> list[Binding]:
    """List what works on the screen in front."""
    active = (each.binding for each in shown.app.screen.active_bindings.values() if each.enabled)
    return [binding for binding in active if binding.id and binding.id not in ELSEWHERE]


@pytest.mark.parametrize(("name", "ref"), SCREENS, ids=[name for name, _ in SCREENS])
async def test_every_key_of_a_screen(name: str, ref: ObjectRef | None) -> None:
    """Each key in the line of keys changes what is seen, and the others are harmless."""
    async with opened(troubled(), name, ref, reads=Reads("kind: Node\nname: samwise\n")) as shown:
        in_line = [binding for binding in offered(shown) if binding.show]
        assert in_line
        for binding in in_line:
            before = shown.text()
            await shown.press(binding.key)
            if binding.id not in QUIET:
                await shown.until(lambda before=before: shown.text() != before)  # type: ignore[misc]
            shown.app.clear_notifications()
            shown.app._unwind()
            shown.app.go(name, ref)
            await shown.says("help")
        for binding in offered(shown) if name in LISTS else ():
            if not binding.show:
                await shown.press(binding.key)
                assert shown.app.is_running, binding
        assert not shown.app.failure
