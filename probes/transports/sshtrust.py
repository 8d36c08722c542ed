"""Whether a host's key is trusted, and if not, why: unknown, changed, revoked or badly certified."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncssh
from asyncssh.public_key import (
    get_certificate_algs,
    get_default_certificate_algs,
    get_default_public_key_algs,
    get_public_key_algs,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from probes.model.text import clean
from probes.transports.base import HostKeyChanged, HostKeyUnknown, TransportError
from probes.transports.hostconfig import HostConfig
from probes.transports.known_hosts import AUTHORITY, REVOKED, KnownHosts, KnownKey, describe, entry_name
from probes.transports.sshalgorithms import allowed, select

_NAMES = {
    "ssh-ed25519": "ED25519",
    "ssh-rsa": "RSA",
    "ssh-dss": "DSA",
    "ecdsa-sha2-nistp256": "ECDSA",
    "ecdsa-sha2-nistp384": "ECDSA",
    "ecdsa-sha2-nistp521": "ECDSA",
    "sk-ssh-ed25519@openssh.com": "ED25519-SK",
    "sk-ecdsa-sha2-nistp256@openssh.com": "ECDSA-SK",
}
_Keys = list[asyncssh.SSHKey]


@dataclass
class HostTrust:
    """What is known of one host's keys, for one connection."""

    config: HostConfig
    known: KnownHosts
    revoked: Sequence[KnownKey] = ()
    by_hand: str = "ssh HOST"
    """The command with which an operator makes the same connection."""
    offered: asyncssh.SSHKey | None = field(default=None, init=False)
    authority: asyncssh.SSHKey | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        lines = self.known.of_host(self.config.hostname, self.config.port, self.config.host_key_alias)
        self._plain = [key for key in lines if key.marker == ""]
        self._authorities = [key for key in lines if key.marker == AUTHORITY and self._may_certify(key)]
        self._revoked = [*(key for key in lines if key.marker == REVOKED), *self.revoked]

    def _may_certify(self, key: KnownKey) -> bool:
        setting = self.config.algorithms.get("casignaturealgorithms")
        names = ("rsa-sha2-512", "rsa-sha2-256") if key.kind == "ssh-rsa" else (key.kind,)
        return setting is None or any(allowed(name, setting.values[0]) for name in names)

    def keys(self, _host: str, address: str, _port: int | None) -> tuple[_Keys, _Keys, _Keys]:
        """Give trusted keys, trusted authorities and revoked keys, in the shape asyncssh asks for (known_hosts)."""
        trusted = self._plain
        if self.config.check_host_ip and address and self.config.host_key_alias is None:
            of_address = {k.key for k in self.known.of_host(address, self.config.port) if k.marker == ""}
            trusted = [key for key in trusted if not of_address or key.key in of_address]
        strong = [key for key in self._imported(trusted) if self._strong(key)]
        return strong, self._imported(self._authorities), self._imported(self._revoked)

    def algorithms(self) -> list[str]:
        """Host key algorithms in order of wish: those of known keys first, so that a known key is what we see."""
        kinds = {key.kind for key in self._plain}
        plain = [name.decode() for name in get_default_public_key_algs()]
        plain.sort(key=lambda name: not ({name} & kinds or (name.startswith("rsa-") and "ssh-rsa" in kinds)))
        if not self._authorities:  # a certificate that nobody may sign would hide a plain key that is known
            return select(self.config.algorithms.get("hostkeyalgorithms"), plain, "HostKeyAlgorithms", _possible())
        certified = [name.decode() for name in get_default_certificate_algs()]
        possible = [name.decode() for name in get_certificate_algs()] + _possible()
        return select(self.config.algorithms.get("hostkeyalgorithms"), certified + plain, "HostKeyAlgorithms", possible)

    def verdict(self, reason: str) -> TransportError:
        """Explain why the key was not trusted; ``reason`` is asyncssh's own text."""
        where = f"{self.config.alias} ({self.config.address})"
        if "revoked" in reason:
            lines = ", ".join(dict.fromkeys(key.where for key in self._revoked))
            return HostKeyChanged(f"{where} offers a host key that is revoked ({lines}): do not use this host")
        if self.authority is not None:
            return HostKeyUnknown(
                f"{where} offers a host certificate signed by {_describe(self.authority)}, which no @cert-authority "
                f"line trusts (in {describe(self.config.known_hosts)}): check that key and add the line"
            )
        if self.offered is None:
            return HostKeyChanged(
                f"{where} offers a host certificate that is not valid: {clean(reason)}: renew the host's certificate"
            )
        return self._unknown(where, self.offered) if not self._plain else self._changed(where, self.offered)

    def _unknown(self, where: str, key: asyncssh.SSHKey) -> HostKeyUnknown:
        files = describe(self.config.known_hosts) or "no file"
        return HostKeyUnknown(
            f"{where} offers the host key {_describe(key)}, which is not known (in {files}): "
            f"compare the fingerprint with the host's own, then run `{self.by_hand}` once to accept it"
        )

    def _changed(self, where: str, key: asyncssh.SSHKey) -> HostKeyChanged:
        if any(line.blob == key.public_data for line in self._plain):
            if not self._strong(key):
                bits = self.config.required_rsa_bits
                return HostKeyChanged(f"{where} has a host key of fewer than {bits} bits: give it a stronger one")
            return HostKeyChanged(
                f"{where} offers the host key {_describe(key)}, but its address is known with another key "
                "(CheckHostIP): make sure that it is the right host, then remove the stale line"
            )
        line = next((k for k in self._plain if k.kind == key.algorithm.decode()), self._plain[0])
        name = self.config.host_key_alias or entry_name(self.config.hostname, self.config.port)
        return HostKeyChanged(
            f"{where} offers the host key {_describe(key)}, but {line.where} says {_describe_line(line)}: THE HOST KEY "
            "HAS CHANGED, and somebody else may be answering; only if its owner confirms the new key, "
            f"run `ssh-keygen -R '{name}' -f {line.path}`, then `{self.by_hand}`"
        )

    def _strong(self, key: asyncssh.SSHKey) -> bool:
        rsa = key.pyca_key
        return not isinstance(rsa, RSAPublicKey) or rsa.key_size >= self.config.required_rsa_bits

    def _imported(self, lines: Sequence[KnownKey]) -> _Keys:
        keys: _Keys = []
        for line in lines:
            try:
                keys.append(asyncssh.import_public_key(f"{line.kind} {line.key}"))
            except asyncssh.KeyImportError:
                continue
        return keys


def _possible() -> list[str]:
    return [name.decode() for name in get_public_key_algs()]


def _describe(key: asyncssh.SSHKey) -> str:
    kind = key.algorithm.decode("ascii", "replace")
    return f"{_NAMES.get(kind, clean(kind))} {key.get_fingerprint()}"


def _describe_line(line: KnownKey) -> str:
    digest = base64.b64encode(hashlib.sha256(line.blob).digest()).decode().rstrip("=")
    return f"{_NAMES.get(line.kind, clean(line.kind))} SHA256:{digest}"
