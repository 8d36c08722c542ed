"""The sshd of git servers, greeted from every vantage; from this machine by a socket and asyncssh."""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from probes.model.reach import Attempt, Result, Tone, Way
from probes.model.text import clean
from probes.reach import sshd
from probes.reach.naming import looked_up
from probes.reach.outward import from_each
from probes.reach.sshd import Verdict
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.transports.known_hosts import KnownKey
from probes.vantage import Vantage

_VANTAGES: Final = 16
_KEY: Final = "key"
_ALGORITHMS: Final = {
    "ed25519": ["ssh-ed25519"],
    "ecdsa": ["ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"],
    "rsa": ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
}
_TONES: Final[dict[str, Tone]] = {"ok": "ok", "slow": "warning", "not-compared": "warning", "unassessed": "unknown"}
_SAID: Final = {
    "ok": "ok, host key known",
    "not-compared": "reached, host key not compared",
    "unknown-host-key": "host key not in known_hosts",
    "other-host-key": "another host key",
    "not-ssh": "no sshd",
    "unassessed": "not assessed",
}

Report = Callable[[Result], None]


class Server(msgspec.Struct, frozen=True):
    """A git server that is reached by SSH."""

    url: str
    """Without its user."""
    host: str
    port: int = 22
    called: str = ""
    """Which Flux objects have it, for a reader."""
    known: tuple[KnownKey, ...] | None = None
    """The host keys that Flux trusts for it; None where they were not read."""
    where: str = ""
    """Where these keys stand; or why they were not read."""


async def greet(
    vantages: Sequence[Vantage], servers: Sequence[Server], report: Report, *, attempts: int, seconds: float
) -> None:
    """Greet every server ``attempts`` times from every vantage, and ask once for its host keys."""
    await from_each(vantages, lambda vantage: _from_one(vantage, servers, report, attempts, seconds), at_once=_VANTAGES)


async def _from_one(vantage: Vantage, servers: Sequence[Server], report: Report, attempts: int, seconds: float) -> None:
    tries: dict[str, list[Attempt]] = {each.url: [] for each in servers}
    keys: dict[str, dict[str, str]] = {}
    ask = _here if vantage.kind == "operator" else _there
    try:
        for number in range(attempts):
            worth = [each for each in servers if number < 2 or any(a.well for a in tries[each.url])]  # noqa: PLR2004
            vain = {each.url: why for each in worth if (why := vantage.unresolved.get(each.host, ""))}
            for url, why in vain.items():
                tries[url].append(Attempt(variant="SSH", failed="dns", reason=why))
            left = [each for each in worth if each.url not in vain]
            for url, each in (await ask(vantage, left, seconds) if left else {}).items():
                tries[url].append(each)
        fine = [each for each in servers if any(a.well and a.answer.startswith("SSH-") for a in tries[each.url])]
        if fine:
            scan = _keys_here(fine, seconds) if vantage.kind == "operator" else _keys_there(vantage, fine, seconds)
            keys = await scan
    except TransportError as error:
        for known in tries.values():
            known.append(Attempt(variant="SSH", unable=str(error)))
    for server in servers:
        report(_result(vantage, server, tries[server.url], keys.get(server.url, {})))


async def _there(vantage: Vantage, servers: Sequence[Server], seconds: float) -> dict[str, Attempt]:
    shots = [Shot(str(n), sshd.greeting(each.host, each.port, seconds)) for n, each in enumerate(servers)]
    told = {each.url: Attempt(variant="SSH", unable="its answer was cut off") for each in servers}
    async with aclosing(volley(vantage, shots, seconds=seconds + 1)) as completed:
        async for each in completed:
            told[servers[int(each.argv[0])].url] = sshd.greeted(each, seconds)
    return told


