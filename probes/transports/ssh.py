"""SSH to every host of a run: one pooled connection per host, made when first used, made again when lost.

Host keys are always checked strictly: a key that is not in a known_hosts file is refused whatever ssh's configuration
says. Nothing is ever asked at the terminal, and nothing is forwarded to a host.
"""

import asyncio
import copy
import shlex
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from probes.model.observation import Completed
from probes.transports.base import CommandRefused, ConfigRefused, ConnectionLost, TimedOut, TransportError, Unreachable
from probes.transports.hostconfig import HostConfig, host_config, parse_jumps
from probes.transports.known_hosts import KnownHosts, read_revoked
from probes.transports.sshconfig import SshConfig, read_ssh_config

if TYPE_CHECKING:
    from probes.transports.sshkeys import Identities
    from probes.transports.sshwire import Wire

_PATIENCE_SECONDS: Final = 0.5
_COMMANDS: Final = 5
_STREAMS: Final = 4
"""Together below MaxSessions 10, sshd's default, which counts a session until its command has ended."""
_MAX_HOPS: Final = 8
_CLOSE_SECONDS: Final = 2.0
_START_SECONDS: Final = 5.0


@dataclass(frozen=True)
class SshSettings:
    """What a run says about ssh beside ssh's own configuration."""

    config: Path | None = None
    """As ``ssh -F``: this file alone; None for ``~/.ssh/config`` and ``/etc/ssh/ssh_config``."""
    known_hosts: tuple[Path, ...] | None = None
    """Instead of UserKnownHostsFile and GlobalKnownHostsFile."""
    user: str | None = None
    jump: str | None = None
    """As ``ssh -J``, for every host but the jump hosts; ``none`` for no jump host at all."""
    connect_seconds: float = 5.0
    """For one connection, login included; a ConnectTimeout in ssh's configuration may shorten it, not lengthen it."""
    connects_at_once: int = 32


@dataclass(frozen=True)
class _Target:
    """A host to connect to: its alias, and what is said beside ssh's configuration."""

    alias: str
    user: str | None = None
    port: int | None = None
    jump: str | None = None
    """None to take the jump host of ssh's configuration, ``none`` for none."""

    def by_hand(self, config: Path | None) -> str:
        """Write the command with which an operator makes the same connection."""
        argv = ["ssh"]
        for flag, value in (("-F", config), ("-J", self.jump), ("-l", self.user), ("-p", self.port)):
            argv += [flag, str(value)] if value is not None and value != "none" else []
        return shlex.join([*argv, self.alias])


class _Link:
    """The connection to one target, if there is one; made once even when several ask at the same time."""

    def __init__(self, target: _Target) -> None:
        self.target = target
        self.wire: Wire | None = None
        self.commands = asyncio.Semaphore(_COMMANDS)
        self.streams = 0
        self._lock = asyncio.Lock()
        self._attempts = 0
        self._failure: TransportError | None = None

    @property
    def live(self) -> "Wire | None":
        """The wire, if it can be used."""
        return self.wire if self.wire is not None and self.wire.alive else None

    async def connect(self, dial: Callable[[], Awaitable["Wire"]]) -> "Wire":
        """Give the live wire or dial; those who waited for an attempt that failed share its failure."""
        attempt = self._attempts
        async with self._lock:
            if (live := self.live) is not None:
                return live
            if self._attempts != attempt and self._failure is not None:
                raise copy.copy(self._failure) from self._failure
            self._failure = None
            try:
                self.wire = await dial()
            except TransportError as error:
                self._failure = error
                raise
            finally:
                self._attempts += 1
            return self.wire

    async def close(self) -> None:
        """End the connection, in good order if the host plays along."""
        wire, self.wire = self.wire, None
        if wire is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await wire.close()
        except (TimeoutError, OSError):
            wire.drop()


