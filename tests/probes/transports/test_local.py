"""Commands on this machine: the same seam, and nothing left behind."""

import asyncio
import os
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from probes.transports.base import CommandFailed, OutputTooLarge, TimedOut, Transport
from probes.transports.local import LocalTransport


@pytest.fixture
def here() -> Transport:
    return LocalTransport("node1")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while alive(pid):  # noqa: ASYNC110 it looks at another process
            await asyncio.sleep(0.01)


async def test_run(here: Transport) -> None:
    """Input, both outputs and the exit status pass; bytes that are no UTF-8 are replaced."""
    done = await here.run(["sh", "-s"], stdin=b"printf 'a\\377'; echo oops >&2; exit 3", timeout=5)
    assert (done.returncode, done.stdout, done.stderr) == (3, "a\ufffd", "oops\n")


async def test_no_shell_between(here: Transport) -> None:
    """Words reach the program as they are."""
    assert (await here.run(["printf", "%s|", "a  b", "$HOME", "`id`"], timeout=5)).stdout == "a  b|$HOME|`id`|"


async def test_large_input_and_output(here: Transport) -> None:
    """Input and output of several MiB pass at the same time."""
    data = os.urandom(64).hex().encode() * 32768
    assert (await here.run(["cat"], stdin=data, timeout=20)).stdout == data.decode()


async def test_input_that_is_not_read(here: Transport) -> None:
    """A program that ends without reading its input is judged by what it said."""
    assert (await here.run(["echo", "done"], stdin=b"x" * 1024 * 1024, timeout=5)).stdout == "done\n"


async def test_missing_program(here: Transport, tmp_path: Path) -> None:
    """A program that does not exist is status 127, one that may not be run 126, as a shell has it."""
    assert (await here.run(["no-such-program"], timeout=5)).missing
    (tmp_path / "file").write_text("x")
    assert (await here.run([str(tmp_path / "file")], timeout=5)).returncode == 126


async def test_signalled(here: Transport) -> None:
    """A program that a signal ended has status 128+N."""
    assert (await here.run(["sh", "-c", "kill -9 $$"], timeout=5)).returncode == 137


async def test_timeout_ends_all(here: Transport, tmp_path: Path) -> None:
    """At its time limit a command ends with everything it started, even what ignores SIGTERM."""
    script = f"trap '' TERM; sh -c 'trap \"\" TERM; sleep 600' & echo $! > {tmp_path}/pid; wait; sleep 600"
    started = time.monotonic()
    with pytest.raises(TimedOut, match="`sh` on node1 did not end within"):
        await here.run(["sh", "-c", script], timeout=0.4)
    assert time.monotonic() - started < 3
    await gone(int((tmp_path / "pid").read_text()))


async def test_cancelling_ends_all(here: Transport, tmp_path: Path) -> None:
    """A cancelled command ends with everything it started."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await here.run(["sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; wait"], timeout=60)
    await gone(int((tmp_path / "pid").read_text()))


async def test_too_much_output(here: Transport) -> None:
    """More than 16 MiB of output ends the command."""
    with pytest.raises(OutputTooLarge, match="`cat` on node1 said more than 16 MiB"):
        await here.run(["cat", "/dev/zero"], timeout=20)


async def test_lines(here: Transport) -> None:
    """Lines come one by one, the last also without its newline, and a closed stream ends its command."""
    assert [line async for line in here.lines(["printf", "a\\nb\\n\\nc"])] == ["a", "b", "", "c"]
    async with aclosing(here.lines(["sh", "-c", "echo $$; sleep 600"])) as lines:
        pid = int(await anext(lines))
        assert alive(pid)
    await gone(pid)


async def test_lines_that_fail(here: Transport) -> None:
    """A stream whose command fails ends with CommandFailed: its status and its first word on stderr."""
    lines = here.lines(["sh", "-c", "echo a; echo bad thing >&2; exit 4"])
    assert await anext(lines) == "a"
    with pytest.raises(CommandFailed, match=r"^`sh` on node1 ended with status 4: bad thing$") as caught:
        await anext(lines)
    assert caught.value.returncode == 4
    with pytest.raises(CommandFailed, match="not found") as caught:
        await anext(here.lines(["no-such-program"]))
    assert caught.value.returncode == 127


async def test_line_limit_and_back_pressure(here: Transport) -> None:
    """A line of more than 64 KiB is refused; a stream nobody reads is held back and loses nothing."""
    async with aclosing(here.lines(["cat", "/dev/zero"])) as lines:
        with pytest.raises(OutputTooLarge, match="longer than 64 KiB"):
            await anext(lines)
    async with aclosing(here.lines(["seq", "1", "300000"])) as lines:
        first = await anext(lines)
        await asyncio.sleep(0.2)
        assert [first, *[line async for line in lines]] == [str(i) for i in range(1, 300001)]
