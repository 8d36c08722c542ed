"""How a node is asked: by one batch over a wire, or, where we run on it, by netlink beside the batch."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
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


_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def is_here(addresses: tuple[str, ...], boot_id: str = "") -> bool:
    """Tell whether an address is one of this machine's own (Linux only; elsewhere nothing is).

    ``boot_id``: what the node says of its kernel's boot, where it does: private addresses are used at many places, and
    an operator's machine at one of them may have the address of a node at another.

    The kernel sends to an own address from that address, and to every other from another. Binding would tell less:
    with net.ipv4.ip_nonlocal_bind, as keepalived has it, every address can be bound.
    """
    import socket  # noqa: PLC0415 - asked once a node

    try:
        booted = _BOOT_ID.read_text("ascii").strip()
    except (OSError, UnicodeError):
        return False
    if boot_id not in {"", booted}:
        return False
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((address, 9))  # looks up the route; nothing is sent
            except (OSError, UnicodeError):
                continue
            if probe.getsockname()[0] == address:
                return True
    return False
