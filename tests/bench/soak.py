"""Half an hour of a restless cluster: whether memory grows, tasks pile up or anything is logged.

The demo cluster is real to its client: API and SSH on loopback. Ten times a second a link changes its MTU, a pod
restarts and a Flux source is suspended or resumed; each minute k3s restarts, the API goes away, forgets its history, a
node hangs; meanwhile somebody types keys. The app is a process of its own, its garbage collected before each look.
"""

import argparse
import asyncio
import itertools
import random
import sys
import time
from functools import partial
from typing import Any, Final

from lab.cluster import LabCluster
from lab.kinds import BY_KIND
from tests.bench.tui_terminal import Terminal

_KEYS: Final = (
    "1",
    "2",
    "j",
    "j",
    "\r",
    "\x1b",
    "3",
    "4",
    "G",
    "g",
    "\r",
    "\x1b",
    "5",
    "z",
    "z",
    "?",
    "\x1b",
    "\x1a",
    "\x1a",
)
_LEVEL: Final = 0.1
"""Share of its size by which memory may wander."""


async def disturb(lab: LabCluster, every: float) -> None:
    """Change something of the cluster again and again."""
    chance = random.Random(1)  # noqa: S311 - no secret
    pods, git = BY_KIND["Pod"], BY_KIND["GitRepository"]
    for number in itertools.count():
        name = chance.choice(sorted(lab.world.nodes))
        machine = lab.world.nodes[name]
        machine.kernel.set_mtu("flannel.1", chance.choice((1400, 1450)))
        pod = chance.choice(lab.world.store.objects(pods))["metadata"]
        lab.world.store.edit(pods, pod["namespace"], pod["name"], partial(_restart, number))
        source = lab.world.store.objects(git)[0]["metadata"]
        lab.world.store.edit(git, source["namespace"], source["name"], partial(_suspend, number))
        match number % 600:
            case 150:
                lab.world.restart_unit(name)
            case 300:
                await lab.pause_api()
            case 330:
                await lab.resume_api()
            case 400:
                lab.world.store.forget()
            case 450 | 480:
                machine = lab.world.nodes[sorted(lab.world.nodes)[-1]]
                machine.alive = not machine.alive
        await asyncio.sleep(every)


def _suspend(number: int, source: dict[str, Any]) -> None:
    source["spec"]["suspend"] = number % 7 == 0


def _restart(number: int, pod: dict[str, Any]) -> None:
    for status in pod["status"].get("containerStatuses", []):
        status["restartCount"] = number


def look(terminal: Terminal, seconds: float) -> list[dict[str, Any]]:
    """Type keys and read for so long, looking at its size every half minute at most; what was seen."""
    seen: list[dict[str, Any]] = []
    keys = itertools.cycle(_KEYS)
    began, due = time.monotonic(), time.monotonic() + min(20.0, seconds / 10)
    while time.monotonic() - began < seconds:
        terminal.type(next(keys))
        found, _ = terminal.read(0.5)
        if not found:
            terminal.read(2.0, quiet=2.0)
        if time.monotonic() > due:
            due = time.monotonic() + min(30.0, seconds / 10)
            terminal.tell("size")
            end = time.monotonic() + 30
            while not terminal.has_answer() and time.monotonic() < end:
                terminal.read(0.1)
            size = terminal.answer()
            seen.append(size)
            took = time.monotonic() - began
            print(
                f"  {took / 60:5.1f} min   {size['resident']:6.1f} MiB   {size['objects']:7} objects"
                f"   {size['tasks']:3} tasks   {size['failures']} logged   {terminal.cpu():.0f} s of cpu",
                flush=True,
            )
    return seen


def judge(seen: list[dict[str, Any]]) -> bool:
    """Tell whether the last third is as the second: the first warms up."""
    third = len(seen) // 3
    if not third:
        print("  too short to judge")
        return False
    well = True
    for what, unit in (("resident", "MiB"), ("objects", ""), ("tasks", "")):
        middle = max(size[what] for size in seen[third : 2 * third])
        last = max(size[what] for size in seen[2 * third :])
        is_level = last <= middle * (1 + _LEVEL) + 3
        well &= is_level
        print(f"  {what}: at most {middle:.0f} {unit}, then {last:.0f} {unit}   {'level' if is_level else 'GROWS'}")
    failures = seen[-1]["errors"]
    print(f"  logged or lost exceptions: {len(failures)}", *failures, sep="\n    ")
    return well and not failures


async def main(minutes: float, every: float, incident: str) -> int:
    """Run the cluster here and the app beside it."""
    print(f"{minutes:g} minutes of {incident}, three changes every {every:g} s")
    async with LabCluster(incident) as lab:
        where = ["live", str(lab.kubeconfig), str(lab.ssh_config)]
        terminal = Terminal([sys.executable, "-m", "tests.bench.tui_app", *where])
        try:
            await asyncio.to_thread(terminal.answer)
            async with asyncio.TaskGroup() as tasks:
                disturbing = tasks.create_task(disturb(lab, every))
                seen = await asyncio.to_thread(look, terminal, minutes * 60)
                disturbing.cancel()
        finally:
            terminal.close()
    return 0 if judge(seen) else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=0.1, help="seconds between changes")
    parser.add_argument("--incident", default="healthy")
    options = parser.parse_args()
    sys.exit(asyncio.run(main(options.minutes, options.every, options.incident)))
