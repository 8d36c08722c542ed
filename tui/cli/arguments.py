"""What may be said on the command line; imports only what costs nothing."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Final, NoReturn

from tui import __version__

COMMANDS: Final = ("screen", "serve", "status", "watch", "init", "probe", "explain", "run", "runs", "runbook")
PROBES: Final = {
    "pmtu": "search the path MTU of every direction, or to the targets",
    "ping": "small and full-size packets to every place, or to the targets: what is lost, and of which",
    "mesh": "every node to every node, every pod to every pod, and the way of Flux's artifacts",
    "tcp": "the same bytes in usual and in small segments, to the Flux sources' hosts: blackhole or loss",
    "tls": "the certificates that the Flux sources' hosts or the targets show: whole, believed, how long",
    "http": "hold HTTP/1.1 against HTTP/2 for some URLs, default: those of the Flux sources",
    "git": "fetch repositories by both versions of HTTP, greet those of SSH, default: those of Flux",
    "registry": "ask registries stage by stage up to a blob, default: those that the cluster pulls from",
    "dns": "ask every resolver, CoreDNS by pod and by service, for some names",
    "pull": "pull images on the nodes of --nodes by their own containerd; writes, and so needs --write-images",
    "plan": "run a named set of probes, default: registries, API and images that pulls failed of, and Flux's own",
    "runs": "list the runs that are kept",
    "compare": "BEFORE AFTER: what a change did, of two runs that are kept (last and last-1 are names, too)",
}
TRIES: Final = {"ping": 20, "mesh": 5, "tcp": 5}
"""Attempts, where not 3."""
_EXEC: Final = re.compile(r"exec:[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9.-]{0,252}")
VANTAGES: Final = ("operator", "node", "pod", "host")

_EPILOG: Final = """\
examples:
  underlay                              the live screens, on a terminal
  underlay status                       the glance: nodes, peers, Flux, image pulls
  underlay status -o json | jq .nodes   the same, for programs (docs/status-schema.json)
  underlay watch                        print what changes, as it changes
  underlay explain flannel-mtu-mismatch what a finding means, and what repairs it
  underlay --demo                       the embedded demo cluster, healthy
  underlay --demo flannel-missing-after-upgrade status

