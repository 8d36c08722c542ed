"""Every benchmark, one after the other; each prints its own lines, with what was aimed at."""

import subprocess
import sys
import time
from importlib.util import find_spec

BENCHES = ("startup", "status", "fanout", "decode", "diagnosis", "table", "tui", "fault_to_pixel", "probes")


def main() -> int:
    """Run all, or those named on the command line; a bench that fails fails the run, after the others."""
    failed = []
    for name in sys.argv[1:] or BENCHES:
        if find_spec(f"tests.bench.{name}") is None:
            print(f"there is no bench {name}; there are {', '.join(BENCHES)}")
            return 2
        print(f"== {name}", flush=True)
        began = time.monotonic()
        if subprocess.run([sys.executable, "-m", f"tests.bench.{name}"], check=False, timeout=1800).returncode:
            failed.append(name)
        print(f"   took {time.monotonic() - began:.0f} s", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
