"""What ssh's configuration says about one host: what matters for safety is honoured or refused."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from probes.transports.base import ConfigRefused
from probes.transports.known_hosts import GLOBAL_FILES, USER_FILES
from probes.transports.sshconfig import Setting, SshConfig, expand, local_user, tokens

_HOST: Final = re.compile(r"[A-Za-z0-9_.:%\[\]][A-Za-z0-9_.:%\[\]-]*")
_USER: Final = re.compile(r"[A-Za-z0-9_.@\\+][A-Za-z0-9_.@\\+$-]*")
_DEFAULT_KEYS: Final = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")
_MAX_PORT: Final = 65535

_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "knownhostscommand": ("KnownHostsCommand", "put the keys in a known_hosts file"),
    "bindinterface": ("BindInterface", "use BindAddress"),
    "proxyusefdpass": ("ProxyUseFdpass", "use a ProxyCommand that passes data, or ProxyJump"),
    "canonicalizehostname": ("CanonicalizeHostname", "give the host's full name with HostName"),
}
"""Options that decide whom we trust or which way we go, that we cannot honour, and what to use instead.

Left out on purpose, and never honoured: what would loosen our checks (StrictHostKeyChecking, VerifyHostKeyDNS,
NoHostAuthenticationForLocalhost, UpdateHostKeys), what would hand something to the host (ForwardAgent, SendEnv, SetEnv,
forwardings) and what would run or change something (LocalCommand, RemoteCommand, AddKeysToAgent).
"""


@dataclass(frozen=True)
class HostConfig:
    """How to reach and to trust one host."""

    alias: str
    hostname: str
    port: int
    user: str
    proxy_jump: str | None = None
    proxy_command: str | None = None
    key_files: tuple[Path, ...] = ()
    default_key_files: bool = True
    """Whether ``key_files`` are only ssh's defaults: their absence says nothing."""
    certificate_files: tuple[Path, ...] = ()
    identities_only: bool = False
    agent: str | None = None
    public_key: bool = True
    host_key_alias: str | None = None
    known_hosts: tuple[Path, ...] = ()
    revoked_keys: Path | None = None
    check_host_ip: bool = False
    required_rsa_bits: int = 1024
    address_family: str = "any"
    bind_address: str | None = None
    connect_timeout: float | None = None
    alive_interval: float | None = None
    alive_count: int = 3
    algorithms: Mapping[str, Setting] = field(default_factory=dict)
    """Of hostkeyalgorithms, kexalgorithms, ciphers, macs, pubkeyacceptedalgorithms, casignaturealgorithms."""

    @property
    def address(self) -> str:
        """``HOST:PORT`` for messages."""
        return f"[{self.hostname}]:{self.port}" if ":" in self.hostname else f"{self.hostname}:{self.port}"

    @property
    def trust_name(self) -> str:
        """The name whose key is looked up."""
        return self.host_key_alias or self.hostname


def host_config(config: SshConfig, alias: str, *, user: str | None = None, port: int | None = None) -> HostConfig:
    """Resolve a host; raises ConfigRefused. May run the commands of ``Match exec``."""
    if not _HOST.fullmatch(alias):
        raise ConfigRefused(f"{alias!r} is no host name: use letters, digits, dots and dashes")
    options = _Options(alias, config.resolve(alias, user=user, port=port))
    options.refuse()
    return options.convert()


