"""The programs on a node's PATH: argv in, output in the real program's format out."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from lab import files
from lab.machine import Machine, PodNetns
from lab.world import World

_ANY: Final = "0.0.0.0"  # noqa: S104 - an address as data


_CHANGING: Final = frozenset(("add", "append", "change", "del", "delete", "flush", "replace", "set"))


@dataclass(frozen=True)
class Done:
    """How a program ended."""

    rc: int = 0
    out: str = ""
    err: str = ""


@dataclass(frozen=True)
class Call:
    """A program being run on a node."""

    world: World
    machine: Machine
    argv: tuple[str, ...]
    root: bool
    netns: PodNetns | None = None
    """The pod's network namespace that it runs in, where it does."""
    stdin: str = ""

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments, without the program's name."""
        return self.argv[1:]


Program = Callable[[Call], "Done | Awaitable[Done]"]


async def run(call: Call, programs: Mapping[str, Program]) -> Done:
    """Run a program; 127 as dash words it for one that is not on the PATH."""
    name = call.argv[0].rsplit("/", 1)[-1] if call.argv else ""
    program = programs.get(name)
    if program is None:
        return Done(127, err=f"sh: 1: {call.argv[0] if call.argv else ''}: not found\n")
    if not only_reads(call.argv):
        call.machine.writes.append(call.argv)
    try:
        done = program(call)
        return done if isinstance(done, Done) else await done
    except (IndexError, KeyError, ValueError, re.error):
        return Done(255, err=f"{name}: the arguments make no sense here: {' '.join(call.args)}\n")


def value(words: list[str], name: str, default: str = "") -> str:
    """Give the word after one of an argument list, as iproute2, find and systemctl take their options."""
    return words[words.index(name) + 1] if name in words[:-1] else default


def only_reads(argv: tuple[str, ...]) -> bool:
    """Whether a command leaves its node as it is, whatever it is told to act on."""
    words = {word for word in argv[1:] if not word.startswith("-")}
    match argv[0].rsplit("/", 1)[-1]:
        case "rm" | "reboot":
            return False
        case "systemctl":
            return bool(words & {"show", "is-active", "status", "cat"})
        case "systemd-run":
            return False
        case "ethtool":
            return "-K" not in argv
        case "ip" | "bridge":
            # What is run inside a namespace is judged when it is run.
            return "exec" in words or not words & _CHANGING
    return True


def denied(call: Call) -> Done | None:
    """Refuse what needs root as the kernel does; None for root."""
    return None if call.root else Done(2, err="RTNETLINK answers: Operation not permitted\n")


def _uname(call: Call) -> Done:
    names = {"-r": call.machine.shape.kernel_release, "-n": call.machine.name, "-m": "x86_64"}
    return Done(out=" ".join(names.get(arg, "Linux") for arg in call.args or ("-s",)) + "\n")


def _id(call: Call) -> Done:
    user = "root" if call.root else call.machine.shape.user
    uid = 0 if call.root else 1000
    if call.args == ("-un",):
        return Done(out=f"{user}\n")
    if call.args == ("-u",):
        return Done(out=f"{uid}\n")
    return Done(out=f"uid={uid}({user}) gid={uid}({user}) groups={uid}({user})\n")


def _cat(call: Call) -> Done:
    out, err = "", ""
    for path in call.args:
        try:
            if not call.root and path.startswith("/var/lib/rancher/k3s/"):
                err += f"cat: {path}: Permission denied\n"
                continue
            out += files.text(call.machine, path)
        except FileNotFoundError:
            err += f"cat: {path}: No such file or directory\n"
    return Done(1 if err else 0, out, err)


def _stat(call: Call) -> Done:
    """``stat -c FORMAT PATH…`` with %Y, %n, %s and %y."""
    if len(call.args) < 2 or call.args[0] not in {"-c", "--format"}:  # noqa: PLR2004 - option and format
        return Done(1, err="stat: the demo answers only stat -c FORMAT FILE\n")
    out, err = "", ""
    for path in call.args[2:]:
        try:
            size, at = len(files.text(call.machine, path)), files.written_at(call.machine, path)
        except FileNotFoundError:
            err += f"stat: cannot statx '{path}': No such file or directory\n"
            continue
        shown = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S.000000000 +0000")
        line = call.args[1]
        for mark, value in {"%Y": str(int(at)), "%n": path, "%s": str(size), "%y": shown}.items():
            line = line.replace(mark, value)
        out += line + "\n"
    return Done(1 if err else 0, out, err)


