"""The fixed shell texts that a repair sends, each known by a line of it: the demo runs no shell of its own."""

import hashlib
from collections.abc import Callable
from typing import Final

from lab import files
from lab.commands import Call, Done
from lab.machine import File

AS_ROOT: Final = 'else exec sudo -n "$@"; fi'
"""The end of a text that runs its arguments as root."""


def _known(call: Call) -> Done | None:
    """Run ``sh -c TEXT sh ARGUMENT…`` where the text is one of those; None for any other."""
    if len(call.args) < 3 or call.args[0] != "-c":  # noqa: PLR2004 - -c, the text and its $0
        return None
    text, arguments = call.args[1], call.args[3:]
    run = next((run for mark, run in _KNOWN.items() if mark in text), None)
    return run(call, arguments) if run is not None else None


def sh(call: Call) -> Done:
    """``sh -c``: a repair's fixed text, or the one-line fallback for links: /sys/class/net, attribute by attribute."""
    if (known := _known(call)) is not None:
        return known
    if len(call.args) != 2 or "/sys/class/net" not in call.args[1]:  # noqa: PLR2004 - -c and its text
        return Done(127, err="sh: 1: the demo runs no shell text of yours: not found\n")
    lines = []
    for ifname in call.machine.kernel.links:
        for attribute in ("mtu", "operstate", "ifindex", "address", "flags"):
            value = files.text(call.machine, f"/sys/class/net/{ifname}/{attribute}").strip()
            lines.append(f"{ifname}/{attribute}:{value}\n")
    return Done(out="".join(lines))


def wrapped(argv: tuple[str, ...]) -> tuple[str, ...] | None:
    """Give the command inside ``sh -c AS_ROOT sh ARGV…``; None for any other."""
    if argv[:2] == ("sh", "-c") and len(argv) > 4 and argv[2].endswith(AS_ROOT):  # noqa: PLR2004 - see script
        return argv[4:]
    return None


def _stage(call: Call, arguments: tuple[str, ...]) -> Done:
    return _write(call, arguments[0], call.stdin)


def _write(call: Call, path: str, content: str) -> Done:
    if not call.root:
        return Done(2, err=f"sh: 1: cannot create {path}: Permission denied\n")
    call.machine.files[path] = File(content, call.machine.clock())
    return Done()


def _install(call: Call, arguments: tuple[str, ...]) -> Done:
    path, new, kept, mode = arguments
    try:
        content = files.text(call.machine, new)
    except FileNotFoundError:
        return Done(1, err=f"cp: cannot stat '{new}': No such file or directory\n")
    _keep(call, path, kept)
    call.machine.modes[path] = mode.lstrip("0")
    return _write(call, path, content)


def _remove(call: Call, arguments: tuple[str, ...]) -> Done:
    path, kept = arguments
    if not call.root:
        return Done(1, err=f"rm: cannot remove '{path}': Permission denied\n")
    _keep(call, path, kept)
    call.machine.files.pop(path, None)
    return Done()


def _keep(call: Call, path: str, kept: str) -> None:
    if path in call.machine.files and kept not in call.machine.files:
        call.machine.files[kept] = call.machine.files[path]


def _shown(call: Call, arguments: tuple[str, ...]) -> Done:
    try:
        content = files.text(call.machine, arguments[0])
    except FileNotFoundError:
        return Done(out="gone\n")
    digest = hashlib.sha256(content.encode()).hexdigest()
    return Done(out=f"{digest}  -\n{call.machine.modes.get(arguments[0], '644')}\n")


def _clean(call: Call, arguments: tuple[str, ...]) -> Done:
    folder = arguments[0]
    for path in [path for path in call.machine.files if path.startswith(f"{folder}/")]:
        if path.rsplit("/", 1)[0] == folder and path.endswith((".new", ".part")):
            del call.machine.files[path]
    return Done()


_KNOWN: Final[dict[str, Callable[[Call, tuple[str, ...]], Done]]] = {
    'cat >"$1.part"': _stage,
    'mv -f -- "$path.underlay" "$path"': _install,
    'rm -f -- "$path"': _remove,
    'sha256sum <"$1"': _shown,
    'rm -f -- "$1"/*.new': _clean,
}
