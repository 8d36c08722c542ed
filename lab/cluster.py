"""The demo cluster running: its API server, a node's SSH server each, its controllers, and the files to reach them."""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncssh
from aiohttp import web

from lab import controllers, incident, node, outside, pki
from lab.api import Api, Audit
from lab.folder import private_folder
from lab.listener import Listener
from lab.world import World


class LabCluster:
    """A demo cluster for as long as it is entered; everything listens on 127.0.0.1 and nothing is left behind.

    ``kubeconfig``, ``ssh_config``, ``known_hosts`` and ``client_key`` are paths in a folder of mode 0700.
    """

    def __init__(
        self,
        name: str = "healthy",
        *,
        world: World | None = None,
        without: Iterable[str] = (),
        forbidden: Iterable[str] = (),
        bookmark_seconds: float = 60.0,
        lease_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self.world = world if world is not None else incident.build(incident.load(name), World(clock))
        versions = {machine.shape.k3s_version for machine in self.world.nodes.values()}
        self.api = Api(
            self.world,
            frozenset(without),
            frozenset(forbidden),
            bookmark_seconds,
            max(versions, default="v1.34.1+k3s1"),
        )
        self.api.follow_servers()
        self.ports: dict[str, int] = {}
        """Node -> port of its SSH server."""
        self._lease_seconds = lease_seconds
        self._stack = AsyncExitStack()
        self._acceptors: dict[str, tuple[asyncssh.SSHAcceptor, Listener]] = {}

    @property
    def context(self) -> str:
        """The name of the kubeconfig's context."""
        return f"demo-{self.name}"

    @property
    def audit(self) -> list[Audit]:
        """Every request to the API that was not a read, in order."""
        return self.api.audit

    @property
    def node_writes(self) -> dict[str, list[tuple[str, ...]]]:
        """Node -> every command sent to it that was to change something; nodes without one are left out."""
        return {name: machine.writes for name, machine in self.world.nodes.items() if machine.writes}

    async def __aenter__(self) -> Self:
        """Start everything; on failure nothing stays."""
        async with AsyncExitStack() as stack:
            self.folder = stack.enter_context(private_folder())
            self.kubeconfig = self.folder / "kubeconfig"
            self.ssh_config = self.folder / "ssh_config"
            self.known_hosts = self.folder / "known_hosts"
            self.client_key = self.folder / "id_ed25519"
            self.trusted = self.folder / "trusted.crt"
            """Who issued the certificates of the world outside: for SSL_CERT_FILE."""
            _write(self.trusted, outside.AUTHORITY.certificate.decode())
            await self._start_api(stack)
            await self._start_nodes(stack)
            # Entered last, it is left first: the controllers stop before the servers.
            group = await stack.enter_async_context(asyncio.TaskGroup())
            running = controllers.Controllers(self.world, self._lease_seconds)
            task = group.create_task(running.run())
            stack.callback(task.cancel)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything and remove the files."""
        await self._stack.__aexit__(None, None, None)

    async def _start_api(self, stack: AsyncExitStack) -> None:
        authority = pki.Authority()
        self._tls: ssl.SSLContext = pki.server_context(authority, self.folder)
        self._runner = web.AppRunner(
            self.api.app(), access_log=None, shutdown_timeout=0.05, handler_cancellation=True, handle_signals=False
        )
        await self._runner.setup()
        self._door = Listener()
        stack.push_async_callback(lambda: self._door.cut())  # the door of then: a pause makes a new one
        stack.push_async_callback(self._runner.cleanup)
        stack.push_async_callback(lambda: self._door.refuse())
        self._site = web.SockSite(self._runner, self._door, ssl_context=self._tls)
        await self._site.start()
        self.port: int = self._runner.addresses[0][1]
        client = authority.issue("demo", "system:masters")
        _write(self.kubeconfig, self._kubeconfig(authority.certificate, client))

    async def pause_api(self) -> None:
        """Stop listening: connections are refused, as while the only server restarts."""
        await self._door.refuse()
        await self._site.stop()

    async def resume_api(self) -> None:
        """Listen again on the same port."""
        let_in = self._door.accepted
        self._door = Listener(self.port)
        self._door.accepted |= let_in
        self._site = web.SockSite(self._runner, self._door, ssl_context=self._tls)
        await self._site.start()

    async def _start_nodes(self, stack: AsyncExitStack) -> None:
        client_key = asyncssh.generate_private_key("ssh-ed25519", "demo")
        known, config = [], []
        for machine in self.world.nodes.values():
            host_key = asyncssh.generate_private_key("ssh-ed25519")
            door = Listener()
            acceptor = await node.serve(self.world, machine, door, host_key, client_key)
            self._acceptors[machine.name] = (acceptor, door)
            stack.push_async_callback(self.stop_node, machine.name)
            port = acceptor.get_port()
            self.ports[machine.name] = port
            known.append(f"[127.0.0.1]:{port} {host_key.export_public_key().decode().strip()}\n")
            config.append(
                f"Host {machine.name}\n  HostName 127.0.0.1\n  Port {port}\n  User {machine.shape.user}\n"
                f"  IdentityFile {self.client_key}\n  IdentitiesOnly yes\n  UserKnownHostsFile {self.known_hosts}\n",
            )
        _write(self.client_key, client_key.export_private_key().decode())
        _write(self.known_hosts, "".join(known))
        # A node of the world without a server here must never be sought at the address that it has in the world.
        config.append("Host *\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump none\n")
        _write(self.ssh_config, "".join(config))

    async def stop_node(self, name: str) -> None:
        """Stop a node's SSH server and cut its connections."""
        if name in self._acceptors:
            acceptor, door = self._acceptors.pop(name)
            await door.refuse()
            acceptor.close()
            await acceptor.wait_closed()
            await door.cut()

    def _kubeconfig(self, authority: bytes, client: pki.Pair) -> str:
        """Write a kubeconfig in JSON, which is YAML."""
        server = f"https://127.0.0.1:{self.port}"
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.context,
            "clusters": [
                {"name": self.context, "cluster": {"server": server, "certificate-authority-data": _b64(authority)}},
            ],
            "contexts": [{"name": self.context, "context": {"cluster": self.context, "user": "demo"}}],
            "users": [
                {
                    "name": "demo",
                    "user": {
                        "client-certificate-data": _b64(client.certificate),
                        "client-key-data": _b64(client.key),
                    },
                },
            ],
        }
        return json.dumps(document, indent=1) + "\n"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _write(path: Path, text: str) -> None:
    path.touch(0o600)
    path.write_text(text, encoding="utf-8")
