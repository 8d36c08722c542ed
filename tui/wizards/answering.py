"""Answering screen: what a run asks, and how the operator answers, stops it or goes on with it."""

import asyncio
from typing import ClassVar, Final

from probes.model.flux import ObjectRef
from runbooks.events import Answer, Ask, Choice
from tui.format import Span
from tui.widgets.askbar import AskBar
from tui.wizards.asking import AskingScreen
from tui.wizards.progress import Progress
from tui.wizards.running import ask_lines, hint, so_now

_ANSWERS: Final[dict[str, Choice]] = {
    "confirm": "confirm",
    "skip": "skip",
    "wait": "wait",
    "override": "override",
}


class AnsweringScreen(AskingScreen):
    """A question of a run at a time; what must be typed is typed, and a key pressed twice answers one."""

    DWELL: ClassVar[float] = 0.4
    """Seconds that a question must have been asked before a key answers it: a key pressed twice answers one."""

    def __init__(self, ref: ObjectRef | None = None) -> None:
        super().__init__(ref)
        self._asked: Ask | None = None
        self._asked_at = 0.0

    def _draw(self) -> None:
        """Draw the run, and its question below it."""
        raise NotImplementedError

    def _dismissed(self) -> None:
        self._draw()

    def _question(self, progress: Progress) -> None:
        """Ask what is asked, and forget what was typed for a question that is none any more."""
        if progress.ask is not self._asked:
            self._asked = progress.ask
            self._asked_at = asyncio.get_running_loop().time()
            if self._bar.purpose != "abort":
                self._close()
        lines: list[tuple[Span, ...]] = []
        if self._bar.purpose == "abort":
            said = "; ".join(so_now(progress))
            lines = [(Span(f" Give the run up? Now: {said}", "warning"),)]
        elif progress.ask is not None:
            lines = ask_lines(progress, self.size.width, self.app.glyphs)
            lines += [hint(progress.ask)] if progress.ask.typed and not self._bar.purpose else []
        elif progress.stopping:
            how = "comes to rest" if progress.stopping == "pause" else "is given up"
            lines = [(Span(f" It {how} as soon as it is known whether what was sent has happened.", "warning"),)]
        self._bar.ask(lines)

    def _is_settled(self) -> bool:
        return asyncio.get_running_loop().time() - self._asked_at >= self.DWELL

    def action_answer(self, choice: str) -> None:
        """Answer the question, once what has to be typed was typed."""
        progress = self.app.progress
        ask = progress.ask if progress else None
        if ask is None or not self._is_settled():
            return
        if choice == "confirm" and ask.typed:
            self._type("confirm", f"type {ask.typed} to confirm:")
        elif choice == "override":
            self._type("override", f"type {ask.typed} to go on all the same:" if ask.typed else "why go on:")
        elif choice == "skip":
            self._type("skip", "why skip it:")
        else:
            self._give(Answer(_ANSWERS[choice]))

    def _type(self, purpose: str, label: str) -> None:
        self._open(purpose, label)
        self._draw()

    def _give(self, answer: Answer) -> None:
        session = self.app.session
        wrong = session.give(answer) if session is not None else "there is no run"
        if wrong:
            self._bar.complain(wrong)
        else:
            self._close()

    def on_ask_bar_given(self, event: AskBar.Given) -> None:
        """Take what was typed."""
        event.stop()
        ask = self.app.progress.ask if self.app.progress else None
        match event.purpose:
            case "abort":
                self._abort(event.text)
            case "break":
                self._break(event.text)
            case "confirm":
                self._give(Answer("confirm", typed=event.text))
            case "skip":
                self._give(Answer("skip", reason=event.text))
            case "override" if ask is not None and ask.typed and event.text != ask.typed:
                self._bar.complain(f"that is not {ask.typed}")
            case "override" if ask is not None and ask.typed:
                self._type("override-reason", "why go on:")
            case "override" | "override-reason" if ask is not None:
                self._give(Answer("override", typed=ask.typed, reason=event.text))

    def _abort(self, typed: str) -> None:
        if typed != "abort":
            self._bar.complain("type abort to give it up, or press esc")
            return
        self._close()
        self.app.interrupt("abort")

    def action_stop(self, how: str) -> None:
        """Let the run rest; to give it up has to be typed."""
        if how == "pause":
            self.app.interrupt("pause")
        else:
            self._type("abort", "type abort to give it up:")

    def action_resume(self) -> None:
        """Go on from where it rests."""
        if self.app.progress is not None:
            self.app.resume_run(self.app.progress.plan.run)

    def _holder(self) -> str:
        """Tell which other run holds the cluster's lock."""
        mine = self.app.progress.plan.run if self.app.progress else ""
        return next((each.run for each in self.app.left if each.kind == "lock" and each.run not in {"", mine}), "")

    def action_break(self) -> None:
        """Take the lock away from the run that holds it, once its name was typed, and go on."""
        self._type("break", f"type {self._holder()} to take the lock from it:")

    def _break(self, typed: str) -> None:
        holder = self._holder()
        if typed != holder or not holder:
            self._bar.complain(f"that is not {holder}")
        elif self.app.progress is not None:
            self._close()
            self.app.resume_run(self.app.progress.plan.run, breaking=holder)
