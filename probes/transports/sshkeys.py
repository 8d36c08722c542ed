"""Ways to log in: private keys from files and from the agent, read once for all hosts; never a prompt."""

import asyncio
import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncssh

from probes.model.text import clean
from probes.transports.hostconfig import HostConfig
from probes.transports.known_hosts import describe

_AGENT_FRESH_SECONDS: Final = 10.0
_AGENT_SECONDS: Final = 3.0
_MAX_KEY_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class _KeyFile:
    """One IdentityFile: what could be read of it without a passphrase."""

    private: asyncssh.SSHKey | None = None
    public: bytes = b""
    certificates: tuple[asyncssh.SSHCertificate, ...] = ()
    problem: str = ""


@dataclass
class Offer:
    """What one login offers to the host, in order, and what could not be offered."""

    keys: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def explain(self) -> str:
        """Say what was tried and what to do."""
        tried = f"{len(self.keys)} key{'' if len(self.keys) == 1 else 's'} tried"
        return "; ".join([tried, *self.problems])


class Identities:
    """The keys of a run, kept between connections; agents are asked again every few seconds."""

    def __init__(self) -> None:
        self._files: dict[Path, _KeyFile] = {}
        self._agents: dict[str, asyncssh.SSHAgentClient] = {}
        self._listed: dict[str, tuple[float, Sequence[asyncssh.SSHKeyPair], str]] = {}
        self._lock = asyncio.Lock()

    async def offer(self, config: HostConfig) -> Offer:
        """Choose keys for a host: agent keys named by IdentityFile, then other agent keys, then key files (as ssh)."""
        offer = Offer()
        if not config.public_key:
            offer.problems.append("PubkeyAuthentication is no, and we know no other way to log in")
            return offer
        files = {path: self._file(path) for path in config.key_files}
        agent = await self._agent_keys(config.agent, offer)
        named = [file.public for file in files.values() if file.public]
        named += [cert.public_data for file in files.values() for cert in file.certificates]
        in_agent = {pair.public_data for pair in agent}
        first = [pair for public in named for pair in agent if pair.public_data == public]
        others = [] if config.identities_only else [pair for pair in agent if pair not in first]
        offer.keys += [copy.copy(pair) for pair in (*first, *others)]
        extra = [cert for path in config.certificate_files for cert in _read_certificates(path)]
        for path, file in files.items():
            if file.private is not None and file.public not in in_agent:
                certificates = [*file.certificates, *(c for c in extra if c.key == file.private)]
                for certificate in certificates:
                    offer.keys += asyncssh.load_keypairs([(file.private, certificate)])[:1]
                offer.keys += asyncssh.load_keypairs([file.private])
            elif file.problem and file.public not in in_agent and (path.exists() or not config.default_key_files):
                offer.problems.append(f"{describe([path])} {file.problem}")
        return offer

    async def close(self) -> None:
        """Let go of the agents."""
        for agent in self._agents.values():
            agent.close()
        self._agents.clear()
        self._listed.clear()

    async def _agent_keys(self, path: str | None, offer: Offer) -> Sequence[asyncssh.SSHKeyPair]:
        if path is None:
            offer.problems.append("no ssh-agent is set")
            return ()
        async with self._lock:
            at, keys, problem = self._listed.get(path, (-_AGENT_FRESH_SECONDS, (), ""))
            if time.monotonic() - at >= _AGENT_FRESH_SECONDS:
                keys, problem = await self._ask(path)
                self._listed[path] = (time.monotonic(), keys, problem)
        if problem:
            offer.problems.append(problem)
        return keys

    async def _ask(self, path: str) -> tuple[Sequence[asyncssh.SSHKeyPair], str]:
        agent = self._agents.setdefault(path, asyncssh.SSHAgentClient(path))
        try:
            async with asyncio.timeout(_AGENT_SECONDS):
                return await agent.get_keys(), ""
        except (ValueError, OSError, TimeoutError) as error:
            agent.close()
            del self._agents[path]
            return (), f"the ssh-agent at {path} does not answer ({clean(str(error)) or 'no reply'})"

    def _file(self, path: Path) -> _KeyFile:
        known = self._files.get(path)
        if known is None:
            known = self._files[path] = _read(path)
        return known


def _read(path: Path) -> _KeyFile:
    certificates = _read_certificates(path.with_name(path.name + "-cert.pub"))
    public = _read_public(path.with_name(path.name + ".pub")) or _read_public(path)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_KEY_BYTES)
    except FileNotFoundError:
        return _KeyFile(None, public, certificates, "" if public else "does not exist")
    except OSError as error:
        return _KeyFile(None, public, certificates, f"cannot be read: {error.strerror}")
    if b"PRIVATE KEY" not in content:
        return _KeyFile(None, public, certificates, "holds only a public key, and no agent has the private one")
    try:
        key = asyncssh.import_private_key(content)
    except asyncssh.KeyImportError as error:
        if str(error).startswith("Passphrase"):
            problem = f"is encrypted and no agent holds it: run `ssh-add {path}` first (we never ask for a passphrase)"
        else:
            problem = "is no private key that we can read"
        return _KeyFile(None, public, certificates, problem)
    return _KeyFile(key, key.public_data, certificates)


def _read_public(path: Path) -> bytes:
    try:
        return asyncssh.read_public_key(path).public_data
    except (OSError, asyncssh.KeyImportError):
        return b""


def _read_certificates(path: Path) -> tuple[asyncssh.SSHCertificate, ...]:
    try:
        return (asyncssh.read_certificate(path),)
    except (OSError, asyncssh.KeyImportError):
        return ()