class SshPool:
    """The ssh connections of a run."""

    def __init__(self, settings: SshSettings | None = None) -> None:
        self._settings = settings or SshSettings()
        self._links: dict[_Target, _Link] = {}
        self._configs: dict[_Target, HostConfig] = {}
        self._known: dict[tuple[Path, ...], tuple[object, KnownHosts]] = {}
        self._config: SshConfig | None = None
        self._config_lock = asyncio.Lock()
        self._starting = asyncio.Semaphore(self._settings.connects_at_once)
        self._identities: Identities | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def transport(self, alias: str) -> "SshTransport":
        """Give the way to run commands on a host, named as ssh's configuration names it; connects when first used."""
        jump = self._settings.jump
        if jump and any(alias == name for _, name, _ in parse_jumps(jump, "jump host")):
            jump = None  # a jump host is not reached through itself
        return SshTransport(self, self._link(_Target(alias, self._settings.user, None, jump)))

    async def close(self) -> None:
        """End all connections, those through jump hosts first."""
        links = [link for link in self._links.values() if link.wire is not None]
        async with asyncio.TaskGroup() as group:
            for link in links:
                group.create_task(link.close())
        if self._identities is not None:
            await self._identities.close()

    def _link(self, target: _Target) -> _Link:
        return self._links.setdefault(target, _Link(target))

    async def connect(self, link: _Link) -> "Wire":
        """Give a target's wire, making it and those of its jump hosts where needed; raises TransportError."""
        if (live := link.live) is not None:
            return live
        way = await self._way(link.target)
        jump = self._link(way[1][0]) if len(way) > 1 else None
        jumped = jump is not None and jump.live is not None
        try:
            return await self._follow(way)
        except Unreachable:
            if jump is None or not jumped or jump.live is not None:
                raise
            return await self._follow(way)  # the jump host's connection had ended while it was idle

    async def _follow(self, way: list[tuple[_Target, HostConfig]]) -> "Wire":
        """Connect to each jump host, first to last, and to the host."""
        destination, tunnel = way[0][0], None
        for target, config in reversed(way):
            try:
                tunnel = await self._link(target).connect(partial(self._dial, target, config, tunnel))
            except TransportError as error:
                if target == destination:
                    raise
                raise type(error)(f"{destination.alias} is reached by way of {target.alias}: {error}") from error
        assert tunnel is not None  # noqa: S101 a way has at least its destination
        return tunnel

    async def _way(self, target: _Target) -> list[tuple[_Target, HostConfig]]:
        """Targets from the host back to the first jump host."""
        way: list[tuple[_Target, HostConfig]] = []
        hop: _Target | None = target
        while hop is not None:
            if len(way) == _MAX_HOPS or any(hop == earlier for earlier, _ in way):
                raise ConfigRefused(
                    f"{target.alias}: its jump hosts lead in a circle by way of {hop.alias}: mend ProxyJump"
                )
            config = await self._resolve(hop)
            way.append((hop, config))
            hop = _next_hop(hop, config)
        return way

    async def _resolve(self, target: _Target) -> HostConfig:
        known = self._configs.get(target)
        if known is not None:
            return known
        async with self._config_lock:
            if self._config is None:
                self._config = await asyncio.to_thread(read_ssh_config, self._settings.config)
        resolve = partial(host_config, self._config, target.alias, user=target.user, port=target.port)
        config = await asyncio.to_thread(resolve) if self._config.runs_commands else resolve()
        if self._settings.known_hosts is not None:
            config = replace(config, known_hosts=self._settings.known_hosts)
        self._configs[target] = config
        return config

    async def _dial(self, target: _Target, config: HostConfig, tunnel: "Wire | None") -> "Wire":
        from probes.transports.sshdial import dial  # noqa: PLC0415 asyncssh takes long to import
        from probes.transports.sshkeys import Identities  # noqa: PLC0415
        from probes.transports.sshtrust import HostTrust  # noqa: PLC0415

        if self._identities is None:
            self._identities = Identities()
        revoked = read_revoked(config.revoked_keys) if config.revoked_keys else ()
        trust = HostTrust(config, self._known_hosts(config), revoked, target.by_hand(self._settings.config))
        seconds = min(self._settings.connect_seconds, config.connect_timeout or self._settings.connect_seconds)
        async with self._slot():
            offer = await self._identities.offer(config)
            return await dial(config, trust, offer, tunnel=tunnel, seconds=seconds)

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None, None]:
        """Bound how many logins are worked on at once; one that only waits for its host makes room for others."""
        await self._starting.acquire()
        room = ExitStack()
        room.callback(self._starting.release)
        timer = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, room.close)
        try:
            yield
        finally:
            timer.cancel()
            room.close()

    def _known_hosts(self, config: HostConfig) -> KnownHosts:
        """Known hosts of some files, read again only when a file has changed."""
        stamp = tuple(_stamp(path) for path in config.known_hosts)
        known = self._known.get(config.known_hosts)
        if known is None or known[0] != stamp:
            known = self._known[config.known_hosts] = (stamp, KnownHosts.read(config.known_hosts))
        return known[1]


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _next_hop(target: _Target, config: HostConfig) -> _Target | None:
    jump = target.jump if target.jump is not None else config.proxy_jump
    if jump is None or jump == "none":
        return None
    *before, (user, alias, port) = parse_jumps(jump, f"{target.alias}: ProxyJump")
    earlier = ",".join(_write_hop(*hop) for hop in before)
    return _Target(alias, user, port, earlier or None)


def _write_hop(user: str | None, alias: str, port: int | None) -> str:
    host = f"[{alias}]" if ":" in alias else alias
    return (f"{user}@" if user else "") + host + (f":{port}" if port else "")


class SshTransport:
    """Runs commands on one host by ssh."""

    def __init__(self, pool: SshPool, link: _Link) -> None:
        self._pool = pool
        self._link = link

    @property
    def host(self) -> str:
        """The host as ssh's configuration names it."""
        return self._link.target.alias

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:
        """Run a command to its end; see Transport.

        A command that does not end in time takes its connection with it: the host may hang, and the next use connects
        anew.
        """
        await self._pool.connect(self._link)  # before there is a queue for room: all share one failure
        async with self._link.commands:
            try:
                return await self._run(argv, stdin, timeout)
            except ConnectionLost as error:
                if error.started:
                    raise
            return await self._run(argv, stdin, timeout)  # the connection had ended while it was idle

    async def _run(self, argv: Sequence[str], stdin: bytes, timeout: float) -> Completed:
        wire = await self._pool.connect(self._link)
        try:
            async with asyncio.timeout(timeout):
                return await wire.run(argv, shlex.join(argv), stdin)
        except TimeoutError as error:
            wire.drop()
            raise self._timed_out(argv, timeout, "end") from error

    async def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:
        """Run a command and yield its lines; see Transport."""
        if self._link.streams >= _STREAMS:
            raise CommandRefused(f"{self.host} already has {_STREAMS} streams open: end one first")
        self._link.streams += 1
        try:
            wire = await self._pool.connect(self._link)
            try:
                async with aclosing(wire.lines(argv, shlex.join(argv), stdin, _START_SECONDS)) as lines:
                    async for line in lines:
                        yield line
            except TimeoutError as error:
                wire.drop()
                raise self._timed_out(argv, _START_SECONDS, "start") from error
        finally:
            self._link.streams -= 1

    def _timed_out(self, argv: Sequence[str], seconds: float, what: str) -> TimedOut:
        return TimedOut(
            f"`{argv[0]}` on {self.host} did not {what} within {seconds:g} s: the host may hang or be overloaded"
        )

    async def close(self) -> None:
        """End the connection; the next use makes it anew."""
        await self._link.close()
