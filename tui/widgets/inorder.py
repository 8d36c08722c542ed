"""Keys in order: a key is acted on before the next one is looked at.

Textual forwards each key at once to what has the focus then. Of keys that arrive in one read, as they do by paste or
over a lagging link, those after ``:`` or enter would go to what had the focus before.
"""

import asyncio
from collections import deque
from typing import Final

from textual import events, on
from textual.dom import DOMNode
from textual.message import Message

from tui.widgets.narrow import NarrowApp

_PATIENCE: Final = 0.25
"""Seconds after which the next key is let through, whatever became of the one before."""
_ROUNDS: Final = 3
"""Times that what a key caused may cause something else, as opening a row does."""
_MOST_WAITING: Final = 4000
"""Keys that may wait: more than anybody types, and a bound on what a stuck one holds back."""


class InOrderApp(NarrowApp):
    """An App to which keys happen one after another."""

    class Passed(Message):
        """Goes the way of a key, behind it: where it arrives, the key has been acted on."""

        def __init__(self, origin: DOMNode, number: int, rounds: int) -> None:
            super().__init__()
            self.origin = origin
            self.number = number
            self.rounds = rounds

    def __init__(self, *, ansi_color: bool | None = None) -> None:
        super().__init__(ansi_color=ansi_color)
        self._typed: deque[events.Key | events.Paste] = deque(maxlen=_MOST_WAITING)
        self._number = 0
        self._patience: asyncio.TimerHandle | None = None
        """Runs while a key is in hand."""

    async def on_event(self, event: events.Event) -> None:
        """Let a key wait while another one is in hand, or has been let through and waits for its turn."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self._patience is not None or self._typed:
            self._typed.append(event)
        else:
            await self._take(event)

    async def _take(self, event: events.Key | events.Paste) -> None:
        self._number += 1
        number = self._number
        self._patience = asyncio.get_running_loop().call_later(_PATIENCE, self._let, number)
        target: DOMNode = self.focused or self.screen
        await super().on_event(event)
        if not target.post_message(self.Passed(target, number, _ROUNDS)):
            self._let(number)

    @on(Passed)
    def _passed(self, event: "InOrderApp.Passed") -> None:
        event.stop()
        again = self.Passed(event.origin, event.number, event.rounds - 1)
        if event.number == self._number and not (event.rounds and event.origin.post_message(again)):
            self._let(event.number)

    def _let(self, number: int) -> None:
        """Let the next key through, unless that was done."""
        if number != self._number or self._patience is None:
            return
        self._patience.cancel()
        self._patience = None
        if self._typed:
            self.call_later(self._next)

    async def _next(self) -> None:
        if self._typed and self._patience is None:
            await self._take(self._typed.popleft())
