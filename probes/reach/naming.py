"""Names looked up once for many probes: what does not resolve from a vantage is not waited for again and again."""

import asyncio
import socket
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from probes.model.text import clean
from probes.reach import route
from probes.reach.outward import answers_of
from probes.transports.base import TransportError
from probes.vantage import Vantage

_SHARE: Final = 0.9
"""Of the time there is: at ten seconds resolvers give up by themselves (resolv.conf(5)), and do not say on what."""


async def looked_up(host: str, port: int) -> str:
    """Give the address that this machine would connect to first; raises OSError (socket.gaierror).

    On a daemon thread of its own, which a silent resolver holds for half a minute: it holds up neither other names
    nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[str] = loop.create_future()

    def settle(address: str, error: OSError | None) -> None:
        if found.done():
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(address)

    def look_up() -> None:
        address, failure = "", None
        try:
            address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
        except (OSError, UnicodeError) as error:
            failure = error if isinstance(error, OSError) else OSError(f"{clean(host)} is no name")
        with suppress(RuntimeError):  # nobody waits any more: the loop has ended
            loop.call_soon_threadsafe(settle, address, failure)

    threading.Thread(target=look_up, name=f"look up {host}", daemon=True).start()
    return await found


async def look_up_names(vantages: Sequence[Vantage], hosts: Collection[str], *, seconds: float) -> list[Vantage]:
    """Look every name up from every vantage, side by side; gives the vantages with what does not resolve there.

    ``seconds``: how long a request would wait for a resolver.
    """
    seconds *= _SHARE
    names = sorted(host for host in hosts if host and not route.is_address(host))
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_from_one(vantage, names, seconds)) for vantage in vantages]
    return [
        replace(vantage, unresolved=task.result()) if task.result() else vantage
        for vantage, task in zip(vantages, asked, strict=True)
    ]


async def _from_one(vantage: Vantage, names: Sequence[str], seconds: float) -> Mapping[str, str]:
    if vantage.kind == "operator":
        async with asyncio.TaskGroup() as tasks:
            asked = {name: tasks.create_task(_here(name, seconds)) for name in names}
        return {name: task.result() for name, task in asked.items() if task.result()}
    targets = {str(number): name for number, name in enumerate(names)}
    try:
        shots = route.lookups(targets, seconds=seconds)
        answers = await answers_of(vantage, shots, seconds + 1) if shots else {}
    except TransportError:
        return {}  # the probes themselves say what is wrong with it
    ways = route.resolved(targets, answers, seconds=seconds)
    # Without a program to ask with, or an answer of it, nothing is known of a name.
    known = [key for key, name in targets.items() if (answer := answers.get(f"{key}.name")) and not answer.missing]
    return {targets[key]: ways[key].reason for key in known if not ways[key].address}


async def _here(name: str, seconds: float) -> str:
    """Say why a name does not resolve from this machine; empty where it does."""
    try:
        async with asyncio.timeout(seconds):
            await looked_up(name, 0)
    except TimeoutError:
        return f"no resolver there answered for {clean(name)} within {seconds:g} s"
    except OSError as error:
        return f"{clean(name)} does not resolve there: {clean(error.strerror or str(error))}"
    return ""
