"""A process in the operator's namespace that answers questions, one JSON line each: started once, asked often."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError

ROOT = Path(__file__).parents[3]


class Talk:
    """A conversation with one such process; ended with the `with` block."""

    def __init__(self, bed: Testbed, module: str, *arguments: str) -> None:
        self._module = module
        line = bed.operator_command((sys.executable, "-m", module, *arguments))
        self._process = subprocess.Popen(
            line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._listener.join(10)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def ask(self, question: dict[str, Any], timeout: float = 30) -> Any:
        """Put a question, give the answer; TestbedError where none comes within `timeout` seconds."""
        self.tell(question)
        return self.hear(timeout)

    def tell(self, question: dict[str, Any]) -> None:
        """Put a question whose answers come later, or never."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()

    def hear(self, timeout: float = 30) -> Any:
        """Wait for the next answer."""
        try:
            line = self._lines.get(timeout=timeout)
        except queue.Empty:
            raise TestbedError(f"{self._module} did not answer within {timeout:g} s") from None
        if not line:
            assert self._process.stderr is not None
            raise TestbedError(f"{self._module} ended: {self._process.stderr.read()[-2000:]}")
        return json.loads(line)

    def heard(self) -> list[Any]:
        """Take all answers that have come so far."""
        found = []
        while not self._lines.empty():
            found.append(self.hear(1))
        return found
