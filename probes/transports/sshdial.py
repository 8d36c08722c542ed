"""Making one connection: from what is configured to a logged-in wire, or the sentence that says why not."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from typing import Any, Final, cast

import asyncssh
from asyncssh.encryption import get_default_encryption_algs, get_encryption_algs
from asyncssh.kex import get_default_kex_algs, get_kex_algs
from asyncssh.mac import get_default_mac_algs, get_mac_algs
from asyncssh.public_key import get_default_public_key_algs, get_public_key_algs

from probes.model.text import clean
from probes.transports.base import ConfigRefused, LoginRefused, TransportError, Unreachable
from probes.transports.hostconfig import HostConfig
from probes.transports.sshalgorithms import select
from probes.transports.sshkeys import Offer
from probes.transports.sshtrust import HostTrust
from probes.transports.sshwire import Wire

_ALIVE_SECONDS: Final = 15.0
_MAX_ADDRESSES: Final = 4
_RESOLVER: Final = ThreadPoolExecutor(32, thread_name_prefix="resolve")
_FAMILIES: Final = {"any": socket.AF_UNSPEC, "inet": socket.AF_INET, "inet6": socket.AF_INET6}

logging.getLogger("asyncssh").addHandler(logging.NullHandler())  # or its warnings would be printed over our screen


class _Client(asyncssh.SSHClient):
    """Our side of a login: offers keys, notes a host key that is not trusted, sees how far it came."""

    def __init__(self, trust: HostTrust, offer: Offer) -> None:
        self._trust = trust
        self._keys = list(offer.keys)
        self.met = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:  # noqa: ARG002 asyncssh's signature
        self.met = True

    def public_key_auth_requested(self) -> list[asyncssh.SSHKeyPair] | None:
        keys, self._keys = self._keys, []
        return keys or None

    def validate_host_public_key(self, *place_and_key: object) -> bool:
        self._trust.offered = cast("asyncssh.SSHKey", place_and_key[-1])
        return False

    def validate_host_ca_key(self, *place_and_key: object) -> bool:
        self._trust.authority = cast("asyncssh.SSHKey", place_and_key[-1])
        return False


async def dial(config: HostConfig, trust: HostTrust, offer: Offer, *, tunnel: Wire | None, seconds: float) -> Wire:
    """Connect and log in within ``seconds``; raises TransportError."""
    client = _Client(trust, offer)
    where = f"{config.alias} ({config.address})"
    try:
        options = _options(config, trust, lambda: client)
        async with asyncio.timeout(seconds):
            addresses = [config.hostname] if tunnel or config.proxy_command else await _addresses(config)
            connection = await _connect(addresses, config.port, tunnel, options, seconds)
    except TimeoutError as error:
        raise _late(where, seconds, met=client.met) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise trust.verdict(str(error)) from error
    except asyncssh.PermissionDenied as error:
        raise LoginRefused(
            f"{where} does not let {clean(config.user)} log in ({offer.explain()}): "
            f"try `{trust.by_hand}`, and set the user or key that works there in your ssh configuration"
        ) from error
    except (asyncssh.Error, OSError, ValueError) as error:
        raise _failure(where, error) from error
    return Wire(config, connection)


async def _addresses(config: HostConfig) -> list[str]:
    """Look up a host's addresses, on threads of our own: names that do not resolve must hold up nobody else's work."""
    family = _FAMILIES.get(config.address_family, socket.AF_UNSPEC)
    look_up = partial(socket.getaddrinfo, config.hostname, config.port, family, socket.SOCK_STREAM)
    with suppress(socket.gaierror):  # an address needs no look-up
        return _first(look_up(flags=socket.AI_NUMERICHOST))
    return _first(await asyncio.get_running_loop().run_in_executor(_RESOLVER, look_up))


def _first(found: Sequence[tuple[object, object, object, object, tuple[Any, ...]]]) -> list[str]:
    return list(dict.fromkeys(str(address[0]) for *_, address in found))[:_MAX_ADDRESSES]


async def _connect(
    addresses: Sequence[str], port: int, tunnel: Wire | None, options: dict[str, Any], seconds: float
) -> asyncssh.SSHClientConnection:
    """Try addresses in turn, each with its share of the time; the last failure counts."""
    through = tunnel.connection if tunnel else None
    *others, last = addresses
    for address in others:
        with suppress(OSError):  # a timeout is one too
            async with asyncio.timeout(seconds / len(addresses)):
                return await asyncssh.connect(address, port, tunnel=through, config=None, **options)
    return await asyncssh.connect(last, port, tunnel=through, config=None, **options)


def _options(config: HostConfig, trust: HostTrust, client: Callable[[], asyncssh.SSHClient]) -> dict[str, Any]:
    """Say everything ourselves: asyncssh reads no file, asks no agent and offers nothing we did not name."""
    kex, ciphers, macs, accepted = _algorithms(config)
    return {
        "client_factory": client,
        "username": config.user,
        "proxy_command": _proxy(config),
        "family": _FAMILIES.get(config.address_family, socket.AF_UNSPEC),
        "local_addr": (config.bind_address, 0) if config.bind_address else None,
        "kex_algs": kex,
        "encryption_algs": ciphers,
        "mac_algs": macs,
        "compression_algs": None,
        "signature_algs": accepted,
        "server_host_key_algs": trust.algorithms(),
        "known_hosts": trust.keys,
        "host_key_alias": config.trust_name,  # what a certificate must name; keys are looked up by ``trust``
        "x509_trusted_certs": None,
        "x509_trusted_cert_paths": [],
        "preferred_auth": ["publickey"],
        "client_keys": None,
        "agent_path": None,
        "gss_host": None,
        "password_auth": False,
        "kbdint_auth": False,
        "host_based_auth": False,
        "agent_forwarding": False,
        "x11_forwarding": False,
        "request_pty": False,
        "env": None,
        "send_env": None,
        "command": None,
        "connect_timeout": None,
        "login_timeout": 0,
        "keepalive_interval": config.alive_interval or _ALIVE_SECONDS,
        "keepalive_count_max": config.alive_count,
    }


def _algorithms(config: HostConfig) -> tuple[list[str], list[str], list[str], list[str]]:
    """Give key exchanges, ciphers, MACs and signatures, AES-GCM first: of asyncssh's ciphers it costs the least."""
    kex, ciphers, macs, accepted = (
        select(config.algorithms.get(name.lower()), default, name, possible) for name, default, possible in _supported()
    )
    return kex, ciphers, macs, accepted


