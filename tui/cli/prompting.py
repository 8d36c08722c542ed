"""Prompting: a run's questions on a plain terminal, answered a line each; a script may pipe the lines in."""

import asyncio
import sys
import threading
from collections.abc import Callable

from runbooks.events import Answer, Ask
from tui.cli.grid import Paper, wrap
from tui.cli.output import write

_WORDS = {"y": "confirm", "yes": "confirm", "s": "skip", "p": "pause", "a": "abort", "w": "wait", "o": "override"}


class Prompt:
    """Answers by lines of standard input; its end pauses the run."""

    def __init__(self, paper: Paper, write: Callable[[str], None] = write) -> None:
        self._paper = paper
        self._write = write
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._reading = False

    async def answer(self, ask: Ask) -> Answer:
        """Put a question and read lines until one is an answer."""
        self._read()
        for said in (each for each in ask.says if ask.about != "step" or each.startswith("✗")):  # shown above already
            self._write("".join(f"  {line}\n" for line in wrap(self._paper.text(said), self._paper.width - 2)))
        while True:
            self._write(f"{self._paper.text(ask.text)} {_offer(ask)}\n> ")
            line = await self._lines.get()
            if not line:
                self._write("\n")
                return Answer("pause" if "pause" in ask.choices else "abort")
            answer = read_answer(ask, line.strip())
            if answer is not None:
                return answer

    def _read(self) -> None:
        """Read lines in a thread of its own: in no other way can a terminal, a pipe and a file all be waited for."""
        if self._reading:
            return
        self._reading = True
        loop = asyncio.get_running_loop()

        def lines() -> None:
            while True:
                line = sys.stdin.readline() if sys.stdin is not None else ""
                try:
                    loop.call_soon_threadsafe(self._lines.put_nowait, line)
                except RuntimeError:  # the run is over
                    return
                if not line:
                    return

        threading.Thread(target=lines, name="answers", daemon=True).start()


def _offer(ask: Ask) -> str:
    named = {
        "confirm": f"type {ask.typed} to confirm" if ask.typed else "y yes",
        "skip": "s REASON skip",
        "wait": "w wait on",
        "override": f"o {ask.typed or 'override'} REASON go on all the same",
        "pause": "p pause",
        "abort": "a abort",
    }
    return f"[{', '.join(named[choice] for choice in ask.choices)}]"


def read_answer(ask: Ask, line: str) -> Answer | None:
    """Read a line as an answer: what must be typed before all else; None for what is no answer."""
    if ask.typed and "confirm" in ask.choices and line == ask.typed:
        return Answer("confirm", typed=line)
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    match _WORDS.get(word, word):
        case "confirm":
            return Answer("confirm", typed=rest)
        case "skip":
            return Answer("skip", reason=rest)
        case "override":
            typed, _, reason = rest.partition(" ")
            return Answer("override", typed=typed, reason=reason.strip())
        case ("pause" | "abort" | "wait") as choice:
            return Answer(choice, reason=rest)
    return None
