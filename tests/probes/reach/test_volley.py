"""A volley runs commands side by side under a real shell, keeps answers apart, and leaves nothing behind."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from probes.model.observation import Completed
from probes.reach.volley import Shot, script, volley
from probes.transports.base import TransportError
from probes.transports.local import LocalTransport
from probes.vantage import Vantage
from tests.testbed.commands import wait_until

HERE = Vantage("operator", "operator", LocalTransport())


async def _all(shots: list[Shot], seconds: float = 5) -> dict[str, Completed]:
    async with aclosing(volley(HERE, shots, seconds=seconds)) as completed:
        return {each.argv[0]: each async for each in completed}


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(wait_until, condition, 5, "the condition")


def _running(mark: str) -> bool:
    """Tell whether any process has ``mark`` among its arguments."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in words:
                return True
    return False


async def test_commands_run_side_by_side() -> None:
    """Forty commands of 0.2 s take little more than one; each has its own output and status."""
    began = time.monotonic()
    shots = [Shot(f"{n}.a", ("sh", "-c", f"sleep 0.2; echo out {n}; echo err >&2; exit {n}")) for n in range(40)]
    answers = await _all(shots)
    assert time.monotonic() - began < 3
    assert {name: each.returncode for name, each in answers.items()} == {f"{n}.a": n for n in range(40)}
    assert answers["7.a"].stdout == "out 7\nerr"


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_rounds_end_with_their_last_command(count: int) -> None:
    """Rounds of two, the last of them full or not: the volley ends with its last command and not with its limit."""
    began = time.monotonic()
    shots = [Shot(str(n), ("echo", str(n))) for n in range(count)]
    async with aclosing(volley(HERE, shots, seconds=9, at_once=2)) as completed:
        assert sorted([each.stdout async for each in completed]) == [str(n) for n in range(count)]
    assert time.monotonic() - began < 5


async def test_what_a_command_reads_is_its_own() -> None:
    """Text for a command's standard input arrives as it is, quotes and newlines included, and others read nothing."""
    nasty = "first 'line'\nsecond \\ $(id) %s\n"
    answers = await _all([Shot("1", ("cat",), nasty), Shot("2", ("cat",))])
    assert (answers["1"].stdout, answers["2"].stdout) == (nasty.rstrip("\n"), "")


async def test_an_answer_cannot_pass_for_another() -> None:
    """What looks like a frame inside an answer is text; arguments with quotes and newlines arrive as they are."""
    nasty = "0123456789abcdef0123456789abcdef end 1 0\n'\"$(id)` ;&"
    answers = await _all([Shot("1", ("printf", "%s", nasty)), Shot("2", ("printf", "%s", "x"))])
    assert answers["1"].stdout == nasty
    assert answers["2"].stdout == "x"


async def test_what_is_asked_stands_in_no_list_of_processes() -> None:
    """A volley's script passes by standard input: no argument of its shells holds what the script does."""
    answers = await _all([Shot("1", ("sh", "-c", "tr '\\0' ' ' </proc/$PPID/cmdline; : secret-word"))])
    assert "head -c" in answers["1"].stdout
    assert "secret-word" not in answers["1"].stdout


async def test_a_missing_program_is_its_own_shots_answer() -> None:
    """Status 127 for one, an answer for the other."""
    answers = await _all([Shot("1", ("no-such-program-here",)), Shot("2", ("true",))])
    assert answers["1"].missing
    assert answers["2"].returncode == 0


async def test_leaving_ends_all_that_runs() -> None:
    """Who leaves a volley at its first answer leaves no process behind."""
    mark = "9973.125"
    shots = [Shot("quick", ("true",)), *(Shot(f"slow{n}", ("sleep", mark)) for n in range(8))]
    async with aclosing(volley(HERE, shots, seconds=30)) as completed:
        assert (await anext(completed)).argv == ("quick",)
    await _until(lambda: not _running(mark))


async def test_a_lost_connection_ends_all_that_runs() -> None:
    """sshd closes a command's standard input and says nothing: the watch on it ends everything."""
    mark = "9973.250"
    text = script([Shot("slow", ("sleep", mark))], "0" * 32)
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", text, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    await _until(lambda: _running(mark))
    assert process.stdin is not None
    process.stdin.close()
    await _until(lambda: not _running(mark))
    await process.communicate()


@pytest.mark.skipif(shutil.which("busybox") is None, reason="busybox is not installed")
async def test_busybox_runs_it() -> None:
    """The script is POSIX: BusyBox's shell frames and ends it likewise."""
    text = script([Shot("1", ("echo", "said")), Shot("2", ("false",))], "0" * 32)
    process = await asyncio.create_subprocess_exec(
        "busybox",
        "sh",
        "-c",
        text,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    async with asyncio.timeout(5):
        said = (await process.stdout.read()).decode()
        await process.wait()
    assert f"\n{'0' * 32} begin 1\nsaid\n{'0' * 32} end 1 0\n" in said
    assert f"{'0' * 32} end 2 1\n" in said
    assert f"{'0' * 32} done\n" in said


async def test_a_host_that_refuses_is_told() -> None:
    """Where no command could be started the host's own reason comes through."""
    nowhere = Vantage("pod", "pod@x", _Refusing(), netns="cni-1")
    with pytest.raises(TransportError, match="needs root"):
        async with aclosing(volley(nowhere, [Shot("1", ("true",))], seconds=1)) as completed:
            assert [each async for each in completed] == []


class _Refusing(LocalTransport):
    def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:  # noqa: ARG002 - Transport's signature
        assert argv[:2] == ("sh", "-c")
        return super().lines(("sh", "-c", "echo sudo: a password is required >&2; exit 1"))


def test_odd_names_are_refused() -> None:
    """A shot's name stands in a shell script: letters, digits, dashes and dots only."""
    with pytest.raises(ValueError, match="no name for a shot"):
        script([Shot("$(id)", ("true",))], "0" * 32)