@cache
def _supported() -> list[tuple[str, list[str], list[str]]]:
    """List each option, what asyncssh offers without it, and what it could offer."""
    ciphers = sorted(get_default_encryption_algs(), key=lambda name: b"gcm" not in name)
    kinds = (
        ("KexAlgorithms", get_default_kex_algs(), get_kex_algs()),
        ("Ciphers", ciphers, get_encryption_algs()),
        ("MACs", get_default_mac_algs(), get_mac_algs()),
        ("PubkeyAcceptedAlgorithms", get_default_public_key_algs(), get_public_key_algs()),
    )
    return [(name, [a.decode() for a in default], [a.decode() for a in possible]) for name, default, possible in kinds]


def _proxy(config: HostConfig) -> list[str] | None:
    """Run a ProxyCommand as ssh does, by a shell.

    asyncssh would take what it says on stderr for the host's words, and the end of stderr for the connection's: so
    stderr goes nowhere, and its pipe stays open under another number.
    """
    if config.proxy_command is None:
        return None
    return ["/bin/sh", "-c", f"exec 3>&2 2>/dev/null; exec {config.proxy_command.removeprefix('exec ')}"]


def _late(where: str, seconds: float, *, met: bool) -> Unreachable:
    if met:
        return Unreachable(
            f"{where} accepts connections, but its sshd did not log us in within {seconds:g} s: "
            "the host may hang or be overloaded"
        )
    return Unreachable(f"{where} did not answer within {seconds:g} s: check that the host is up and the way to it open")


_FAILURES: Final[tuple[tuple[type[Exception], str], ...]] = (
    (socket.gaierror, "has a name that is not found ({said}): set its HostName in your ssh configuration"),
    (ConnectionRefusedError, "refuses connections: check that sshd runs there and listens on this port"),
    (asyncssh.ChannelOpenError, "cannot be reached from its jump host ({said}): check the host and the jump host"),
    (asyncssh.KeyExchangeFailed, "has no algorithm in common with us ({said}): update its sshd or algorithm lists"),
    (asyncssh.ProtocolError, "does not speak ssh as expected ({said}): check the port"),
    (asyncssh.ProtocolNotSupported, "does not speak ssh as expected ({said}): check the port"),
    (
        asyncssh.Error,
        "ended the connection before login ({said}): check its sshd, its MaxStartups and any ProxyCommand",
    ),
    (OSError, "cannot be reached ({said}): check the host and the way to it"),
)
"""Our words for what asyncssh and the kernel say; the first that fits holds."""


def _failure(where: str, error: Exception) -> TransportError:
    said = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    for kind, sentence in _FAILURES:
        if isinstance(error, kind):
            return Unreachable(f"{where} {sentence.format(said=clean(said))}")
    return ConfigRefused(f"{where} cannot be connected to ({clean(said)}): check its options in your ssh configuration")
