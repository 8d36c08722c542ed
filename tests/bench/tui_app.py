"""underlay's screens over a scripted world: UnderlayApp as it is, with snapshots in place of a Cluster.

With ``live KUBECONFIG SSH_CONFIG`` in place of three numbers it is a Cluster after all, as ``underlay`` has it. Orders
come in on one file descriptor and answers go out on another, see ``tui_terminal``.
"""

import asyncio
import gc
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import themes
from probes.model.snapshot import Snapshot
from tests.bench.world import World
from tui.app import UnderlayApp
from tui.cli.connect import connected
from tui.cli.place import Place

Publish = Callable[[Snapshot], None]


class Script:
    """Publishes a world and does what it is ordered."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.errors: list[str] = []
        self._answers = os.fdopen(int(os.environ["UNDERLAY_BENCH_ANSWERS"]), "w", encoding="utf-8")

    def answer(self, value: object) -> None:
        """Write one answer."""
        self._answers.write(json.dumps(value) + "\n")
        self._answers.flush()

    async def follow(self, publish: Publish) -> None:
        """Publish what the API says, then everything, then what orders change."""
        publish(self.world.kube)
        self.answer({"published": time.perf_counter()})
        await asyncio.sleep(0)
        publish(self.world.snapshot)
        await self.obey(publish)

    async def obey(self, publish: Publish) -> None:
        """Do what is ordered until cancelled."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.errors.append(str(context)[:500]))
        logging.getLogger().addHandler(_Noted(self.errors))
        reader = asyncio.StreamReader()
        pipe = os.fdopen(int(os.environ["UNDERLAY_BENCH_ORDERS"]), "rb")
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        async for line in reader:
            name, *words = json.loads(line)
            await getattr(self, name)(publish, *words)
        await asyncio.Event().wait()

    async def one(self, publish: Publish, number: int) -> None:
        """Give one node another MTU."""
        publish(self.world.change(1, number))
        self.answer({})

    async def cordon(self, publish: Publish, number: int) -> None:
        """Cordon one node, or take that back."""
        publish(self.world.cordon(number))
        self.answer({})

    async def churn(self, publish: Publish, nodes: int, pods: int, seconds: float, visible: int = 0) -> None:
        """Let so many nodes answer anew and so many pods restart each second, evenly; tell how late the loop was.

        ``visible``: so many of the first nodes change their MTU as well, each time.
        """
        loop = asyncio.get_running_loop()
        steps = max(nodes, 1)
        began, used = loop.time(), time.process_time()
        worst, count = 0.0, 0
        while loop.time() - began < seconds:
            due = began + (count + 1) / steps
            await asyncio.sleep(max(0.0, due - loop.time()))
            worst = max(worst, loop.time() - due)
            if visible:
                self.world.change(visible)
            publish(self.world.churn(1, pods // steps + (count % steps < pods % steps), count * 7))
            count += 1
            if loop.time() - due > 1:  # do not catch up
                began += loop.time() - due
        self.answer({"late": worst, "cpu": time.process_time() - used, "wall": loop.time() - began, "steps": count})

    async def lateness(self, publish: Publish, seconds: float) -> None:  # noqa: ARG002 - as every order
        """Look every 5 ms how late the loop is."""
        loop = asyncio.get_running_loop()
        end, late = loop.time() + seconds, []
        while loop.time() < end:
            due = loop.time() + 0.005
            await asyncio.sleep(0.005)
            late.append(loop.time() - due)
        late.sort()
        self.answer({"late": late[-1], "p99": late[int(len(late) * 0.99)]})

    async def size(self, publish: Publish) -> None:  # noqa: ARG002 - as every order
        """Tell of tasks and memory, after a collection of garbage."""
        gc.collect()
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        resident = int(status.partition("VmRSS:")[2].split()[0]) / 1024
        counted = {"tasks": len(asyncio.all_tasks()), "resident": resident, "objects": len(gc.get_objects())}
        self.answer({**counted, "errors": self.errors[:5], "failures": len(self.errors)})


class _Noted(logging.Handler):
    """Notes what is logged as a warning or worse."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        """Note one."""
        self._errors.append(f"{record.name}: {record.getMessage()}"[:500])


class Live(Script):
    """A real cluster, followed by Cluster; orders can only ask."""

    def __init__(self, place: Place) -> None:
        super().__init__(World(0, 0, 0))
        self._place = place

    async def follow(self, publish: Publish) -> None:
        """Follow the cluster and do what is ordered."""
        async with connected(self._place, watch=True) as cluster, asyncio.TaskGroup() as tasks:
            tasks.create_task(self.obey(publish))
            await cluster.follow(publish)


def main(words: list[str]) -> Any:
    """Make the world, then run the app."""
    if words[0] == "live":
        script: Script = Live(Place(kubeconfig=Path(words[1]), ssh_config=Path(words[2]), demo="bench"))
    else:
        script = Script(World(*(int(word) for word in words)))
    gc.collect()
    script.answer({"app": time.perf_counter(), "resident": _resident()})
    return UnderlayApp(script.follow, context="bench", palette=themes.load(), environ=os.environ).run()


def _resident() -> float:
    return int(Path("/proc/self/status").read_text(encoding="utf-8").partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
