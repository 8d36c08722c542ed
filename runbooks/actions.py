"""Actions: the closed set of what a runbook may do, each a value with everything in it.

Nothing here acts. A command is an argv, never a line for a shell: data cannot become a command. Each action tells how
an operator would do the same by hand (``by_hand``); runbooks.writers is what does it.
"""

import json
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, Final, Literal

import msgspec

Weight = Literal["nothing", "changes", "disrupts"]
"""``nothing`` is written; something ``changes``; it ``disrupts`` what runs, or can: such a step needs a gate and is
confirmed by typing a name."""

BACKUPS: Final = "/var/lib/underlay"
"""Folder on a node under which a run keeps what it replaced or removed, by the run's name and the file's own path."""
CORDONED_BY: Final = "underlay/cordoned-by"
"""Annotation of a Node that says which run cordoned it: only what a run cordoned does it uncordon."""
REQUESTED: Final = "reconcile.fluxcd.io/requestedAt"


class Action(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab", tag_field="do"):
    """Something that a step does."""

    weight: ClassVar[Weight] = "changes"
    about: ClassVar[str] = ""

    @property
    def place(self) -> str:
        """The node it is done on or to; empty for what is no node's."""
        return getattr(self, "node", "")

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The command lines by which an operator would do the same; none for what writes nothing."""
        return ()


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An object of the API."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def kubectl(self) -> tuple[str, ...]:
        """The object as kubectl's arguments name it."""
        place = ("-n", self.namespace) if self.namespace else ()
        return (*place, f"{self.kind.lower()}/{self.name}")


def on_node(node: str, argv: tuple[str, ...]) -> str:
    """Write the line that runs a command as root on a node."""
    return f"ssh {shlex.quote(node)} {shlex.quote(shlex.join(('sudo', *argv)))}"


class Run(Action, frozen=True, tag="run"):
    """Run a command on a node, as root."""

    weight: ClassVar[Weight] = "disrupts"
    about: ClassVar[str] = "run a command on a node"
    node: str
    argv: tuple[str, ...]
    timeout: float = 120.0
    """Seconds after which the node ends it."""

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The command itself."""
        return (on_node(self.node, self.argv),)


class RestartUnit(Action, frozen=True, tag="restart-unit"):
    """Restart a systemd unit on a node."""

    weight: ClassVar[Weight] = "disrupts"
    about: ClassVar[str] = "restart a unit on a node"
    node: str
    unit: str

    @property
    def argv(self) -> tuple[str, ...]:
        """What runs on the node."""
        return ("systemctl", "restart", self.unit)

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The command itself."""
        return (on_node(self.node, self.argv),)


class SetLinkMtu(Action, frozen=True, tag="set-link-mtu"):
    """Set the MTU of a link in a node's kernel, until its next boot."""

    weight: ClassVar[Weight] = "disrupts"
    about: ClassVar[str] = "set a link's MTU on a node"
    node: str
    ifname: str
    mtu: int

    @property
    def argv(self) -> tuple[str, ...]:
        """What runs on the node."""
        return ("ip", "link", "set", "dev", self.ifname, "mtu", str(self.mtu))

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The command itself."""
        return (on_node(self.node, self.argv),)


class WriteFile(Action, frozen=True, tag="write-file"):
    """Write a file on a node, whole or not at all; what was there before is kept under BACKUPS."""

    about: ClassVar[str] = "write a file on a node, atomically, with a backup"
    node: str
    path: str
    content: str
    mode: str = "0644"

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Write it beside its place, then move it there."""
        new = shlex.quote(self.path + ".new")
        into = shlex.quote(f"sudo tee {new} >/dev/null && sudo chmod {self.mode} {new}")
        folder = str(PurePosixPath(self.path).parent)
        return (
            on_node(self.node, ("mkdir", "-p", folder)),
            f"printf %s {shlex.quote(self.content)} | ssh {shlex.quote(self.node)} {into}",
            on_node(self.node, ("mv", self.path + ".new", self.path)),
        )


class RemoveFile(Action, frozen=True, tag="remove-file"):
    """Remove a file on a node; it is kept under BACKUPS."""

    about: ClassVar[str] = "remove a file on a node, with a backup"
    node: str
    path: str

    @property
    def by_hand(self) -> tuple[str, ...]:
        """Remove it."""
        return (on_node(self.node, ("rm", "-f", self.path)),)


class Patch(Action, frozen=True, tag="patch"):
    """Merge a patch into an object (RFC 7386)."""

    about: ClassVar[str] = "merge a patch into an object"
    target: Target
    patch: dict[str, Any]

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The same patch by kubectl."""
        return (shlex.join(("kubectl", "patch", *self.target.kubectl, "--type=merge", "-p", json.dumps(self.patch))),)


class Annotate(Action, frozen=True, tag="annotate"):
    """Set annotations of an object."""

    about: ClassVar[str] = "annotate an object"
    target: Target
    annotations: dict[str, str]

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The same by kubectl."""
        pairs = (f"{key}={value}" for key, value in self.annotations.items())
        return (shlex.join(("kubectl", "annotate", "--overwrite", *self.target.kubectl, *pairs)),)


class Cordon(Action, frozen=True, tag="cordon"):
    """Keep new pods off a node; one that is cordoned already stays as it is and is not ours to uncordon."""

    about: ClassVar[str] = "keep new pods off a node"
    node: str

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The same by kubectl."""
        return (shlex.join(("kubectl", "cordon", self.node)),)


class Drain(Action, frozen=True, tag="drain"):
    """Evict a node's pods through the eviction API, which heeds PodDisruptionBudgets."""

    weight: ClassVar[Weight] = "disrupts"
    about: ClassVar[str] = "evict pods from a node"
    node: str
    keep_mtu: int | None = None
    """Evict only pods whose own eth0 has another MTU than this, those of DaemonSets among them, for they are made anew
    on the same node; None: all but those of DaemonSets."""
    emptydir: bool = False
    """Evict also pods with emptyDir volumes, whose data is lost."""
    unmanaged: bool = False
    """Evict also pods that no controller makes anew."""
    timeout: float = 600.0
    """Seconds for the whole of it."""

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The same by kubectl; pods that are chosen by their MTU are named one by one."""
        if self.keep_mtu is not None:
            return (f"# on {self.node}, for each pod whose eth0 has another MTU than {self.keep_mtu}: kubectl evict",)
        flags = ["--ignore-daemonsets", f"--timeout={self.timeout:.0f}s"]
        flags += ["--delete-emptydir-data"] if self.emptydir else []
        flags += ["--force"] if self.unmanaged else []
        return (shlex.join(("kubectl", "drain", self.node, *flags)),)


class Uncordon(Action, frozen=True, tag="uncordon"):
    """Let pods onto a node again, if this run was what cordoned it."""

    about: ClassVar[str] = "let pods onto a node again"
    node: str

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The same by kubectl."""
        return (shlex.join(("kubectl", "uncordon", self.node)),)


class ReconcileFlux(Action, frozen=True, tag="reconcile-flux"):
    """Ask Flux to reconcile an object now (its requestedAt annotation)."""

    about: ClassVar[str] = "ask Flux to reconcile an object now"
    target: Target
    stamp: str
    """The value of the annotation; status.lastHandledReconcileAt repeats it once it was handled."""

    @property
    def by_hand(self) -> tuple[str, ...]:
        """The same by kubectl."""
        pair = f"{REQUESTED}={self.stamp}"
        return (shlex.join(("kubectl", "annotate", "--overwrite", *self.target.kubectl, pair)),)


class Wait(Action, frozen=True, tag="wait"):
    """Let time pass."""

    weight: ClassVar[Weight] = "nothing"
    about: ClassVar[str] = "let time pass"
    seconds: float


class Probe(Action, frozen=True, tag="probe"):
    """Look anew, without changing anything; what must be seen is the step's gate."""

    weight: ClassVar[Weight] = "nothing"
    about: ClassVar[str] = "look, and change nothing"
    node: str = ""


class Note(Action, frozen=True, tag="note"):
    """Say something to the operator."""

    weight: ClassVar[Weight] = "nothing"
    about: ClassVar[str] = "say something to the operator"
    text: str


AnyAction = (
    Run
    | RestartUnit
    | SetLinkMtu
    | WriteFile
    | RemoveFile
    | Patch
    | Annotate
    | Cordon
    | Drain
    | Uncordon
    | ReconcileFlux
    | Wait
    | Probe
    | Note
)

ACTIONS: Final[Mapping[str, type[AnyAction]]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        *(Run, RestartUnit, SetLinkMtu, WriteFile, RemoveFile, Patch, Annotate),
        *(Cordon, Drain, Uncordon, ReconcileFlux, Wait, Probe, Note),
    )
}
"""By the name that a runbook calls it."""
