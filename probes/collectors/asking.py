"""How a node is asked: by one batch over a wire, or, where we run on it, by netlink beside the batch."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from probes.collectors import netlink, node
from probes.collectors.events import JOURNAL, MONITOR, relevant
from probes.collectors.reading import Unreadable
from probes.model.network import NodeNetwork
from probes.transports.base import ConnectionLost, Transport, TransportError
from probes.transports.local import LocalTransport

_FEW_LINKS: Final = 50
"""Above this, decoding netlink in Python takes longer than starting ``ip``, and holds up the event loop."""


async def collect(transport: Transport, *, timeout: float) -> NodeNetwork:
    """Ask a node everything once; raises TransportError."""
    network = await node.collect(transport, timeout=timeout)
    if not isinstance(transport, LocalTransport) or len(network.links or ()) > _FEW_LINKS:
        return network
    try:
        return netlink.amend(network, await netlink.read())
    except Unreadable:
        return network  # the commands have said the same, or why they could not


async def hints(transport: Transport) -> AsyncGenerator[str, None]:
    """Yield a line for each change that may change a fact, until the wire ends; raises TransportError."""
    if not isinstance(transport, LocalTransport):
        async with aclosing(transport.lines(MONITOR)) as lines:
            async for line in lines:
                if relevant(line):
                    yield line
        return
    queue: asyncio.Queue[str | TransportError] = asyncio.Queue(1000)
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_kernel(queue))
            tasks.create_task(_journal(transport, queue))
            while True:
                told = await queue.get()
                if isinstance(told, TransportError):
                    raise told
                yield told
    except BaseExceptionGroup as group:
        # The group wraps whatever leaves its body: the wire's error, and the GeneratorExit of who has heard enough.
        raise group.exceptions[0] from None


async def _kernel(queue: asyncio.Queue[str | TransportError]) -> None:
    try:
        async with aclosing(netlink.events()) as events:
            async for line in events:
                await queue.put(line)
    except Unreadable as error:
        await queue.put(ConnectionLost(str(error)))


async def _journal(transport: LocalTransport, queue: asyncio.Queue[str | TransportError]) -> None:
    """Hear systemd; without the right to read the journal, or without one, polling has to do."""
    try:
        async with aclosing(transport.lines(JOURNAL)) as lines:
            async for line in lines:
                await queue.put(line)
    except TransportError:
        return
