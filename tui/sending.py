"""Sender: sends one probe at a time, and tells at an eye's pace what comes of it."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

from probes.model.reach import Result
from tui.defects import admit
from tui.probed import Probed, begun, ended, told
from tui.probing import CannotProbe, Proposal

_FRAME: Final = 0.1
"""Seconds between two states that are told, at least: a hundred results may come within one."""


class Sender:
    """Sends what was proposed; ``publish`` gets each new state, on the event loop."""

    def __init__(self, publish: Callable[[Probed], None], clock: Callable[[], float]) -> None:
        self.probed = Probed()
        self._publish = publish
        self._clock = clock
        self._waiting: list[Result] = []
        self._timer: asyncio.TimerHandle | None = None

    async def send(self, proposal: Proposal) -> None:
        """Send it, to its end or until cancelled; results that came are kept either way."""
        if self.probed.is_running:
            return
        self._tell(begun(self.probed, proposal, self._clock()))
        try:
            await proposal.send(self._note)
        except asyncio.CancelledError:
            self._end("stopped")
            raise
        except CannotProbe as error:
            self._end("failed", str(error))
        except Exception as error:  # noqa: BLE001 - the edge of a run: whatever it was, the screens stay
            self._end("failed", admit(error, self._clock()))
        else:
            self._end("done")

    def _note(self, result: Result) -> None:
        self._waiting.append(result)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_FRAME, self._flush)

    def _flush(self) -> None:
        self._timer = None
        results, self._waiting = self._waiting, []
        self._tell(told(self.probed, results))

    def _end(self, state: Literal["done", "stopped", "failed"], reason: str = "") -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        results, self._waiting = self._waiting, []
        self._tell(ended(told(self.probed, results), state, reason))

    def _tell(self, probed: Probed) -> None:
        self.probed = probed
        self._publish(probed)
