"""The batch: a script of framed steps on the standard input of ``sh -s``, run against the world."""

import asyncio
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from lab import commands, scripts
from lab.commands import Call, Done
from lab.machine import Machine
from lab.network_commands import PROGRAMS
from lab.world import World

_NONCE = re.compile(r"^m=([0-9a-f]{32})$", re.MULTILINE)
_STEP = re.compile(r"^(step|root|orelse|orelse_root) ([a-z0-9-]+) ([0-9]+) (\S.*)$", re.MULTILINE)
Write = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    """One line of a batch."""

    verb: str
    name: str
    timeout: int
    argv: tuple[str, ...]

    @property
    def root(self) -> bool:
        """Whether it is to run as root."""
        return self.verb in {"root", "orelse_root"}


def parse(script: str) -> tuple[str, list[Step]]:
    """Read a script: its nonce and its steps; ValueError when it is no batch."""
    nonce = _NONCE.search(script)
    if nonce is None:
        raise ValueError("the script has no m=NONCE line")
    steps = [
        Step(verb, name, int(limit), tuple(shlex.split(rest))) for verb, name, limit, rest in _STEP.findall(script)
    ]
    return nonce[1], steps


async def run_script(world: World, machine: Machine, script: str, out: Write, err: Write) -> int:
    """Run a batch, writing each step's output between its marks on both streams; the script's exit status."""
    try:
        nonce, steps = parse(script)
    except ValueError as error:
        err(f"sh: 1: {error}: not found\n")
        return 127
    last = 0
    for step in steps:
        if step.verb.startswith("orelse") and last == 0:
            continue
        for write in (out, err):
            write(f"\n{nonce} begin {step.name}\n")
        done = await run_argv(world, machine, step.argv, root=step.root)
        out(done.out)
        err(done.err)
        for write in (out, err):
            write(f"\n{nonce} end {step.name} {done.rc}\n")
        last = done.rc
        # A long batch must not hold the loop, in which the demo's reader runs as well.
        await asyncio.sleep(0)
    return 0


async def run_argv(
    world: World, machine: Machine, argv: tuple[str, ...], *, root: bool = False, stdin: str = ""
) -> Done:
    """Run one program as the login user, or as root through sudo."""
    login_is_root = machine.shape.user == "root"
    if (inner := scripts.wrapped(argv)) is not None:
        argv, root = inner, True
    if root and not login_is_root:
        argv = ("sudo", "-n", *argv)
    return await commands.run(Call(world, machine, argv, login_is_root, stdin=stdin), PROGRAMS)
