"""A volley: the script of a probe, many short commands side by side, each answer in a frame of its own."""

import asyncio
import re
import shlex
from typing import Final

from lab import commands, shell
from lab.commands import Call
from lab.machine import Machine, PodNetns
from lab.network_commands import PROGRAMS
from lab.shell import Write
from lab.world import World

_NONCE: Final = re.compile(r"^m=([0-9a-f]{32})$", re.MULTILINE)
_SHOT: Final = re.compile(
    r'^(?:printf %s (.*) \| )?shot ([a-z0-9.-]{1,64}) (\S.*) & p="\$p \$!"$', re.MULTILINE | re.DOTALL
)
"""What a command reads, its name and its words."""
_READER: Final = ('eval "$(head -c "$1")"', "sh")
_AS_ROOT: Final = "sudo -n sh -c"


def volley(argv: tuple[str, ...]) -> tuple[int, bool] | None:
    """Give how many bytes of standard input are a volley's script, and whether root runs it; None for anything else."""
    if argv[:2] != ("sh", "-c") or argv[-3:-1] != _READER or not argv[-1].isdecimal():
        return None
    return int(argv[-1]), _AS_ROOT in argv[2]


async def run(
    world: World, machine: Machine, script: str, out: Write, *, root: bool, netns: PodNetns | None = None
) -> int:
    """Run a volley's commands, writing each answer as it comes; the script's exit status.

    ``netns``: in a pod's network, as its own process.
    """
    nonce = _NONCE.search(script)
    if nonce is None:
        return 2

    async def shoot(name: str, argv: tuple[str, ...]) -> None:
        if netns is not None:
            done = await commands.run(Call(world, machine, argv, root=root, netns=netns), PROGRAMS)
        else:
            done = await shell.run_argv(world, machine, argv, root=root)
        said = (done.out + done.err).rstrip("\n")
        out(f"\n{nonce[1]} begin {name}\n{said}\n{nonce[1]} end {name} {done.rc}\n")

    # A command may hold newlines, so lines are joined until they end as a shot's does.
    parts = re.split(r"(?m)^(?=printf %s )|^(?=shot [a-z0-9.-]+ )|^(?=wait )", script)
    shots = [part for part in parts if part.startswith(("shot ", "printf %s "))]
    found = [match for part in shots if (match := _SHOT.match(part.rstrip("\n")))]
    async with asyncio.TaskGroup() as tasks:
        for match in found:
            # What a command reads is given to it after its own words.
            words = (*shlex.split(match[3]), *(shlex.split(match[1]) if match[1] else ()))
            tasks.create_task(shoot(match[2], tuple(words)))
    out(f"{nonce[1]} done\n")
    return 0