async def _keys_there(vantage: Vantage, servers: Sequence[Server], seconds: float) -> dict[str, dict[str, str]]:
    shots = [Shot(str(n), sshd.scanning(each.host, each.port, sshd.KINDS, seconds)) for n, each in enumerate(servers)]
    told = {}
    # ssh-keyscan gives each connection its time, one after the other.
    async with aclosing(volley(vantage, shots, seconds=len(sshd.KINDS) * seconds + 1)) as completed:
        async for each in completed:
            told[servers[int(each.argv[0])].url] = sshd.scanned(each)
    return told


async def _here(vantage: Vantage, servers: Sequence[Server], seconds: float) -> dict[str, Attempt]:
    assert vantage.kind == "operator"  # noqa: S101 - this machine's own network
    async with asyncio.TaskGroup() as tasks:
        asked = {each.url: tasks.create_task(_greet_here(each, seconds)) for each in servers}
    return {url: task.result() for url, task in asked.items()}


async def _greet_here(server: Server, seconds: float) -> Attempt:
    spent: dict[str, float] = {}
    began = time.perf_counter()
    address = line = reason = ""

    def note(phase: str) -> None:
        nonlocal began
        now = time.perf_counter()
        spent[phase], began = now - began, now

    writer = None
    try:
        async with asyncio.timeout(seconds):
            address = await looked_up(server.host, server.port)
            note("dns")
            reader, writer = await asyncio.open_connection(address, server.port, limit=4096)
            note("connect")
            line = (await reader.readuntil(b"\n")).decode("utf-8", "replace").rstrip("\r\n")
            note("banner")
    except TimeoutError:
        reason = f"no end within {seconds:g} s"
    except socket.gaierror:
        reason = "the name does not resolve there"
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        reason = "connected, and nothing greets"
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else clean(str(error))[:120]
    finally:
        if writer is not None:
            writer.close()
    failed = next((phase for phase in sshd.PHASES if phase not in spent), "")
    return Attempt(
        variant="SSH", seconds=spent, failed=failed, reason=reason, answer=clean(line)[:255], address=address
    )


async def _keys_here(servers: Sequence[Server], seconds: float) -> dict[str, dict[str, str]]:
    async with asyncio.TaskGroup() as tasks:
        asked = {each.url: tasks.create_task(_scan_here(each, seconds)) for each in servers}
    return {url: task.result() for url, task in asked.items()}


async def _scan_here(server: Server, seconds: float) -> dict[str, str]:
    import asyncssh  # noqa: PLC0415 - 0.17 s to import

    keys = {}
    for algorithms in _ALGORITHMS.values():
        try:
            async with asyncio.timeout(seconds):
                key = await asyncssh.get_server_host_key(
                    server.host, server.port, config=None, server_host_key_algs=algorithms
                )
        except (TimeoutError, OSError, asyncssh.Error):
            continue  # the server has no key of this kind: of another it may
        if key is not None:
            kind, text = key.export_public_key().decode().split()[:2]
            keys[kind] = text
    return keys


def _result(vantage: Vantage, server: Server, tries: Sequence[Attempt], keys: dict[str, str]) -> Result:
    found = sshd.judge_key(sshd.judge(tries), keys, server.known, server.where)
    facts = {f"host-key {kind}": sshd.fingerprint(key) for kind, key in sorted(keys.items())}
    banner = next((each.answer for each in tries if each.answer), "")
    return Result(
        probe="git",
        vantage=vantage.name,
        kind=vantage.kind,
        target=server.url,
        outcome=found.outcome,
        tone=_TONES.get(found.outcome, "critical"),
        said=_said(found),
        at=time.time(),
        called=server.called,
        node=vantage.node,
        pod=vantage.pod,
        phase=found.phase,
        reason=found.reason,
        way=Way(next((each.address for each in tries if each.address), "")),
        sent=found.sent,
        lost=found.lost,
        times=tuple(each.total for each in tries if each.well),
        facts=({"banner": banner} if banner else {}) | facts,
        attempts=tuple(tries),
    )


def _said(found: Verdict) -> str:
    at_phase = {"fails": "fails at", "random": "fails at times, at", "slow": "slow at"}
    return f"{at_phase[found.outcome]} {found.phase}" if found.outcome in at_phase else _SAID[found.outcome]
