"""Commands in a container: lines as they come, ends as the API tells them, and nothing left open."""

import json
from collections.abc import Sequence

import pytest

from probes.transports.base import CommandFailed, CommandRefused, ConnectionLost, OutputTooLarge
from probes.transports.pod_exec import PodExecTransport


class Wire:
    """A websocket that says what a test gives it."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = list(messages)
        self.sent: list[bytes] = []
        self.closed = False

    async def receive(self) -> bytes | None:
        return self.messages.pop(0) if self.messages else None

    async def send(self, message: bytes) -> None:
        self.sent.append(message)

    async def close(self) -> None:
        self.closed = True


def told(wire: Wire) -> PodExecTransport:
    async def dial(argv: Sequence[str]) -> Wire:
        return wire

    return PodExecTransport("shop/web", dial)


async def said(wire: Wire, stdin: bytes = b"") -> list[str]:
    return [line async for line in told(wire).lines(("sh", "-c", "x"), stdin=stdin)]


OK = b"\3" + json.dumps({"status": "Success"}).encode()


def failure(reason: str, message: str) -> bytes:
    details = {"causes": [{"reason": reason, "message": message}]}
    return b"\3" + json.dumps({"status": "Failure", "message": "no", "details": details}).encode()


async def test_lines_come_whole_however_they_are_cut() -> None:
    """A line that comes in two messages is one; the last one needs no newline; standard input goes first."""
    wire = Wire([b"\1a\nb", b"\1c\n", b"\2ignored", b"\1d", OK])
    assert await said(wire, b"x" * 70000) == ["a", "bc", "d"]
    assert (b"".join(each[1:] for each in wire.sent), {each[:1] for each in wire.sent}) == (b"x" * 70000, {b"\0"})
    assert wire.closed


@pytest.mark.parametrize(
    ("messages", "error", "words"),
    [
        ([b"\2sh: no\n", failure("ExitCode", "127")], CommandFailed, "status 127: sh: no"),
        ([failure("", "")], CommandRefused, "its image may not have it"),
        ([b"\1a\n"], ConnectionLost, "ended under a command"),
        ([b"\3not json"], ConnectionLost, "did not say"),
        ([b"\1" + b"x" * 70000], OutputTooLarge, "longer than 64 KiB"),
    ],
)
async def test_every_other_end_is_an_error(messages: list[bytes], error: type[Exception], words: str) -> None:
    """A status, a refusal, a connection that breaks and a line without an end each say what they are."""
    wire = Wire(messages)
    with pytest.raises(error, match=words):
        await said(wire)
    assert wire.closed


async def test_a_command_is_run_to_its_end() -> None:
    """Its output and status are those of the process."""
    done = await told(Wire([b"\1a\nb\n", failure("ExitCode", "3")])).run(("x",), timeout=5)
    assert (done.returncode, done.stdout.splitlines()[:2]) == (3, ["a", "b"])
