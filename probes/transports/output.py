"""What a command says, bounded: all of it, or line by line with back-pressure."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from probes.model.observation import Completed
from probes.model.text import clean
from probes.transports.base import CommandFailed, OutputTooLarge

MAX_OUTPUT: Final = 16 * 1024 * 1024
MAX_LINE: Final = 64 * 1024
_MAX_WAITING: Final = 1024 * 1024
_MAX_ERROR: Final = 4096
_SIGNALLED: Final = 128


def exit_code(returncode: int) -> int:
    """Turn -N for a signal into a shell's 128+N."""
    return _SIGNALLED - returncode if returncode < 0 else returncode


class Output:
    """All that a command says, up to 16 MiB."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._said = (bytearray(), bytearray())
        self.too_large = False

    def feed(self, data: bytes, *, stderr: bool) -> None:
        """Keep output; past the limit the rest is let go and ``too_large`` is set."""
        if self.too_large:
            return
        self._said[stderr].extend(data)
        self.too_large = len(self._said[0]) + len(self._said[1]) > MAX_OUTPUT

    def completed(self, argv: tuple[str, ...], returncode: int) -> Completed:
        """Give what was said as text; raises OutputTooLarge."""
        if self.too_large:
            size = MAX_OUTPUT // (1024 * 1024)
            raise OutputTooLarge(f"`{clean(argv[0])}` on {self._where} said more than {size} MiB: it was ended")
        stdout, stderr = (bytes(said).decode("utf-8", "replace") for said in self._said)
        return Completed(argv, exit_code(returncode), stdout, stderr)


class Lines:
    """The lines of a long-lived command; whoever feeds it is told to pause while nobody takes them."""

    def __init__(self, where: str, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._where = where
        self._pause = pause
        self._resume = resume
        self._lines: deque[bytes] = deque()
        self._size = 0
        self._part = bytearray()
        self._stderr = bytearray()
        self._paused = False
        self._ended = False
        self._too_long = False
        self._news = asyncio.Event()

    def feed(self, data: bytes, *, stderr: bool) -> None:
        """Take in output; of stderr the first few KiB are kept for a message."""
        if stderr:
            self._stderr.extend(data[: _MAX_ERROR - len(self._stderr)])
            return
        if self._too_long:
            return
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._take(bytes(self._part) + line)
            self._part.clear()
        self._part.extend(rest)
        if len(self._part) > MAX_LINE:
            self._too_long = True
            self._part.clear()
            self._news.set()
        if self._size > _MAX_WAITING and not self._paused:
            self._paused = True
            self._pause()

    def _take(self, line: bytes) -> None:
        if self._too_long or len(line) > MAX_LINE:
            self._too_long = True
        else:
            self._lines.append(line)
            self._size += len(line) + 1
        self._news.set()

    def end(self) -> None:
        """No more will come; a last line without its newline counts."""
        if self._part:
            self._take(bytes(self._part))
            self._part.clear()
        self._ended = True
        self._news.set()

    async def next(self) -> str | None:
        """Wait for the next line; None at the end; raises OutputTooLarge for a line of more than 64 KiB."""
        while not self._lines:
            if self._too_long:
                raise OutputTooLarge(f"a line from {self._where} is longer than {MAX_LINE // 1024} KiB: it was ended")
            if self._ended:
                return None
            self._news.clear()
            await self._news.wait()
        line = self._lines.popleft()
        self._size -= len(line) + 1
        if self._paused and not self._lines:
            self._paused = False
            self._resume()
        return line.decode("utf-8", "replace")

    def judge(self, name: str, returncode: int) -> None:
        """Say how it ended; raises CommandFailed for a status other than 0."""
        code = exit_code(returncode)
        if code:
            said = clean(bytes(self._stderr).decode("utf-8", "replace").strip().partition("\n")[0])
            raise CommandFailed(
                f"`{clean(name)}` on {self._where} ended with status {code}: {said or 'it gave no reason'}", code
            )
