"""The matrix of cuts: underlay killed, SSH cut and the API down at every step of a runbook, and the run resumed.

Whatever was cut, the end is that of a run that nothing cut: each action once, counted on the nodes and in the API's
audit log, the cluster well, no lock, no cordon, no unit left. What is broken first is data, `cuts.yaml`; what came of
every cut is printed as a table. Takes a quarter of an hour.
"""

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest
import yaml

from tests.testbed import mending, outages, roads
from tests.testbed.cluster import Testbed
from tests.testbed.commands import run
from tests.testbed.faults.matrix import Matrix
from tests.testbed.repairs import CONTEXT, Operator, Running, left_in_api, left_on, starts, wait, writes

pytestmark = [pytest.mark.testbed, pytest.mark.whole]

CUT_WITHIN = 60.0
"""Seconds from a cut, or from its mending, to what comes next."""
RESTS_WITHIN = 5.0
"""Seconds in which a run rests that is paused while something is cut, unless its step still runs on a node."""
MOST_CUTS = 60
"""Of one run."""
CONTROLLERS = ("deployment-controller", "replicaset-controller", "generic-garbage-collector")
NODE_STEPS = {"run", "restart-unit", "set-link-mtu", "write-file", "remove-file"}


class Case(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A runbook, and what is broken for it."""

    runbook: str
    given: dict[str, str]
    acts: tuple[str, ...]
    """The steps that must do something."""
    inject: tuple[dict[str, Any], ...] = ()
    undo: tuple[dict[str, Any], ...] = ()


CASES = msgspec.convert(yaml.safe_load(Path(__file__).with_name("cuts.yaml").read_text()), dict[str, Case])
Cut = Callable[[Testbed, str], AbstractContextManager[None]]
KILLED = {
    "begun": "killed as its turn came",
    "sending": "killed just before it was sent",
    "sent": "killed just after it was sent",
    "happened": "killed once it was seen to have happened",
    "ended": "killed at its end",
}


@contextmanager
def ssh_cut(bed: Testbed, node: str) -> Iterator[None]:
    """Reset every connection to a node's sshd, and refuse new ones; to all nodes for what is no node's."""
    rule = ("INPUT", "-p", "tcp", "--dport", "22", "-j", "REJECT", "--reject-with", "tcp-reset")
    places = [each.name for each in bed.nodes if node in {"", each.name}]
    for place in places:
        run(roads.filtering(bed, place, ("-w", "-I", *rule)))
    try:
        yield
    finally:
        for place in places:
            run(roads.filtering(bed, place, ("-w", "-D", *rule)))


@contextmanager
def api_cut(bed: Testbed, _node: str) -> Iterator[None]:
    """End the API server; the controllers, which would look for it less and less often, begin anew afterwards."""
    with outages.api_down(bed):
        yield
    bed.plane.stop("controllers")
    bed.plane.start("controllers")


CUTS: Mapping[str, Cut] = {"SSH cut": ssh_cut, "API down": api_cut}


class Row(msgspec.Struct, frozen=True):
    """What came of one cut."""

    case: str
    step: str
    cut: str
    outcome: str


@pytest.fixture(scope="module")
def matrix() -> Iterator[Matrix]:
    """Bring up a testbed of its own, whose controllers make pods anew, and somebody who breaks it."""
    with mending.own_matrix("k") as made:
        for name in CONTROLLERS:
            role = f"--clusterrole=system:controller:{name}"
            argv = ("create", "clusterrolebinding", f"cuts-{name}", role, "--user=system:kube-controller-manager")
            made.bed.kubectl(*argv)
        yield made
        for name in CONTROLLERS:
            made.bed.kubectl("delete", "clusterrolebinding", f"cuts-{name}")


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[list[Row]]:
    """Collect the rows of the table, which is printed in the end."""
    rows: list[Row] = []
    yield rows
    widths = [max((len(getattr(row, name)) for row in rows), default=0) for name in ("case", "step", "cut")]
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print()
        for row in rows:
            cells = zip((row.case, row.step, row.cut), widths, strict=True)
            print("  ".join(text.ljust(width) for text, width in cells), row.outcome, sep="  ")


@pytest.fixture(scope="module")
def uncut(matrix: Matrix, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Give the state that a run of a case leaves which nothing cuts; taken once a case."""
    known: dict[str, dict[str, Any]] = {}

    def state(name: str) -> dict[str, Any]:
        if name not in known:
            with Taken(matrix, name, tmp_path_factory.mktemp("uncut")) as taken:
                done = taken.operator.run(*taken.begin, answers=taken.answers, seconds=180)
                assert done.returncode == 0, done.stdout + done.stderr
                known[name] = taken.ended()
        return known[name]

    return state


class Taken:
    """One run of a case, from the fault to the state in the end; afterwards the testbed is as it was."""

    def __init__(self, matrix: Matrix, name: str, home: Path) -> None:
        self.matrix = matrix
        self.bed = matrix.bed
        self.case = CASES[name]
        self.operator = Operator(self.bed, home)
        given = (f"--set={key}={value}" for key, value in self.case.given.items())
        self.begin = ("run", self.case.runbook, *given, "--unlock", CONTEXT)
        # Somebody who agrees to all that may be agreed to: what is no answer to a question is passed over.
        self.answers = "".join(f"{line}\n" for line in ("y", CONTEXT, *(each.name for each in self.bed.nodes))) * 30

    def __enter__(self) -> Self:
        self.matrix._hands.take(self.case.inject)
        self._before = {node.name: starts(self.bed, node.name) for node in self.bed.nodes}
        self._began = time.time()
        return self

    def __exit__(self, *_: object) -> None:
        self.matrix._hands.put_back()
        self.matrix._hands.take(self.case.undo)
        self.matrix.objects.forget()
        for node in self.bed.nodes:
            self.bed.run_on(node.name, ("rm", "-rf", "/var/lib/underlay"))
            self.bed.run_on(node.name, ("systemctl", "stop", "underlay-*"))  # of a run that failed
        self.bed.kubectl("delete", "lease", "-n", "kube-system", "underlay", "--ignore-not-found")
        self.bed.wait_healthy()
        mending.is_well(self.matrix)

    @property
    def resume(self) -> tuple[str, ...]:
        return ("runs", "resume", self.operator.runs[0], "--unlock", CONTEXT)

    def ended(self) -> dict[str, Any]:
        """See that each step happened once and that all is well, and give the state that the run left."""
        (name,) = self.operator.runs
        records = self.operator.journal(name)
        steps = {each["id"]: each for each in records[0]["plan"]["steps"]}
        told = [each["event"] for each in records if each["record"] == "told"]
        ended = {each["step"]: each["outcome"] for each in told if each["event"] == "step-ended"}
        assert [each for each in steps if ended[each] == "done"] == list(self.case.acts), ended
        assert self.counted(name) == dict.fromkeys(self.case.acts, 1)
        grown = {node: starts(self.bed, node) - count for node, count in self._before.items()}
        restarted = [each["node"] for each in steps.values() if each["action"]["do"] == "restart-unit"]
        assert grown == {node: restarted.count(node) for node in grown}
        mending.is_well(self.matrix)
        self.bed.wait_healthy()
        assert left_in_api(self.bed) == []
        left = {node.name: left_on(self.bed, node.name) for node in self.bed.nodes}
        assert [line for lines in left.values() for line in lines if "underlay-" in line] == []
        kept = {node: sorted(line.replace(name, "RUN") for line in lines) for node, lines in left.items()}
        return {"kept": kept, **{node.name: self._state(node.name) for node in self.bed.nodes}}

    def counted(self, name: str) -> dict[str, int]:
        """Count, by step, how often what it does was done: units that nodes started, writes that the API took."""
        records = self.operator.journal(name)
        counts: dict[str, int] = {}
        taken = [each for each in writes(self.bed, self._began) if each["responseStatus"]["code"] < 400]
        for step in (each for each in records[0]["plan"]["steps"] if each["id"] in self.case.acts):
            if step["action"]["do"] in NODE_STEPS:
                argv = ("journalctl", "-q", "-o", "cat", "--no-pager", f"UNIT=underlay-{name}-{step['id']}.service")
                lines = self.bed.run_on(step["node"], argv).stdout.splitlines()
                counts[step["id"]] = sum(line.startswith("Starting ") for line in lines)
            else:
                wanted = {"patch": "/deployments/coredns", "drain": "/eviction"}[step["action"]["do"]]
                counts[step["id"]] = sum(wanted in each["requestURI"] for each in taken)
        return counts

    def _state(self, node: str) -> dict[str, Any]:
        """Read what a node has that the runbooks change."""

        def told(*argv: str) -> str:
            return self.bed.run_on(node, argv, check=False).stdout

        def listed(*argv: str) -> list[dict[str, Any]]:
            return [each for each in json.loads(told(*argv) or "[]") if each]

        links = {each["ifname"]: each for each in listed("ip", "-j", "-d", "link", "show")}
        files = ("/run/flannel/subnet.env", "/etc/systemd/network/10-flannel.link")
        pods = [
            next(each["mtu"] for each in listed("ip", "-n", netns, "-j", "link", "show", "dev", "eth0"))
            for netns in told("ls", "/run/netns").split()
        ]
        return {
            "mtus": {name: link["mtu"] for name, link in links.items() if name in {"eth0", "flannel.1"}},
            "mac": links["flannel.1"]["address"],
            "routes": sorted(each["dst"] for each in listed("ip", "-j", "route", "show", "dev", "flannel.1")),
            "neighbors": sorted(
                f"{each['dst']} {each['lladdr']}" for each in listed("ip", "-j", "neigh", "show", "dev", "flannel.1")
            ),
            "fdb": sorted(
                f"{each['mac']} {each['dst']}"
                for each in listed("bridge", "-j", "fdb", "show", "dev", "flannel.1")
                if "dst" in each
            ),
            "files": {name: told("cat", name) for name in files},
            "drop-ins": told("sh", "-c", "cat /etc/systemd/system/k3s*.service.d/*.conf"),
            "copies": told("sh", "-c", "ls /run/flannel"),
            "pods": sorted(pods),
        }


class Followed(Running):
    """A run whose events are read beside the test, which may look at them at any time."""

    def __init__(self, running: Running) -> None:
        super().__init__(running.process)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        for _ in self._read():
            pass

    def ended(self) -> bool:
        return self.process.poll() is not None

    def stuck(self, since: int) -> bool:
        """Tell whether an event since the one of that number says that something cannot be told or does not hold."""
        for each in self.events[since:]:
            if each["event"] == "step-output" and each["text"].startswith("waiting: "):
                return True
            if each["event"] == "gate-seen" and {"unknown", "waiting"} & {e["state"] for e in each["conditions"]}:
                return True
        return False

    def rest(self) -> None:
        """Wait until what its process said has been read."""
        self._thread.join(CUT_WITHIN)


@pytest.mark.parametrize("name", CASES)
def test_killed_at_every_step(
    matrix: Matrix, name: str, uncut: Callable[[str], dict[str, Any]], table: list[Row], tmp_path: Path
) -> None:
    """Killed with -9 before, during and after every step, and resumed each time, it ends as if nothing had been."""
    wanted = uncut(name)
    seen = tmp_path / "seen"
    with Taken(matrix, name, tmp_path) as taken:
        taken.operator.cuts = {"seen": str(seen), "points": list(KILLED), "hold": False}
        done = taken.operator.run(*taken.begin, answers=taken.answers)
        for _ in range(MOST_CUTS):
            if done.returncode != -signal.SIGKILL:
                break
            done = taken.operator.run(*taken.resume, answers=taken.answers)
        assert done.returncode == 0, done.stdout + done.stderr
        assert taken.ended() == wanted
        _note(table, taken, name, [(*line.split(), KILLED) for line in seen.read_text().splitlines()])
        cuts = set(seen.read_text().splitlines())
        assert {f"{step} {point}" for step in taken.case.acts for point in KILLED} <= cuts


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", CASES)
def test_cut_at_every_step(
    matrix: Matrix, name: str, cut: str, uncut: Callable[[str], dict[str, Any]], table: list[Row], tmp_path: Path
) -> None:
    """The wire cut just before and just after every step is sent, the run paused meanwhile, and resumed."""
    wanted = uncut(name)
    seen, points = tmp_path / "seen", {"sending": f"{cut} just before it was sent", "sent": f"{cut} just after"}
    with Taken(matrix, name, tmp_path) as taken:
        taken.operator.cuts = {"seen": str(seen), "points": list(points), "hold": True}
        command, status, cuts = taken.begin, 1, 0
        while status == 1 and cuts < MOST_CUTS:
            with taken.operator.running(*command) as running:
                running.answer(taken.answers)
                status = _cut_once(Followed(running), seen, cuts, lambda step: CUTS[cut](taken.bed, taken_on(step)))
            cuts, command = len(_lines(seen)), taken.resume
        assert status == 0, (tmp_path / "said").read_text()
        assert taken.ended() == wanted
        _note(table, taken, name, [(*line.split(), points) for line in _lines(seen)])
        assert set(_lines(seen)) == {f"{step} {point}" for step in taken.case.acts for point in points}


def taken_on(step: str) -> str:
    """Name the node of a step by its id; of the API's steps none."""
    name = step.rpartition("-")[2]
    return name if name in {"boromir", "samwise", "theoden"} else ""


def _lines(seen: Path) -> list[str]:
    return seen.read_text().splitlines() if seen.exists() else []


def _cut_once(run: Followed, seen: Path, before: int, cut: Callable[[str], AbstractContextManager[None]]) -> int:
    """Wait until a run holds at its next point, cut the wire there, pause the run, and mend; gives its exit status."""
    wait(lambda: run.ended() or len(_lines(seen)) > before, "the next point, or its end", CUT_WITHIN * 2)
    if len(_lines(seen)) > before:
        told = len(run.events)
        with cut(_lines(seen)[before].split()[0]):
            Path(f"{seen}.{before + 1}").touch()
            wait(lambda: run.ended() or run.stuck(told) or len(_lines(seen)) > before + 1, "it to notice", CUT_WITHIN)
            if not run.ended():
                run.process.send_signal(signal.SIGINT)
            if len(_lines(seen)) > before + 1:
                Path(f"{seen}.{before + 2}").touch()
            # What runs on a node cannot be called back: the run rests once it is known what became of it.
            rests = time.monotonic() + RESTS_WITHIN
            wait(lambda: run.ended() or time.monotonic() > rests, "the run to rest", CUT_WITHIN)
    wait(run.ended, "the run to rest", CUT_WITHIN)
    run.rest()
    return run.process.wait()


def _note(table: list[Row], taken: Taken, name: str, cuts: list[tuple[Any, ...]]) -> None:
    """Add what came of the cuts of a run that ended well."""
    counts = taken.counted(taken.operator.runs[0])
    for step, point, words in cuts:
        count = counts.get(step)
        outcome = "resumed; nothing was to be done" if count is None else f"resumed; done {count} x"
        table.append(Row(name, step, words[point], outcome))
