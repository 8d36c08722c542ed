"""Settings: what config.yaml says of contexts, hosts and ways in; read once, never written behind anyone's back."""

import os
from pathlib import Path
from typing import Annotated, Final

import msgspec

from probes.model.plan import Plan

FILE: Final = "config.yaml"


class SettingsError(Exception):
    """A settings file cannot be used; its text is one sentence for the operator."""


class HostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to reach one host over SSH."""

    host: str = ""
    """An alias of ssh_config, a name or an address; empty: the node's own name or address."""
    user: str = ""
    """Empty: as ssh_config says."""
    jump: str = ""
    """A ProxyJump; empty: as ssh_config says."""


class ContextSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How to reach the hosts of one kubeconfig context."""

    user: str = ""
    jump: str = ""
    ssh_config: str = ""
    """A file in place of ~/.ssh/config, as ``ssh -F``."""
    nodes: dict[str, HostSettings] = {}
    """By node name."""
    plans: dict[str, Plan] = {}
    """Named sets of probes (docs/probes.md)."""
    vantages: dict[str, HostSettings] = {}
    """Further hosts to probe from, such as the hypervisor or the gateway, by a name of your choice."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole of config.yaml."""

    contexts: dict[str, ContextSettings] = {}
    headroom: Annotated[int, msgspec.Meta(ge=0, le=9000)] = 100
    """Bytes that pods' packets should leave of the path, advised once large transfers stall; 0: no advice."""

    def context(self, name: str) -> ContextSettings:
        """Look up a context; one that is not named has nothing set."""
        return self.contexts.get(name, ContextSettings())


def config_home() -> Path:
    """Tell underlay's folder under XDG_CONFIG_HOME."""
    base = os.environ.get("XDG_CONFIG_HOME") or ""
    # The specification says that a relative path is to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".config") / "underlay"


def load(path: Path | None = None) -> Settings:
    """Read settings from ``path``, else from the config folder, where a missing file is an empty one.

    Raises SettingsError with the file, the place in it and what is wrong.
    """
    file = path or config_home() / FILE
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        if path is None:
            return Settings()
        raise SettingsError(
            f"{file}: there is no such file; leave --config out, or write one with: underlay init"
        ) from None
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        said = msgspec.yaml.decode(text) if text.strip() else None
        return Settings() if said is None else msgspec.convert(said, Settings)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise SettingsError(f"{file}: {' '.join(str(error).split())}; correct it, or set it aside") from error


def dump(settings: Settings) -> str:
    """Write settings as the YAML of config.yaml."""
    return msgspec.yaml.encode(settings).decode()
