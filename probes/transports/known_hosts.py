"""Host keys we trust: the known_hosts files, read once and looked up by name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

Keys stay text until a host is looked up: most lines of a large file are never needed.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from probes.transports.base import ConfigRefused
from probes.transports.sshconfig import matches

GLOBAL_FILES: Final = (Path("/etc/ssh/ssh_known_hosts"), Path("/etc/ssh/ssh_known_hosts2"))
USER_FILES: Final = (Path("~/.ssh/known_hosts"), Path("~/.ssh/known_hosts2"))
REVOKED: Final = "revoked"
AUTHORITY: Final = "cert-authority"
_MARKERS: Final = frozenset({"", REVOKED, AUTHORITY})
_DEFAULT_PORT: Final = 22
_MAX_BYTES: Final = 64 * 1024 * 1024


class KnownKey(NamedTuple):
    """One line of a known_hosts file."""

    marker: str
    """``""``, ``revoked`` or ``cert-authority``."""
    kind: str
    """Key type, e.g. ``ssh-ed25519``."""
    key: str
    """The key in base64."""
    path: str
    line: int

    @property
    def where(self) -> str:
        """``FILE:LINE``."""
        return f"{self.path}:{self.line}"

    @property
    def blob(self) -> bytes:
        """The key as it goes over the wire; empty where it is no base64."""
        try:
            return base64.b64decode(self.key, validate=True)
        except (binascii.Error, ValueError):
            return b""


class _Hashed(NamedTuple):
    salt: bytes
    digest: bytes
    key: KnownKey


class KnownHosts:
    """The lines of some known_hosts files."""

    def __init__(self) -> None:
        self._by_name: dict[str, list[KnownKey]] = {}
        self._patterns: list[tuple[tuple[str, ...], KnownKey]] = []
        self._hashed: list[_Hashed] = []

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "KnownHosts":
        """Read files in order; one that is missing is empty; raises ConfigRefused for one that cannot be read."""
        known = cls()
        for path in paths:
            try:
                with path.open("rb") as file:
                    content = file.read(_MAX_BYTES)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ConfigRefused(f"{path}: cannot read known host keys: {error.strerror}") from error
            known.add(content.decode("utf-8", "replace"), str(path))
        return known

    def add(self, content: str, path: str) -> None:
        """Take in the lines of a file; lines that are no host key are passed over, as ssh does."""
        for number, line in enumerate(content.splitlines(), 1):
            words = line.split(None, 4)
            if not words or words[0].startswith("#"):
                continue
            marker = words.pop(0)[1:] if words[0].startswith("@") else ""
            if len(words) < 3 or marker not in _MARKERS:  # noqa: PLR2004 names, type, key
                continue
            self._add(words[0], KnownKey(marker, words[1], words[2], path, number))

    def _add(self, names: str, key: KnownKey) -> None:
        if names.startswith("|1|"):
            salt, _, digest = names[3:].partition("|")
            try:
                self._hashed.append(_Hashed(base64.b64decode(salt), base64.b64decode(digest), key))
            except (binascii.Error, ValueError):
                return
        elif set("*?!") & set(names):
            self._patterns.append((tuple(names.lower().split(",")), key))
        else:
            for name in names.lower().split(","):
                self._by_name.setdefault(name, []).append(key)

    def lookup(self, name: str) -> list[KnownKey]:
        """Keys on lines for a name as known_hosts writes it (``host`` or ``[host]:port``)."""
        name = name.lower()
        found = list(self._by_name.get(name, ()))
        found += (key for patterns, key in self._patterns if matches(name, patterns))
        data = name.encode()
        found += (h.key for h in self._hashed if hmac.compare_digest(hmac.digest(h.salt, data, "sha1"), h.digest))
        return found

    def of_host(self, hostname: str, port: int, alias: str | None = None) -> list[KnownKey]:
        """Keys for a host: by HostKeyAlias alone if it has one, else by name and port, else by name (as ssh does).

        A revoked key counts under any of these names.
        """
        if alias is not None:
            return self.lookup(alias)
        plain = self.lookup(hostname)
        if port == _DEFAULT_PORT:
            return plain
        exact = self.lookup(entry_name(hostname, port))
        if any(key.marker != REVOKED for key in exact):
            return exact + [key for key in plain if key.marker == REVOKED]
        return exact + plain


def entry_name(hostname: str, port: int) -> str:
    """Write a host and port as known_hosts does."""
    return hostname if port == _DEFAULT_PORT else f"[{hostname}]:{port}"


def read_revoked(path: Path) -> list[KnownKey]:
    """Read a RevokedHostKeys file of public keys; raises ConfigRefused for a binary list (KRL) or a missing file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigRefused(
            f"{path}: cannot read RevokedHostKeys ({error.strerror}), so no host key can be trusted: "
            "mend the path in your ssh configuration"
        ) from error
    if content.startswith(b"SSHKRL\n\0"):
        raise ConfigRefused(
            f"{path}: RevokedHostKeys as a binary key revocation list is not supported: list the keys as text"
        )
    return list(_public_keys(content.decode("utf-8", "replace"), str(path)))


def _public_keys(content: str, path: str) -> Iterator[KnownKey]:
    for number, line in enumerate(content.splitlines(), 1):
        words = line.split(None, 2)
        if len(words) > 1 and not words[0].startswith("#"):
            yield KnownKey(REVOKED, words[0], words[1], path, number)


def describe(paths: Sequence[Path]) -> str:
    """Name files for a message, the home folder short."""
    home = str(Path("~").expanduser())
    return ", ".join(f"~{text.removeprefix(home)}" if (text := str(p)).startswith(f"{home}/") else text for p in paths)