exit status of status: 0 healthy, 1 warnings, 2 critical, 3 nothing could be assessed
"""


class Arguments(argparse.Namespace):
    """The command line, parsed."""

    command: str
    theme: str
    demo: str | None
    context: str | None
    kubeconfig: Path | None
    config: Path | None
    ssh_config: Path | None
    nodes: tuple[str, ...]
    timeout: float
    output: str
    force: bool
    for_seconds: float | None
    port: int
    user: str
    jump: str
    vantages: list[tuple[str, str]]
    code: str
    probe: str
    targets: list[str]
    senders: tuple[str, ...]
    attempts: int
    counted: bool
    """Whether a number of attempts was asked for."""
    read_secret: bool
    write_images: bool
    runbook: str
    plan: bool
    unlock: str
    break_lock: str
    acting: tuple[str, ...]
    values: list[tuple[str, str]]
    verb: str
    run_name: str


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(3, f"underlay: {message}; see underlay --help\n")


def _seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0}
    unit = next((u for u in units if text.endswith(u)), "")
    try:
        value = float(text.removesuffix(unit)) * units.get(unit, 1.0)
    except ValueError:
        value = -1.0
    if not 0 < value <= 3600:  # noqa: PLR2004 - an hour
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time limit; give seconds, as in 10, 2.5s or 1m, up to an hour"
        )
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def _vantage(text: str) -> tuple[str, str]:
    name, _, host = text.partition("=")
    if not name or not host or host.startswith("-"):
        raise argparse.ArgumentTypeError(f"{text!r} is no vantage; give NAME=HOST, as in hypervisor=pve")
    return name, host


def _senders(text: str) -> tuple[str, ...]:
    names = _names(text)
    if odd := [name for name in names if name not in VANTAGES and not _EXEC.fullmatch(name)]:
        ways = ",".join(VANTAGES)
        raise argparse.ArgumentTypeError(f"{odd[0]!r} is no vantage; give some of {ways} or exec:NAMESPACE/POD")
    return names


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() and len(text) < 4 else 0  # noqa: PLR2004 - digits
    if not 1 <= value <= 100:  # noqa: PLR2004 - polite
        raise argparse.ArgumentTypeError(f"{text!r} is no number of attempts; give 1 to 100")
    return value


def _target(text: str) -> str:
    if not text or text.startswith("-") or not text.isprintable() or len(text) > 2048 or " " in text:  # noqa: PLR2004
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no target; give a host, an address or an https:// URL")
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:  # noqa: PLR2004 - ports have 16 bits
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is no port; give a number up to 65535")
    return int(text)


def _shared() -> _Parser:
    shared = _Parser(add_help=False)
    where = shared.add_argument_group("where the cluster is")
    where.add_argument("--context", metavar="NAME", help="kubeconfig context; default: the current one")
    where.add_argument("--kubeconfig", metavar="FILE", type=Path, help="default: $KUBECONFIG, else ~/.kube/config")
    where.add_argument("--config", metavar="FILE", type=Path, help="underlay's settings; default: config.yaml")
    where.add_argument("--ssh-config", metavar="FILE", type=Path, help="in place of ~/.ssh/config, as ssh -F")
    where.add_argument("--nodes", metavar="A,B", type=_names, default=(), help="only these nodes")
    where.add_argument(
        "--timeout", metavar="TIME", type=_seconds, default=10.0, help="how long to wait for answers; default: 10s"
    )
    return shared


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    shared = _shared()
    top = _Parser(
        prog="underlay",
        description="Shows the packet path of every node of a k3s cluster beside its Flux sources.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"underlay {__version__}")
    # Taken off the command line before this parser sees it; named here for the help only.
    top.add_argument(
        "--demo", metavar="[INCIDENT [COMMAND …]]", nargs="?", help="run against the embedded demo cluster"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    screen = commands.add_parser("screen", parents=[shared], help="the live screens; what a terminal gets by itself")
    serve = commands.add_parser("serve", parents=[shared], help="the live screens in a browser, on this machine only")
    serve.add_argument("--port", metavar="N", type=_port, default=8000, help="default: 8000; 0: any that is free")
    for command in (screen, serve):
        command.add_argument(
            "--theme", metavar="NAME", default="", help="dark, light, high-contrast, colour-blind, 16, plain"
        )
    status = commands.add_parser("status", parents=[shared], help="print the state of the cluster and judge it")
    watch = commands.add_parser("watch", parents=[shared], help="print what changes, as it changes, until ctrl-c")
    for command, formats in ((status, ("table", "json")), (watch, ("text", "json"))):
        command.add_argument("-o", "--output", choices=formats, default=formats[0], help=f"default: {formats[0]}")
    watch.add_argument("--for", dest="for_seconds", metavar="TIME", type=_seconds, help="end after this time")
    explain = commands.add_parser("explain", parents=[shared], help="say what a finding means and what repairs it")
    explain.add_argument(
        "code", metavar="CODE", nargs="?", default="", help="such as vxlan-link-missing; none: list all"
    )
    init = commands.add_parser("init", parents=[shared], help="write config.yaml from what is found")
    init.add_argument("--force", action="store_true", help="write this context anew into a config.yaml that is there")
    init.add_argument("--user", metavar="NAME", default="", help="log in as, where ssh's configuration does not say")
    init.add_argument("--jump", metavar="HOST", default="", help="go by this host, as ssh -J")
    init.add_argument(
        "--vantage",
        dest="vantages",
        metavar="NAME=HOST",
        type=_vantage,
        action="append",
        default=[],
        help="a further host to probe from, such as hypervisor=pve",
    )
    _add_probe(commands, shared)
    _add_runs(commands, shared)
    return top


def _add_probe(commands: "argparse._SubParsersAction[_Parser]", shared: _Parser) -> None:
    probe = commands.add_parser(
        "probe",
        parents=[shared],
        help="send real packets from every vantage and hold the answers side by side",
        epilog="exit status: 0 all well, 1 slow or cut short but told, 2 failing, 3 nothing could be concluded",
    )
    probe.add_argument(
        "probe", choices=tuple(PROBES), help="; ".join(f"{name}: {what}" for name, what in PROBES.items())
    )
    probe.add_argument(
        "targets", metavar="TARGET", type=_target, nargs="*", help="hosts, URLs or names; default: the cluster's own"
    )
    probe.add_argument(
        "--from",
        dest="senders",
        metavar="KINDS",
        type=_senders,
        default=VANTAGES,
        help=f"some of {','.join(VANTAGES)}; default: all; host: the vantages of config.yaml; "
        "exec:NAMESPACE/POD: in a container, by the API, with its image's programs",
    )
    probe.add_argument(
        "-n", dest="attempts", metavar="N", type=_count, default=0, help="attempts each; default: 3, of ping 20"
    )
    probe.add_argument(
        "--write-images",
        action="store_true",
        help="pull: yes, write to the image store of the nodes named with --nodes; nothing else ever writes",
    )
    probe.add_argument(
        "--read-secret",
        action="store_true",
        help="git: read the known_hosts of a source's Secret, and nothing else of it",
    )
    probe.add_argument("-o", "--output", choices=("table", "json"), default="table", help="default: table")


def _value(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found or not name:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} sets nothing; give NAME=VALUE, as in soak=30s")
    return name, value


def _add_runs(commands: "argparse._SubParsersAction[_Parser]", shared: _Parser) -> None:
    run = commands.add_parser(
        "run",
        parents=[shared],
        help="repair by a runbook: shows the plan; runs it, step by confirmed step, only with --unlock CONTEXT",
        epilog="exit status: 0 completed, 1 paused or aborted, 2 failed, 3 refused",
    )
    run.add_argument("runbook", metavar="RUNBOOK", help="such as k3s-rolling-restart; `underlay runbook list`")
    run.add_argument("--plan", action="store_true", help="show the plan and nothing else")
    run.add_argument(
        "--node", dest="acting", metavar="A,B", type=_names, default=(), help="act on these, in this order"
    )
    run.add_argument(
        "--set", dest="values", metavar="NAME=VALUE", type=_value, action="append", default=[], help="set a parameter"
    )
    runs = commands.add_parser("runs", parents=[shared], help="list, show, resume or abort runs, by their journals")
    runs.add_argument("verb", choices=("list", "show", "resume", "abort"))
    runs.add_argument("run_name", metavar="RUN", nargs="?", default="", help="its name, or how it begins or ends")
    for command in (run, runs):
        command.add_argument("--unlock", metavar="CONTEXT", default="", help="allow writes, to this very context")
        command.add_argument("--break-lock", metavar="RUN", default="", help="take the lock away from this run")
        command.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: text")
    runbook = commands.add_parser("runbook", parents=[shared], help="list, show or lint runbooks")
    runbook.add_argument("verb", choices=("list", "show", "lint"))
    runbook.add_argument("run_name", metavar="NAME|FILE", nargs="?", default="")
    runbook.add_argument("-o", "--output", choices=("text", "json"), default="text", help="default: text")


def is_terminal() -> bool:
    """Tell whether there is a terminal that can show screens."""
    ends = (sys.stdin, sys.stdout)  # None where they are closed
    return all(end is not None and end.isatty() for end in ends) and os.environ.get("TERM", "dumb") != "dumb"


def parse(argv: list[str]) -> Arguments:
    """Parse a command line; ends the process with one sentence where it cannot be understood."""
    demo = None
    if argv and argv[0] == "--demo":
        argv = argv[1:]
        demo = "healthy"
        if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
            demo, argv = argv[0], argv[1:]
        argv = argv or ([] if is_terminal() else ["status"])
    if not argv and not is_terminal():
        parser().print_help()
        raise SystemExit(0)
    if not argv or (argv[0].startswith("-") and argv[0] not in {"-h", "--help", "--version"}):
        argv = ["screen", *argv]
    parsed = parser().parse_args(argv, namespace=Arguments())
    if not parsed.command:
        parser().error("no command given")
    if parsed.command == "probe":
        parsed.counted = parsed.attempts > 0
        parsed.attempts = parsed.attempts or TRIES.get(parsed.probe, 3)
    parsed.demo = demo
    return parsed
