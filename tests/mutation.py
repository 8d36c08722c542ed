# ruff: noqa: T201 - a command prints
"""Mutation check of the rules: `python -m tests.mutation [--module vxlan]` prints how many changes tests notice.

Every condition, number and severity in a function of probes/rules is changed, one at a time, in a process forked from
one that has imported rules and tests already; only the tests that call the changed function are run, until one fails.
"""

import argparse
import ast
import copy
import gc
import importlib
import inspect
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import pytest

from tests.mutants import Mutant, mutants_of

ROOT = Path(__file__).parent.parent
RULES = ROOT / "probes/rules"
TESTS = "tests/probes/rules"
WORKERS = 2
MINUTES = 30.0
"""After which no mutant is tried any more, unless told otherwise; those that are left count as not noticed."""
GENERATED = 30
"""Examples of each generated test: the same ones in every run, so that a score can be held against another."""
LONGEST = 20
"""Seconds of CPU time for one mutant; one that takes longer is noticed by whoever waits for it."""
NOTICED, SURVIVED = 1, 0


def function_at(module: ModuleType, qualname: str) -> FunctionType | None:
    """Find the function of a qualified name, behind a property, a class method or a cache."""
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    for wrapper in ("fget", "__func__", "__wrapped__"):
        found = getattr(found, wrapper, None) or found
    return found if isinstance(found, FunctionType) else None


def code_at(code: CodeType, qualname: str) -> CodeType:
    """Find the code of a qualified name in a module's compiled code."""
    for part in qualname.split("."):
        code = next(each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == part)
    return code


def apply(module: ModuleType, tree: ast.Module, mutant: Mutant) -> None:
    """Change one function in place, whoever has imported it, and forget what was remembered of its results."""
    changed = mutant.applied(copy.deepcopy(tree))
    function = function_at(module, mutant.function)
    assert function is not None
    function.__code__ = code_at(compile(changed, str(module.__file__), "exec"), mutant.function)
    for name, other in list(sys.modules.items()):
        if name.startswith("probes."):
            for value in vars(other).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def run(item: pytest.Item) -> None:
    """Run one test: at once where it needs no more than its parameters, else as pytest does."""
    assert isinstance(item, pytest.Function)
    needed = set(inspect.signature(item.obj).parameters)
    given = item.callspec.params if hasattr(item, "callspec") else {}
    if needed <= given.keys() and not inspect.iscoroutinefunction(item.obj):
        item.obj(**{name: given[name] for name in needed})
    else:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


class Check:
    """A pytest plugin: runs the tests once to see which function each calls, then once for every mutant."""

    def __init__(self, modules: Sequence[str], workers: int, seconds: float) -> None:
        self._workers, self._ends = workers, time.monotonic() + seconds
        self._modules = {name: importlib.import_module(f"probes.rules.{name}") for name in modules}
        self._trees = {name: ast.parse((RULES / f"{name}.py").read_text()) for name in modules}
        self._callers: dict[tuple[str, str], list[int]] = {}
        """By module and function, the tests that call it, the quickest first."""
        self.total = 0
        self.survivors: list[str] = []

    def pytest_configure(self) -> None:
        """Have generated tests take the same examples every time, however slowly a busy machine makes them."""
        from hypothesis import HealthCheck, settings  # noqa: PLC0415 - not before pytest has seen it

        every = list(HealthCheck)
        settings.register_profile(
            "mutation",
            derandomize=True,
            database=None,
            deadline=None,
            max_examples=GENERATED,
            suppress_health_check=every,
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        self._profile(session)
        if session.testsfailed:
            raise pytest.UsageError("the tests fail without any change: nothing to check")
        running: dict[int, str] = {}
        gc.freeze()
        for name, mutant in self._mutants():
            self.total += 1
            tests = self._callers.get((name, mutant.function), [])
            text = f"{name}.py:{mutant.line} {mutant.what}"
            if time.monotonic() > self._ends:
                self.survivors.append(f"{text}  (not tried: the time was up)")
                continue
            if not tests:
                self.survivors.append(f"{text}  (no test calls {mutant.function})")
                continue
            if len(running) >= self._workers:
                self._reap(running)
            pid = os.fork()
            if pid == 0:
                self._try(session, name, mutant, tests)
            running[pid] = text
        while running:
            self._reap(running)
        return True

    def _mutants(self) -> Iterator[tuple[str, Mutant]]:
        for name, tree in self._trees.items():
            for mutant in mutants_of(tree):
                if function_at(self._modules[name], mutant.function) is not None:
                    yield name, mutant

    def _profile(self, session: pytest.Session) -> None:
        files = {str(module.__file__): name for name, module in self._modules.items()}
        calls: set[tuple[str, str]] = set()

        def note(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call" and (name := files.get(frame.f_code.co_filename)) is not None:
                calls.add((name, frame.f_code.co_qualname.partition(".<")[0]))

        took: list[float] = []
        for item in session.items:
            calls.clear()
            began = time.monotonic()
            sys.setprofile(note)
            run(item)
            sys.setprofile(None)
            for call in calls:
                self._callers.setdefault(call, []).append(len(took))
            took.append(time.monotonic() - began)
        for numbers in self._callers.values():
            numbers.sort(key=took.__getitem__)

    def _try(self, session: pytest.Session, name: str, mutant: Mutant, tests: list[int]) -> None:
        """Run the tests against one mutant and end this process; it never returns."""
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - a device
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        try:
            apply(self._modules[name], self._trees[name], mutant)
            for number in tests:
                run(session.items[number])
                if session.testsfailed:
                    os._exit(NOTICED)
        except BaseException:  # noqa: BLE001 - whatever it is, somebody noticed
            os._exit(NOTICED)
        os._exit(SURVIVED)

    def _reap(self, running: dict[int, str]) -> None:
        pid, status = os.wait()
        text = running.pop(pid)
        if status == SURVIVED:
            self.survivors.append(text)


def main() -> int:
    """Print the survivors and the score."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=main.__doc__)
    parser.add_argument("--module", action="append", help="one module of probes/rules; all without it")
    parser.add_argument("--quiet", action="store_true", help="only the score of each module")
    parser.add_argument("--workers", type=int, default=WORKERS, help="how many mutants are tried at once")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which the rest counts as not noticed")
    parser.add_argument("--at-least", type=float, default=0.0, metavar="PERCENT", help="exit 1 below this score")
    arguments = parser.parse_args()
    names = arguments.module or sorted(path.stem for path in RULES.glob("*.py") if path.stem != "__init__")
    began = time.monotonic()
    check = Check(names, max(1, arguments.workers), 60 * arguments.minutes)
    ended = pytest.main(["-q", "--no-header", "--no-summary", "-p", "no:cacheprovider", TESTS], plugins=[check])
    if ended not in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        return int(ended)
    print()
    if not arguments.quiet:
        print(*sorted(check.survivors), sep="\n")
    for name in names:
        mine = sum(text.startswith(f"{name}.py:") for text in check.survivors)
        total = sum(1 for each, _ in check._mutants() if each == name)
        print(f"{name:16} {total:4} mutants, {total - mine:4} noticed")
    noticed = check.total - len(check.survivors)
    share = 100 * noticed / max(1, check.total)
    print(f"{check.total} mutants, {noticed} noticed: {share:.1f} % in {time.monotonic() - began:.0f} s")
    return int(share < arguments.at_least)


if __name__ == "__main__":
    sys.exit(main())
