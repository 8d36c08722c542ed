"""A folder with keys, ssh configuration and real sshd processes, all ended with the test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from probes.transports.ssh import SshPool, SshSettings
from tests.probes.transports.sshd import SSHD, Sshd, keygen, need


@dataclass
class Site:
    """Hosts of a test and the operator's ssh files."""

    folder: Path
    key: Path
    servers: list[Sshd] = field(default_factory=list)
    agents: list[int] = field(default_factory=list)

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def sshd(self, *lines: str, host_key: Path | None = None) -> Sshd:
        """Start one more sshd that lets our key in."""
        server = Sshd(self.folder / f"sshd{len(self.servers)}", [self.key], host_key)
        self.servers.append(server)
        return server.start(*lines)

    def new_key(self, name: str, kind: str = "ed25519", passphrase: str = "", bits: int = 0) -> Path:
        return keygen(self.folder / name, kind, passphrase, bits)

    def trust(self, *lines: str) -> None:
        """Write known_hosts."""
        self.known_hosts.write_text("".join(line if line.endswith("\n") else f"{line}\n" for line in lines))

    def host(self, alias: str, server: Sshd, *lines: str, defaults: bool = True) -> str:
        """Write a Host block for a server."""
        body = [f"HostName {server.address}", f"Port {server.port}", "User root", *lines]
        if defaults:
            body += [f"IdentityFile {self.key}", "IdentityAgent none"]
        body += [f"UserKnownHostsFile {self.known_hosts}", "GlobalKnownHostsFile none"]
        return f"Host {alias}\n" + "".join(f"  {line}\n" for line in body)

    def config(self, *blocks: str) -> Path:
        path = self.folder / "config"
        path.write_text("\n".join(blocks))
        return path

    def pool(self, *blocks: str, seconds: float = 5.0, at_once: int = 32, **more: str) -> SshPool:
        settings = SshSettings(
            self.config(*blocks), None, more.get("user"), more.get("jump"), seconds, connects_at_once=at_once
        )
        return SshPool(settings)

    def agent(self) -> str:
        """Start an ssh-agent; the path of its socket."""
        socket = self.folder / f"agent{len(self.agents)}"
        said = subprocess.run(["ssh-agent", "-a", str(socket)], check=True, capture_output=True, text=True).stdout
        self.agents.append(int(said.partition("SSH_AGENT_PID=")[2].partition(";")[0]))
        return str(socket)

    def close(self) -> None:
        for server in self.servers:
            server.stop()
        for pid in self.agents:
            with suppress(ProcessLookupError):
                os.kill(pid, 15)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Give a site with real sshd; as root on Debian and in CI its absence is a failure."""
    need("root and OpenSSH: packages openssh-server and openssh-client", met=os.getuid() == 0 and SSHD.exists())
    made = Site(tmp_path, keygen(tmp_path / "id"))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def _ssh() -> None:
    """Need OpenSSH's client programs, against which our reading of its files is held."""
    need("the programs ssh and ssh-keygen: package openssh-client", met=shutil.which("ssh") is not None)
