"""Writes on nodes: every step runs detached from us, as a transient unit of systemd that is named after it.

``systemd-run`` starts ``underlay-RUN-STEP`` and returns; from then on a lost connection, or our own end, is nothing to
it. The unit stays (RemainAfterExit) until the run is over, so whoever resumes it finds out what became of the step, and
systemd itself refuses to start the same one twice (a unit of that name is loaded already).
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from probes.model.observation import Completed
from probes.model.text import clean
from probes.transports.base import Transport
from runbooks.actions import BACKUPS, AnyAction, RemoveFile, RestartUnit, Run, SetLinkMtu, WriteFile
from runbooks.plan import PlannedStep
from runbooks.sight import Mark

TIMEOUT: Final = 20.0
"""Seconds for any one of the short commands here."""
_AS_ROOT: Final = (
    "sh",
    "-c",
    "PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin; LC_ALL=C; export PATH LC_ALL; umask 077; "
    'if [ "$(id -u)" = 0 ]; then exec "$@"; else exec sudo -n "$@"; fi',
    "sh",
)
"""What follows are arguments, never text of a program."""
_STAGE: Final = 'set -eu; mkdir -p -- "${1%/*}"; cat >"$1.part"; mv -f -- "$1.part" "$1"'
_INSTALL: Final = (
    'set -eu; path=$1 new=$2 kept=$3 mode=$4; if [ -L "$path" ]; then '
    'echo "$path is a link: whatever manages it would undo this" >&2; exit 1; fi; umask 077; mkdir -p -- "${kept%/*}"; '
    'if [ -e "$path" ]; then [ -e "$kept" ] || cp -p -- "$path" "$kept"; fi; umask 022; mkdir -p -- "${path%/*}"; '
    'cp -- "$new" "$path.underlay"; chmod -- "$mode" "$path.underlay"; '
    'if [ -e "$path" ]; then chown --reference="$path" -- "$path.underlay"; fi; sync -- "$path.underlay"; '
    'mv -f -- "$path.underlay" "$path"'
)
_REMOVE: Final = (
    'set -eu; path=$1 kept=$2; umask 077; mkdir -p -- "${kept%/*}"; '
    'if [ -e "$path" ]; then cp -p -- "$path" "$kept"; fi; rm -f -- "$path"'
)
_FILE: Final = (
    'if [ -f "$1" ]; then sha256sum <"$1"; stat -c %a -- "$1"; elif [ -e "$1" ] || [ -L "$1" ]; then echo odd; '
    "else echo gone; fi"
)
_SHOWN: Final = ("LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus")


class NodeRefused(Exception):
    """A node would not do what it was told; its text is one sentence for the operator."""


class Detached(msgspec.Struct, frozen=True):
    """A step's unit on its node."""

    loaded: bool
    active: str = ""
    """``activating`` | ``active`` | ``failed`` | …"""
    result: str = ""
    status: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has run to its end, well or not."""
        return self.loaded and self.active in {"active", "failed", "inactive"}


def as_root(argv: Sequence[str]) -> tuple[str, ...]:
    """Give the command that runs ``argv`` as root, through ``sudo -n`` where the login is not root's."""
    return (*_AS_ROOT, *argv)


def unit_of(run: str, step: PlannedStep) -> str:
    """Name a step's unit."""
    return f"underlay-{run}-{step.id}.service"


def kept_at(run: str, path: str) -> str:
    """Tell where a run keeps what was at a path."""
    return f"{BACKUPS}/{run}{path}"


def _staged_at(run: str, step: PlannedStep) -> str:
    return f"{BACKUPS}/{run}/{step.id}.new"


def argv_of(run: str, step: PlannedStep) -> tuple[str, ...]:
    """Give what the step's unit runs."""
    match step.action:
        case Run(argv=argv):
            return argv
        case RestartUnit() | SetLinkMtu():
            return step.action.argv
        case WriteFile(path=path, mode=mode):
            return ("sh", "-c", _INSTALL, "sh", path, _staged_at(run, step), kept_at(run, path), mode)
        case RemoveFile(path=path):
            return ("sh", "-c", _REMOVE, "sh", path, kept_at(run, path))
    raise TypeError(step.action)


def start_argv(run: str, step: PlannedStep) -> tuple[str, ...]:
    """Give the command that starts the step's unit."""
    limit = f"{step.action.timeout:.0f}" if isinstance(step.action, Run) else "infinity"
    return (
        *("systemd-run", "--quiet", "--no-block", f"--unit={unit_of(run, step)}"),
        *(f"--description=underlay {run}: {step.name}", "--service-type=oneshot", "--property=RemainAfterExit=yes"),
        *(f"--property=TimeoutStartSec={limit}", "--setenv=LC_ALL=C", "--"),
        # systemd puts its own environment's values into what it runs, of ${x} anywhere; it reads $$ as $.
        *(each.replace("$", "$$") for each in argv_of(run, step)),
    )