def _grep(call: Call) -> Done:
    """``grep [-H] PATTERN PATH…`` with a basic regular expression."""
    args = [arg for arg in call.args if arg not in {"-H", "-s", "-E"}]
    pattern, paths = re.compile(args[0]), args[1:]
    named = "-H" in call.args or len(paths) > 1
    out, err = "", ""
    for path in paths:
        if path == "/dev/null":
            continue
        try:
            content = files.text(call.machine, path)
        except FileNotFoundError:
            err += "" if "-s" in call.args else f"grep: {path}: No such file or directory\n"
            continue
        found = [line for line in content.splitlines() if pattern.search(line)]
        out += "".join(f"{path}:{line}\n" if named else f"{line}\n" for line in found)
    return Done(2 if err else int(not out), out, err)


def _find(call: Call) -> Done:
    """Search for copies of subnet.env: plain files by name, each shown by ``stat`` and ``grep -H``."""
    args = list(call.args)
    roots = args[: next((n for n, arg in enumerate(args) if arg.startswith(("-", "("))), len(args))]
    depth = int(value(args, "-maxdepth") or 99)
    pattern = value(args, "-name") or "*"
    pruned = [args[n + 1] for n, arg in enumerate(args[:-1]) if arg == "-path"]
    out = ""
    for path in files.find(call.machine, roots, depth, pattern, pruned):
        if "-exec" not in args:
            out += f"{path}\n"
            continue
        out += f"{int(files.written_at(call.machine, path))} {path}\n"
        out += _grep(replace(call, argv=("grep", "-H", "^FLANNEL_", path))).out
    missing = [root for root in roots if root in {"/backup"}]
    err = "".join(f"find: '{root}': No such file or directory\n" for root in missing)
    return Done(1 if err else 0, out, err)


def _rm(call: Call) -> Done:
    err = ""
    for path in (arg for arg in call.args if not arg.startswith("-")):
        if call.machine.files.pop(path, None) is None and "-f" not in call.args:
            err += f"rm: cannot remove '{path}': No such file or directory\n"
    return Done(1 if err else 0, err=err)


def _k3s(call: Call) -> Done:
    version = call.machine.shape.k3s_version
    if call.args == ("--version",):
        return Done(out=f"k3s version {version} (24fc436e)\ngo version go1.24.6\n")
    return Done(1, err=f'time="" level=fatal msg="the demo runs no k3s {" ".join(call.args)}"\n')


def _ethtool(call: Call) -> Done:
    if len(call.args) < 2 or call.args[1] not in call.machine.kernel.links:  # noqa: PLR2004 - option, device
        return Done(75, err="netlink error: no device matches name (offset 24)\nnetlink error: No such device\n")
    features = call.machine.offloads
    if call.args[0] == "-K":
        if not call.root:
            return Done(1, err="netlink error: Operation not permitted\n")
        for name, value in zip(call.args[2::2], call.args[3::2], strict=False):
            features[name] = value == "on"
        return Done()
    checksum = "on" if features.get("tx-checksum-ip-generic", True) else "off"
    return Done(
        out=f"Features for {call.args[1]}:\nrx-checksumming: on\ntx-checksumming: {checksum}\n"
        f"\ttx-checksum-ipv4: off [fixed]\n\ttx-checksum-ip-generic: {checksum}\n\ttx-checksum-ipv6: off [fixed]\n"
        "scatter-gather: on\ntcp-segmentation-offload: on\n\ttx-tcp-segmentation: on\n"
        "generic-segmentation-offload: on\ngeneric-receive-offload: on\nlarge-receive-offload: off [fixed]\n"
        "tx-udp_tnl-segmentation: off [fixed]\ntx-udp_tnl-csum-segmentation: off [fixed]\ntx-udp-segmentation: on\n"
        "rx-udp_tunnel-port-offload: off [fixed]\nrx-gro-list: off\nrx-udp-gro-forwarding: off\n",
    )


def _ss(call: Call) -> Done:
    rows = [("127.0.0.53%lo", 53), *((_ANY, port) for port in call.machine.kernel.vxlan_ports())]
    return Done(out="".join(f"UNCONN 0      0      {address}:{port} 0.0.0.0:*\n" for address, port in rows))


def _nstat(call: Call) -> Done:
    from json import dumps  # noqa: PLC0415 - rarely asked

    return Done(out=dumps({"kernel": {k: v for k, v in call.machine.counters.items() if "/" not in k and v}}) + "\n")


def _hostname(call: Call) -> Done:
    return Done(out=f"{call.machine.name}\n")


def _true(_call: Call) -> Done:
    return Done()


PLAIN: Final[dict[str, Program]] = {
    "cat": _cat,
    "ethtool": _ethtool,
    "find": _find,
    "grep": _grep,
    "hostname": _hostname,
    "id": _id,
    "k3s": _k3s,
    "nstat": _nstat,
    "rm": _rm,
    "ss": _ss,
    "stat": _stat,
    "true": _true,
    "uname": _uname,
}
