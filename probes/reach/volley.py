"""A volley: many short commands of a probe side by side on one host, in one session, each answer framed.

A script of POSIX sh; it writes nothing on the host. It comes by standard input: as an argument everybody there could
read it, and sudo would log it. Every command has a time limit of its own, and a watch on standard input ends them all
where nobody listens any more: sshd ends a session without a word to its commands.
"""

import asyncio
import re
import secrets
import shlex
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from probes.model.observation import Completed
from probes.model.text import clean
from probes.transports.base import CommandFailed, ConnectionLost, TimedOut, TransportError
from probes.vantage import Vantage

AT_ONCE: Final = 120
"""Commands side by side on one host."""
MOST: Final = 400
"""Commands of one volley."""
_GRACE_SECONDS: Final = 10.0
_NAME: Final = re.compile(r"[a-z0-9.-]{1,64}")

_SCRIPT: Final = r"""LC_ALL=C; PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin; export LC_ALL PATH
exec 3<&0 </dev/null
( cat <&3 >/dev/null; kill -TERM 0 ) &
exec 3<&-
shot() {
  name=$1; shift
  said=$("$@" 2>&1)
  printf '\n%s begin %s\n%s\n%s end %s %s\n' "$m" "$name" "$said" "$m" "$name" "$?"
}
"""
_READ: Final = 'eval "$(head -c "$1")"'
"""Takes so many bytes of standard input for a script and leaves the rest of it to the script's watch."""
_AS_ROOT: Final = 'if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; else exec sudo -n sh -c "$@"; fi'


class Shot(msgspec.Struct, frozen=True):
    """One command of a volley; it must end by itself."""

    name: str
    argv: tuple[str, ...]
    stdin: str = ""
    """What it reads: the place for what nobody else is to see, as arguments stand in lists of processes."""


def script(shots: Sequence[Shot], nonce: str, *, at_once: int = AT_ONCE) -> str:
    """Write the script; each answer stands in one write of its own, so that answers do not mix.

    Raises ValueError for an odd name of a shot.
    """
    lines = [f"m={nonce}\n{_SCRIPT}p=\n"]
    for number, shot in enumerate(shots, 1):
        if not _NAME.fullmatch(shot.name):
            raise ValueError(f"{shot.name!r} is no name for a shot: use small letters, digits, dots and dashes")
        told = f"printf %s {shlex.quote(shot.stdin)} | " if shot.stdin else ""
        lines.append(f'{told}shot {shot.name} {shlex.join(shot.argv)} & p="$p $!"\n')
        if number % at_once == 0:
            lines.append("wait $p; p=\n")
    # The watch outlives the commands: it is ended with what is left of the process group, this shell excepted. A wait
    # for nobody in particular would wait for the watch.
    lines.append(f"[ -z \"$p\" ] || wait $p; printf '%s done\\n' {nonce}; trap '' TERM; kill -TERM 0; exit 0\n")
    return "".join(lines)


async def volley(
    vantage: Vantage, shots: Sequence[Shot], *, seconds: float, at_once: int = AT_ONCE
) -> AsyncGenerator[Completed, None]:
    """Run commands side by side and yield each that has ended, ``argv[0]`` being its shot's name.

    ``seconds``: what the longest of them may take; the host gets some more for all of them. Close the generator with
    ``contextlib.aclosing``: that ends what still runs. Raises TransportError where the host cannot be asked.
    """
    nonce = secrets.token_hex(16)
    inside = [Shot(shot.name, vantage.argv(shot.argv), shot.stdin) for shot in shots[:MOST]]
    text = script(inside, nonce, at_once=at_once).encode()
    reader = (_READ, "sh", str(len(text)))
    argv = ("sh", "-c", _AS_ROOT, "sh", *reader) if vantage.root else ("sh", "-c", *reader)
    rounds = -(-len(inside) // at_once)
    limit = rounds * seconds + _GRACE_SECONDS
    left = {shot.name for shot in inside}
    done = False
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    try:
        async with aclosing(vantage.transport.lines(argv, stdin=text)) as lines:
            frames = _Frames(nonce)
            while True:
                async with asyncio.timeout_at(deadline):
                    line = await anext(lines, None)
                if line is None:
                    break
                done = done or line == f"{nonce} done"
                if (told := frames.feed(line)) is not None and told.argv[0] in left:
                    left.discard(told.argv[0])
                    yield told
    except TimeoutError as error:
        raise TimedOut(f"{vantage.name} did not finish a probe within {limit:g} s: it may be overloaded") from error
    except (CommandFailed, ConnectionLost) as error:
        if not done and left:
            raise _refused(vantage, error) from error


def _refused(vantage: Vantage, error: TransportError) -> TransportError:
    if vantage.root and "sudo" in str(error):
        return TransportError(
            f"{vantage.transport.host} lets us enter no pod's network: that needs root, and {clean(str(error))}"
        )
    return error


class _Frames:
    """The frames of a volley's output, taken apart line by line."""

    def __init__(self, nonce: str) -> None:
        self._mark = re.compile(nonce + r" (?:begin ([a-z0-9.-]{1,64})|end ([a-z0-9.-]{1,64}) ([0-9]{1,3}))")
        self._name = ""
        self._lines: list[str] = []

    def feed(self, line: str) -> Completed | None:
        """Take a line; gives the command that ended with it."""
        found = self._mark.fullmatch(line)
        if found is None:
            if self._name:
                self._lines.append(line)
            return None
        began, ended, returncode = found.groups()
        name, said = self._name, "\n".join(self._lines)
        self._name, self._lines = began or "", []
        return Completed((name,), int(returncode), said) if ended and ended == name else None