class NodeWriter:
    """Writes on one node."""

    def __init__(self, transport: Transport, run: str) -> None:
        self._transport = transport
        self._run = run

    async def mark(self, action: AnyAction, at: float) -> Mark:
        """Note what will tell whether the step happened, before it is sent; raises TransportError, NodeRefused."""
        boot = await self._root(("cat", "/proc/sys/kernel/random/boot_id"))
        if not isinstance(action, RestartUnit):
            return Mark(at, boot_id=clean(boot.stdout.strip()))
        shown = await self._show(action.unit, ("LoadState", "InvocationID", "NRestarts"))
        if shown.get("LoadState") != "loaded":
            raise NodeRefused(f"{self._transport.host} has no unit {action.unit}")
        restarts = shown.get("NRestarts", "")
        return Mark(
            at,
            action.unit,
            shown.get("InvocationID", ""),
            int(restarts) if restarts.isdecimal() else None,
            clean(boot.stdout.strip()),
        )

    async def begin(self, step: PlannedStep) -> None:
        """Start a step's unit; one that is there already is left alone. Raises TransportError, NodeRefused."""
        if isinstance(step.action, WriteFile):
            staged = ("sh", "-c", _STAGE, "sh", _staged_at(self._run, step))
            await self._root(staged, stdin=step.action.content.encode())
        done = await self._ask(start_argv(self._run, step))
        if done.returncode and "already loaded" not in done.stderr and "already exists" not in done.stderr:
            raise self._refused(done)

    async def look(self, step: PlannedStep) -> Detached:
        """Tell what became of a step's unit; raises TransportError, NodeRefused."""
        shown = await self._show(unit_of(self._run, step), _SHOWN)
        loaded = shown.get("LoadState") == "loaded"
        active = shown.get("ActiveState", "")
        return Detached(loaded, active, shown.get("Result", ""), shown.get("ExecMainStatus", ""))

    async def said(self, step: PlannedStep, after: int) -> tuple[str, ...]:
        """Give what a step's command has said beyond its first ``after`` lines; nothing where there is no journal."""
        unit = unit_of(self._run, step)
        done = await self._ask(
            ("journalctl", "-q", "--no-pager", "-o", "cat", "-n", "500", f"UNIT={unit}", "+", f"_SYSTEMD_UNIT={unit}")
        )
        lines = [clean(line.expandtabs(4))[:400] for line in done.stdout.splitlines()] if not done.returncode else []
        return tuple(lines[after:])

    async def wanted(self, step: PlannedStep, mark: Mark) -> bool | None:
        """Tell by the node's state whether a step's effect is there; None: by the state nobody can tell."""
        match step.action:
            case RestartUnit(unit=unit):
                now = (await self._show(unit, ("InvocationID",))).get("InvocationID", "")
                return bool(now) and now != mark.invocation_id if mark.invocation_id else None
            case SetLinkMtu(ifname=ifname, mtu=mtu):
                return await self._mtu(ifname) == mtu
            case WriteFile(path=path, content=content, mode=mode):
                told = await self._file(path)
                digest = hashlib.sha256(content.encode()).hexdigest()
                return len(told) > 1 and told[0] == digest and int(told[-1], 8) == int(mode, 8)
            case RemoveFile(path=path):
                return (await self._file(path))[:1] == ["gone"]
        return None

    async def rebooted(self, mark: Mark) -> bool:
        """Tell whether the node has booted since the mark was made."""
        boot = await self._root(("cat", "/proc/sys/kernel/random/boot_id"))
        return bool(mark.boot_id) and boot.stdout.strip() != mark.boot_id

    async def forget(self, step: PlannedStep) -> None:
        """Let go of a step's unit, so that one of its name can be started anew; raises TransportError."""
        for verb in ("stop", "reset-failed"):
            await self._ask(("systemctl", verb, unit_of(self._run, step)))

    async def clean_up(self) -> None:
        """Let go of the run's units here and of what was staged; raises TransportError."""
        for verb in ("stop", "reset-failed"):
            await self._ask(("systemctl", verb, f"underlay-{self._run}-*"))
        await self._ask(
            (
                "sh",
                "-c",
                'rm -f -- "$1"/*.new "$1"/*.part; rmdir -- "$1" "$2" 2>/dev/null; :',
                "sh",
                f"{BACKUPS}/{self._run}",
                BACKUPS,
            )
        )

    async def _mtu(self, ifname: str) -> int | None:
        done = await self._ask(("ip", "-j", "link", "show", "dev", ifname))
        try:
            (link,) = [each for each in msgspec.json.decode(done.stdout or "[]") if each]
            return int(link["mtu"])
        except (ValueError, KeyError, TypeError, msgspec.DecodeError):
            return None

    async def _file(self, path: str) -> list[str]:
        done = await self._root(("sh", "-c", _FILE, "sh", path))
        return [word for word in done.stdout.split() if word != "-"]

    async def _show(self, unit: str, properties: Sequence[str]) -> dict[str, str]:
        done = await self._root(("systemctl", "show", "-p", ",".join(properties), unit))
        pairs = (line.partition("=") for line in done.stdout.splitlines())
        return {key: clean(value) for key, _, value in pairs}

    async def _ask(self, argv: Sequence[str], stdin: bytes = b"") -> Completed:
        return await self._transport.run(as_root(argv), stdin=stdin, timeout=TIMEOUT)

    async def _root(self, argv: Sequence[str], stdin: bytes = b"") -> Completed:
        done = await self._ask(argv, stdin)
        if done.returncode:
            raise self._refused(done)
        return done

    def _refused(self, done: Completed) -> NodeRefused:
        why = clean(" ".join(done.stderr.split()))[:300] or f"it ended with {done.returncode}"
        return NodeRefused(f"{self._transport.host} refuses: {why}")
