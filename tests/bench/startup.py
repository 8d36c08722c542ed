"""Start-up: `underlay --version` against an empty Python program."""

import sys

from tests.bench.timing import by_turns, report


def main() -> None:
    """Measure and print."""
    ours = [sys.executable, "-m", "tui", "--version"]
    report(
        "start-up of --version against `python -c pass`",
        "wall <= 6",
        *by_turns(ours, [sys.executable, "-c", "pass"], 15),
    )


if __name__ == "__main__":
    main()
