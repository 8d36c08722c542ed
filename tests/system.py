"""The programs that tests drive beside our own: installed from Debian's packages, where we are root on Debian."""

import os
import shutil
import sys
from collections.abc import Mapping

from tests.testbed import debian
from tests.testbed.commands import run

PROGRAMS: Mapping[str, str] = {
    "busybox": "busybox",  # the batch runs under its shell and with its tools
    "ethtool": "ethtool",
    "sudo": "sudo",
    "sshd": "openssh-server",  # real host keys, logins and jump hosts, on loopback
    "ssh": "openssh-client",
    "kubectl": "kubernetes-client",  # a client nobody here wrote, against the demo cluster
    "tmux": "tmux",  # real terminals
    "pgrep": "procps",
}


def missing() -> list[str]:
    """List the packages of programs that are not there."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None})


def main() -> int:
    """Install what is missing, starting no service; elsewhere say what tests will skip for."""
    packages = missing()
    if not packages:
        return 0
    if os.geteuid() != 0 or not debian.is_debian():
        print(f"not installed, so that tests skip: {', '.join(packages)}")
        return 0
    with debian.no_service_starts():
        run(("apt-get", "-qq", "update"), timeout=300, env=debian.QUIET)
        run(("apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages), timeout=900, env=debian.QUIET)
    return 0


if __name__ == "__main__":
    sys.exit(main())
