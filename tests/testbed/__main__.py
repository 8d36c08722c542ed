"""`python -m tests.testbed up|down|status|sweep`: a cluster of namespaces by hand."""

import argparse
import sys
import time

from tests.testbed import beforehand
from tests.testbed.cluster import DEFAULT_IDENT, DEFAULT_NODES, Testbed, present, sweep
from tests.testbed.commands import TestbedError


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(prog="python -m tests.testbed", description=__doc__)
    verbs = made.add_subparsers(dest="verb", required=True)
    for verb, words in {
        "up": "bring a testbed up (what an earlier one left is swept first)",
        "down": "take it down",
        "status": "say what is up and how to use it",
    }.items():
        each = verbs.add_parser(verb, help=words)
        each.add_argument("--id", default=DEFAULT_IDENT, help="its name, a-z and 0-9 (%(default)s)")
        if verb == "up":
            each.add_argument("--nodes", type=int, default=DEFAULT_NODES, help="2 to 5 (%(default)s)")
            each.add_argument("--dual-stack", action="store_true", help="with IPv6 as well")
            each.add_argument("--owner", type=int, help="a process; when it has ended, the next `up` sweeps")
            each.add_argument("--lease-seconds", type=float, default=10.0, help="lease renewal (%(default)s)")
    each = verbs.add_parser("make", help="make what every testbed stands on, where it is not cached")
    each.add_argument("--owner", type=int, required=True, help="a process; when it has ended, this one does")
    verbs.add_parser("sweep", help="take down every testbed on this machine")
    return made


def main() -> int:
    """Run one verb; 0 done, 1 failed with a sentence."""
    asked = parser().parse_args()
    try:
        if asked.verb == "up":
            started = time.monotonic()
            bed = Testbed(asked.id, asked.nodes, asked.lease_seconds, dual_stack=asked.dual_stack)
            bed.up(asked.owner)
            print(f"{bed.describe()}up in {time.monotonic() - started:.1f} s; down: python -m tests.testbed down")
        elif asked.verb == "down":
            Testbed(asked.id).down()
        elif asked.verb == "make":
            beforehand.make(asked.owner)
        elif asked.verb == "sweep":
            print("swept:", ", ".join(sweep()) or "nothing")
        else:
            print(Testbed.find(asked.id).describe() if asked.id in present() else f"no testbed {asked.id} is up")
    except TestbedError as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
