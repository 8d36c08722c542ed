"""What every parser does with a step's output: tell failure from silence, bound numbers, make strings harmless."""

import re
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from probes.collectors.batch import CUT_OFF, TOO_LONG
from probes.model.observation import Completed
from probes.model.text import clean

T = TypeVar("T")
Outputs = Mapping[str, Completed]
"""By step name, what each step of a batch that ran said."""

MAX_MTU: Final = 65536
"""The loopback device's; no device that carries packets between hosts has more."""
MAX_INDEX: Final = 2**31 - 1
MAX_U32: Final = 2**32 - 1
MAX_U64: Final = 2**64 - 1
_MAX_WORDS: Final = 200
_MAX_COMMAND: Final = 60
_ABSENT: Final = re.compile(r"^cat: .*No such file or directory", re.MULTILINE)
_SUDO: Final = re.compile(r"^(?:.{0,40}: )?sudo: (?!unable to resolve host)(.*)", re.MULTILINE)


class Unreadable(Exception):
    """An output that gives no fact; its text is one sentence for the operator."""


def said(outputs: Outputs, step: str) -> str:
    """Give what a step said on its standard output; raises Unreadable where it did not run to a good end."""
    done = outputs.get(step)
    if done is None:
        raise Unreadable(f"the node's answer does not hold the step {step}")
    reason = failure(outputs, done)
    if reason:
        raise Unreadable(reason)
    return done.stdout


def found(outputs: Outputs, step: str) -> str | None:
    """Give the file that a ``cat`` step printed, None where there is no such file; raises Unreadable otherwise."""
    return None if absent(outputs, step) else said(outputs, step)


def absent(outputs: Outputs, step: str) -> bool:
    """Tell whether ``cat`` printed nothing because there is no such file; another program's words do not count."""
    done = outputs.get(step)
    return done is not None and done.returncode == 1 and not done.stdout and bool(_ABSENT.search(done.stderr))


def printed(outputs: Outputs, step: str) -> str:
    """Give what a step printed of many files, some of which may be absent: a failure only where it printed nothing."""
    done = outputs.get(step)
    if done is not None and done.returncode in {1, 2} and done.stdout.strip():
        return done.stdout
    return said(outputs, step)


def failure(outputs: Outputs, done: Completed) -> str:
    """Say in one sentence why a step gave nothing; empty where it ended well."""
    command = brief(" ".join(done.argv), _MAX_COMMAND)
    if done.returncode == 0:
        return ""
    if done.returncode == CUT_OFF:
        return f"the node's answer ended inside `{command}`"
    if done.returncode == TOO_LONG:
        return f"`{command}` said more than can be held"
    if done.timed_out:
        return f"`{command}` did not end within its time limit"
    if refusals := _SUDO.findall(done.stderr):
        return _refusal(outputs, command, brief(refusals[-1]))
    if done.missing:
        return f"`{_program(done)}` is not installed on the node"
    words = brief(next((line for line in done.stderr.splitlines() if line.strip()), "it said nothing"))
    busybox = f"the node's `{_program(done)}` is BusyBox's, which cannot do `{command}`"
    return busybox if words.startswith("BusyBox ") else f"`{command}` failed with status {done.returncode}: {words}"


def _program(done: Completed) -> str:
    return brief(done.argv[0]) if done.argv else "the command"


def _refusal(outputs: Outputs, command: str, words: str) -> str:
    """Say what sudo said: it may not be given, or not find the command."""
    if words.endswith("command not found"):
        return f"`{command}` is not installed on the node"
    if words == "not found" or words.endswith("'sudo': No such file or directory"):
        return "needs root, and the node has no sudo: log in as root, or install sudo there"
    user = outputs.get("user")
    whom = brief(user.stdout) if user is not None and user.returncode == 0 else ""
    return f"needs root, and sudo -n does not give it to {whom or 'this user'}: {words}"


def decoded(text: str, decoder: "msgspec.json.Decoder[list[T | None] | None]", what: str) -> list[T]:
    """Decode the list that an iproute2 command prints as JSON; nothing printed is an empty list.

    Null elements are left out. Raises Unreadable.
    """
    if not text.strip():
        return []
    try:
        elements = decoder.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"`{what}` printed no JSON that could be understood: {brief(str(error))}") from error
    return [element for element in elements or [] if element is not None]


def brief(text: str, limit: int = _MAX_WORDS) -> str:
    """Make outside words fit for a sentence: one harmless line of bounded length."""
    line = clean(" ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit else f"{line[:limit]}…"


def within(value: int | None, low: int, high: int) -> int | None:
    """Keep a number that can be true; another is unknown, never wrong."""
    return value if value is not None and low <= value <= high else None


def number(text: str, low: int, high: int) -> int | None:
    """Read a decimal number that can be true; anything else is unknown."""
    digits = text.strip()
    if len(digits) > 20 or not re.fullmatch(r"-?[0-9]+", digits):  # noqa: PLR2004 - as many digits as 2**64 has
        return None
    return within(int(digits), low, high)
