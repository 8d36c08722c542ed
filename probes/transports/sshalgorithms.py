"""Algorithm lists of ssh_config(5): ``a,b``, ``+a``, ``-a`` and ``^a``, with wildcards."""

from collections.abc import Sequence

from probes.transports.base import ConfigRefused
from probes.transports.sshconfig import Setting, matches


def allowed(name: str, value: str) -> bool:
    """Whether a list lets an algorithm of the default set in."""
    patterns = value.lstrip("+-^").split(",")
    if value.startswith("-"):
        return not matches(name, patterns)
    return value[:1] in {"+", "^"} or matches(name, patterns)


def select(
    setting: Setting | None, default: Sequence[str], option: str, possible: Sequence[str] | None = None
) -> list[str]:
    """Choose algorithms we have, in order; names that only OpenSSH has are passed over.

    Raises ConfigRefused where nothing is left: then ssh's configuration asks for what we cannot do.
    """
    if setting is None:
        return list(default)
    value = setting.values[0]
    named = [
        name
        for pattern in value.lstrip("+-^").split(",")
        for name in (possible or default)
        if matches(name, [pattern.strip()])
    ]
    if value.startswith("-"):
        chosen = [name for name in default if name not in named]
    elif value.startswith("+"):
        chosen = [*default, *named]
    elif value.startswith("^"):
        chosen = [*named, *default]
    else:
        chosen = named
    if not chosen:
        raise ConfigRefused(f"{setting.where}: {option} leaves no algorithm that is supported here: add another one")
    return list(dict.fromkeys(chosen))
