"""The client that the fan-out measures: one command on every host by our pool, answers printed.

``python -m tests.bench.fanout_client AT_ONCE SSH_CONFIG COMMAND… -- HOST…``: nothing is imported but what asking takes.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from probes.transports.base import TransportError
from probes.transports.ssh import SshPool, SshSettings


async def ask(settings: SshSettings, command: Sequence[str], names: Sequence[str]) -> bool:
    """Run the command everywhere at once; whether every host answered."""
    async with SshPool(settings) as pool, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_one(pool, name, command)) for name in names]
    return all(task.result() for task in tasks)


async def _one(pool: SshPool, name: str, command: Sequence[str]) -> bool:
    try:
        done = await pool.transport(name).run(command, timeout=30)
    except TransportError as error:
        print(f"{name}: {error}")
        return False
    print(f"{name}: {done.stdout.strip()}")
    return True


def main() -> int:
    """Take the words of the command line."""
    at_once, config, *rest = sys.argv[1:]
    end = rest.index("--")
    settings = SshSettings(Path(config), connect_seconds=30, connects_at_once=int(at_once))
    return 0 if asyncio.run(ask(settings, rest[:end], rest[end + 1 :])) else 1


if __name__ == "__main__":
    sys.exit(main())
