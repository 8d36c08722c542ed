"""What is made once and kept: the nodes' root, the API server's programs, keyed by the recipe they were made by."""

import fcntl
import functools
import hashlib
import os
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import debian, state
from tests.testbed.commands import run

RECIPES = Path(__file__).parent / "recipes"
NODE_PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "sudo", "procps", "python3", "ca-certificates"),
    *("iproute2", "iptables", "ethtool", "conntrack", "iputils-ping", "iputils-tracepath", "curl", "git"),
    # of the outside world and of the pods, which boot from the same root
    *("openssl", "dnsmasq-base", "nginx-light", "fcgiwrap", "docker-registry"),
)
PLANE_PACKAGES = ("etcd-server", "kubernetes-client")
BUILD_PACKAGES = ("golang-1.19-go", "golang-1.19-src", "golang-github-modern-go-reflect2-dev")
PLANE_SOURCE = "kubernetes"
PROGRAMS = ("etcd", "kubectl", "kube-apiserver", "kube-controller-manager")


@dataclass(frozen=True)
class Made:
    """Everything cached: the folder of the nodes' root, and the folder of the control plane's programs."""

    root: Path
    programs: Path


def home() -> Path:
    """Name the cache folder: below XDG_CACHE_HOME, else ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "underlay-testbed"


def key(*parts: object) -> str:
    """Name of what a recipe makes: changes with the recipe."""
    text = repr((debian.SUITE, platform.machine(), parts))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def ensure() -> Made:
    """Everything, making what is missing (about 8 minutes on two cores the first time, nothing later)."""
    recipe = {path.name: path.read_text() for path in RECIPES.iterdir()}
    made = Made(
        root=home() / f"root-{key(NODE_PACKAGES, recipe['root.sh'], recipe['outside.sh'])}",
        programs=home() / f"plane-{key(PLANE_PACKAGES, BUILD_PACKAGES, PLANE_SOURCE, recipe['kubernetes.sh'])}",
    )
    if made.root.is_dir() and made.programs.is_dir():
        debian.install_missing()
        return made
    with locked():
        debian.install_missing()
        if not made.root.is_dir():
            make_root(made.root)
        if not made.programs.is_dir():
            make_programs(made.programs)
        if not state.present():
            prune(made)
    return made


def prune(made: Made) -> None:
    """Remove what earlier recipes made; only while no testbed is up, which may stand on it."""
    for path in home().iterdir():
        if path.is_dir() and path not in (made.root, made.programs):
            shutil.rmtree(path)


@contextmanager
def locked() -> Iterator[None]:
    """One maker at a time on this machine."""
    home().mkdir(parents=True, exist_ok=True)
    with (home() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """Give a folder to make `target` in, renamed to it when complete: what has the name is whole."""
    folder = target.with_name(f"{target.name}.draft")
    for line in reversed(Path("/proc/mounts").read_text().splitlines()):
        point = line.split()[1]
        if point.startswith(f"{folder}/"):  # debootstrap was killed while it had mounted something there
            run(("umount", "--lazy", point))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    started = time.monotonic()
    print(f"testbed: making {target} …", file=sys.stderr, flush=True)
    try:
        yield folder
        (folder / "made").rename(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"testbed: made in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def make_root(target: Path) -> None:
    """Debootstrap the nodes' root and configure it."""
    source = debian.archive()
    with draft(target) as folder:
        root = str(folder / "made")
        keyring = (f"--keyring={source.signed_by}",) if source.signed_by else ()
        include = f"--include={','.join(NODE_PACKAGES)}"
        run(
            ("debootstrap", "--variant=minbase", include, *keyring, debian.SUITE, root, source.uri),
            timeout=1200,
            env=debian.QUIET,
        )
        scripts = (str(RECIPES / "root.sh"), root, str(RECIPES / "outside.sh"))
        run(("sh", *scripts), timeout=120, env=debian.QUIET)


def make_programs(target: Path) -> None:
    """Build kube-apiserver and kube-controller-manager; take etcd and kubectl as Debian built them."""
    with draft(target) as folder:
        apt = debian.Apt(folder / "apt")
        apt.update()
        tools, made = folder / "tools", folder / "made"
        apt.unpack((*PLANE_PACKAGES, *BUILD_PACKAGES), tools)
        source = apt.unpack_source(PLANE_SOURCE, folder / "source")
        run(
            ("sh", str(RECIPES / "kubernetes.sh"), str(source), str(folder / "go"), str(tools), str(made)),
            timeout=3000,
        )
        for name in ("etcd", "kubectl"):
            shutil.copy2(tools / "usr/bin" / name, made / name)
        for name in PROGRAMS:
            run((str(made / name), *(("version", "--client") if name == "kubectl" else ("--version",))))
