"""The structure holds: layers, sizes, and what start-up may import."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter import cli

ROOT = Path(__file__).parent.parent
PACKAGES = ("probes", "runbooks", "tui", "themes", "lab")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
MOST = {ast.FunctionDef: 50, ast.AsyncFunctionDef: 50, ast.ClassDef: 250}
COSTLY = ("textual", "rich", "asyncssh", "httpx", "aiohttp", "pyroute2", "kubernetes", "pydantic", "lab")


def test_layers_hold() -> None:
    """Every import contract of pyproject.toml is kept."""
    assert cli.lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def _too_long(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    if text.count("\n") > 400:
        yield f"{name}: {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        most = MOST.get(type(node))
        if most and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            if lines > most:
                yield f"{name}:{node.lineno} {node.name}: {lines} lines"


def test_nothing_is_too_long() -> None:
    """A file over 400 lines, a class over 250 or a function over 50 hides two things."""
    assert [found for path in FILES for found in _too_long(path)] == []


def _imported(*argv: str) -> set[str]:
    """List the top-level modules that a run of underlay has imported at its end."""
    script = (
        "import sys; from tui.__main__ import main\n"
        f"try: main({list(argv)!r})\n"
        "except SystemExit: pass\n"
        "print('\\n'.join({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("argv", [("--version",), ("--help",), ("status", "--help")])
def test_saying_what_it_is_costs_nothing(argv: tuple[str, ...]) -> None:
    """Version and help import no library at all, not even the event loop."""
    assert _imported(*argv).isdisjoint({*COSTLY, "asyncio", "msgspec", "yaml"})


def test_status_imports_no_interface_and_no_heavy_client() -> None:
    """A plain kubeconfig is served without the official client, and the glance without Textual."""
    missing = ("status", "--kubeconfig", "/nonexistent")
    assert _imported(*missing).isdisjoint(COSTLY)