class _Options:
    """Typed reading of one host's settings."""

    def __init__(self, alias: str, settings: dict[str, Setting]) -> None:
        self.alias = alias
        self.settings = settings
        self.hostname = expand(self.text("hostname") or alias, {"h": alias}, "HostName").lower()
        self.port = self.integer("port", 22, _MAX_PORT)
        self.user = self.text("user") or local_user()
        if not _HOST.fullmatch(self.hostname):
            raise ConfigRefused(f"{self.where('hostname')}: {self.hostname!r} is no host name or address")
        if not _USER.fullmatch(self.user):
            raise ConfigRefused(f"{self.where('user')}: {self.user!r} is no user name we pass on: mend User")
        self.tokens = tokens(alias, self.hostname, str(self.port), self.user)
        self.tokens["k"] = self.text("hostkeyalias") or alias

    def where(self, keyword: str) -> str:
        setting = self.settings.get(keyword)
        return setting.where if setting else "ssh configuration"

    def text(self, keyword: str) -> str | None:
        """First value; None where it is unset or ``none``."""
        setting = self.settings.get(keyword)
        return setting.values[0] if setting and setting.values[0].lower() != "none" else None

    def yes(self, keyword: str, *, default: bool = False) -> bool:
        setting = self.settings.get(keyword)
        if setting is None:
            return default
        value = setting.values[0].lower()
        if value not in {"yes", "no", "true", "false", "ask", "always", "unbound", "host-bound"}:
            raise ConfigRefused(f"{setting.where}: {value!r} is neither yes nor no")
        return value not in {"no", "false"}

    def integer(self, keyword: str, default: int, highest: int = 2**31 - 1) -> int:
        setting = self.settings.get(keyword)
        if setting is None:
            return default
        value = setting.values[0]
        if not value.isdecimal() or not value.isascii() or int(value) > highest:
            raise ConfigRefused(f"{setting.where}: {value!r} is no number from 0 to {highest}")
        return int(value)

    def seconds(self, keyword: str) -> float | None:
        """Time as sshd_config(5), TIME FORMATS, writes it; None where it is unset, none or 0."""
        value = self.text(keyword)
        if value is None:
            return None
        units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
        parts = re.findall(r"(\d+)([smhdw]?)", value.lower())
        if "".join(n + u for n, u in parts) != value.lower():
            raise ConfigRefused(f"{self.where(keyword)}: {value!r} is no time: write for example 30 or 5m")
        return float(sum(int(n) * units[u] for n, u in parts)) or None

    def path(self, text: str, keyword: str) -> Path:
        """Expand tokens, environment and home folder of a file name."""
        where = self.where(keyword)
        return Path(expand(_environment(text, where), self.tokens, where)).expanduser()

    def paths(self, keyword: str, default: tuple[Path, ...]) -> tuple[Path, ...]:
        setting = self.settings.get(keyword)
        if setting is None:
            return tuple(path.expanduser() for path in default)
        return tuple(self.path(value, keyword) for value in setting.values if value.lower() != "none")

    def refuse(self) -> None:
        """Refuse what we cannot honour though it matters for safety."""
        for keyword, (name, instead) in _REFUSED.items():
            setting = self.settings.get(keyword)
            if setting is None or setting.values[0].lower() in {"no", "false", "none"}:
                continue
            raise ConfigRefused(f"{setting.where}: {name} is not supported here: {instead}")

    def agent(self) -> str | None:
        value = self.text("identityagent") if "identityagent" in self.settings else "SSH_AUTH_SOCK"
        if value is None:
            return None
        if value == "SSH_AUTH_SOCK" or (value.startswith("$") and not value.startswith("${")):
            return os.environ.get(value.removeprefix("$")) or None
        return str(self.path(value, "identityagent"))

    def revoked(self) -> Path | None:
        value = self.text("revokedhostkeys")
        return self.path(value, "revokedhostkeys") if value else None

    def proxy(self) -> tuple[str | None, str | None]:
        """ProxyJump and ProxyCommand: the one said first holds, as in ssh_config(5)."""
        order = [keyword for keyword in self.settings if keyword in {"proxyjump", "proxycommand"}]
        if not order:
            return None, None
        value = self.text(order[0])
        if value is None:
            return None, None
        if self.user.startswith("-") or set(self.user) & set("\\$"):
            raise ConfigRefused(f"{self.where('user')}: the user {self.user!r} cannot go with {order[0]}")
        words = {token: self.tokens[token] for token in "hnpr"}
        value = expand(value, words, self.where(order[0]))
        return (value, None) if order[0] == "proxyjump" else (None, value)

    def convert(self) -> HostConfig:
        jump, command = self.proxy()
        home = Path("~/.ssh").expanduser()
        algorithms = ("hostkeyalgorithms", "kexalgorithms", "ciphers", "macs", "casignaturealgorithms")
        accepted = next((k for k in self.settings if k in {"pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes"}), None)
        chosen = {keyword: self.settings[keyword] for keyword in algorithms if keyword in self.settings}
        if accepted:
            chosen["pubkeyacceptedalgorithms"] = self.settings[accepted]
        return HostConfig(
            alias=self.alias,
            hostname=self.hostname,
            port=self.port,
            user=self.user,
            proxy_jump=jump,
            proxy_command=command,
            key_files=self.paths("identityfile", tuple(home / name for name in _DEFAULT_KEYS)),
            default_key_files="identityfile" not in self.settings,
            certificate_files=self.paths("certificatefile", ()),
            identities_only=self.yes("identitiesonly"),
            agent=self.agent(),
            public_key=self.yes("pubkeyauthentication", default=True),
            host_key_alias=self.text("hostkeyalias"),
            known_hosts=self.paths("userknownhostsfile", USER_FILES) + self.paths("globalknownhostsfile", GLOBAL_FILES),
            revoked_keys=self.revoked(),
            check_host_ip=self.yes("checkhostip"),
            required_rsa_bits=self.integer("requiredrsasize", 1024),
            address_family=(self.text("addressfamily") or "any").lower(),
            bind_address=self.text("bindaddress"),
            connect_timeout=self.seconds("connecttimeout"),
            alive_interval=self.seconds("serveraliveinterval"),
            alive_count=max(1, self.integer("serveralivecountmax", 3)),
            algorithms=chosen,
        )


def _environment(text: str, where: str) -> str:
    def replace(match: re.Match[str]) -> str:
        value = os.environ.get(match.group(1))
        if value is None:
            raise ConfigRefused(f"{where}: ${{{match.group(1)}}} is not set in the environment: set it or write it out")
        return value

    return re.sub(r"\$\{([^}]*)\}", replace, text)


def parse_jumps(text: str, where: str) -> list[tuple[str | None, str, int | None]]:
    """Split a ProxyJump value into user, host and port of each hop, nearest first; raises ConfigRefused."""
    hops: list[tuple[str | None, str, int | None]] = []
    for hop in text.split(","):
        user, _, rest = hop.strip().removeprefix("ssh://").rpartition("@")
        match = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]+))(?::(\d{1,5}))?/?", rest)
        if match is None or int(match.group(3) or 22) > _MAX_PORT:
            raise ConfigRefused(f"{where}: {hop!r} is no jump host: write [USER@]HOST[:PORT]")
        hops.append((user or None, match.group(1) or match.group(2), int(match.group(3)) if match.group(3) else None))
    return hops
