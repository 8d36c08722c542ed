"""By hand: `python -m tests.testbed.faults [--id ID] [NAME…]` injects faults into a testbed that is up, and prints."""

import argparse
import sys

from tests.testbed.cluster import DEFAULT_IDENT, Testbed
from tests.testbed.faults.fault import faults, pairs
from tests.testbed.faults.judge import line, total
from tests.testbed.faults.matrix import Matrix


def main() -> int:
    """Inject the faults whose names contain one of those given; 1 if one of them was not told rightly."""
    parser = argparse.ArgumentParser(prog="python -m tests.testbed.faults", description=main.__doc__)
    parser.add_argument("--id", default=DEFAULT_IDENT, help=f"the testbed ({DEFAULT_IDENT})")
    parser.add_argument("names", nargs="*", help="parts of names of faults; none: all of them and all pairs")
    arguments = parser.parse_args()
    known = faults()
    wanted = [(each,) for name, each in known.items() if _named(name, arguments.names)]
    both = [each for each in pairs(known) if not arguments.names or _named("pair", arguments.names)]
    with Matrix(Testbed.find(arguments.id)) as matrix:
        print("healthy:", *(matrix.worst_usual or ["nothing but notes"]), *map(str, matrix.usual), sep="\n    ")
        for each in [*wanted, *both]:
            outcome = matrix.prove(*each)
            print(line(outcome), flush=True)
            if outcome.unhealed:
                break
        print(total(matrix.outcomes))
        return int(not all(each.good for each in matrix.outcomes))


def _named(name: str, parts: list[str]) -> bool:
    return not parts or any(part in name for part in parts)


if __name__ == "__main__":
    sys.exit(main())
