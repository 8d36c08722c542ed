"""The machine's Debian: its package sources, and what the testbed takes from them."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.commands import TestbedError, run

SUITE = "bookworm"
APT = Path("/etc/apt")
POLICY = Path("/usr/sbin/policy-rc.d")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
# What runs on the machine itself, by the package that brings it. None is a service.
HOST_PROGRAMS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "openssl": "openssl",
    "sysctl": "procps",
    "dpkg-source": "dpkg-dev",
    "patch": "patch",
    "make": "make",
    "rsync": "rsync",
}


@dataclass(frozen=True)
class Source:
    """Where Debian's own archive is reached from here, and the keyring that signs it ("" is apt's default)."""

    uri: str
    signed_by: str


def release() -> dict[str, str]:
    """os-release of the machine; empty where there is none."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {key: value.strip('"') for key, value in pairs}


def is_debian() -> bool:
    """Whether this machine is Debian."""
    return release().get("ID") == "debian"


def archive() -> Source:
    """Find the machine's own source of its release's main archive; TestbedError where none is configured."""
    codename = release().get("VERSION_CODENAME", SUITE)
    for fields in configured():
        suites, kinds = fields.get("suites", "").split(), fields.get("types", "").split()
        enabled = fields.get("enabled", "yes") != "no"
        if enabled and "deb" in kinds and codename in suites and "main" in fields.get("components", "").split():
            return Source(fields["uris"].split()[0], fields.get("signed-by", ""))
    raise TestbedError(f"no source of Debian {codename} main in {APT}: add the archive to sources.list")


def configured() -> Iterator[dict[str, str]]:
    """Every configured source as deb822 fields, lower-case keys, from both formats (sources.list(5))."""
    for path in sorted((APT / "sources.list.d").glob("*.sources")):
        for block in re.split(r"\n\s*\n", path.read_text()):
            lines = [line for line in block.splitlines() if not line.startswith("#")]
            pairs = (line.split(":", 1) for line in lines if re.match(r"[A-Za-z-]+:", line))
            yield {key.lower(): value.strip() for key, value in pairs}
    for path in [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.list"))]:
        for line in path.read_text().splitlines() if path.exists() else ():
            found = re.match(r"(deb|deb-src)\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s+(.*)", line)
            if found:
                kind, options, uri, suite, components = found.groups()
                signed = re.search(r"signed-by=(\S+)", options or "")
                yield {
                    "types": kind,
                    "uris": uri,
                    "suites": suite,
                    "components": components,
                    "signed-by": signed[1] if signed else "",
                }


def install_missing() -> list[str]:
    """Install the programs the machine lacks, starting no service; gives the packages installed."""
    missing = sorted({package for program, package in HOST_PROGRAMS.items() if not shutil.which(program)})
    if missing:
        with no_service_starts():
            run(("apt-get", "-qq", "update"), timeout=300, env=QUIET)
            options = ("-qq", "-y", "--no-install-recommends")
            run(("apt-get", *options, "install", *missing), timeout=900, env=QUIET)
    return missing


@contextlib.contextmanager
def no_service_starts() -> Iterator[None]:
    """Keep packages from starting services while they are installed (invoke-rc.d(8)); leaves no trace."""
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


@dataclass(frozen=True)
class Apt:
    """An apt of our own beside the machine's: same archive, with sources, nothing written below /etc/apt."""

    folder: Path

    def update(self) -> None:
        """Write its one source and fetch the lists."""
        for path in ("lists/partial", "cache/archives/partial"):
            (self.folder / path).mkdir(parents=True, exist_ok=True)
        source = archive()
        signed = f"Signed-By: {source.signed_by}\n" if source.signed_by else ""
        (self.folder / "debian.sources").write_text(
            f"Types: deb deb-src\nURIs: {source.uri}\nSuites: {SUITE}\nComponents: main\n{signed}"
        )
        self._apt("update", folder=self.folder)

    def unpack(self, packages: tuple[str, ...], root: Path) -> None:
        """Unpack binary packages below `root`, without installing them."""
        box = self.folder / "deb"
        box.mkdir(exist_ok=True)
        self._apt("download", *packages, folder=box)
        for path in sorted(box.glob("*.deb")):
            run(("dpkg-deb", "-x", str(path), str(root)), timeout=120)

    def unpack_source(self, package: str, folder: Path) -> Path:
        """Unpack a source package with Debian's patches; gives the folder of the source."""
        folder.mkdir(parents=True, exist_ok=True)
        self._apt("source", package, folder=folder)
        found = [path for path in folder.iterdir() if path.is_dir()]
        if len(found) != 1:
            raise TestbedError(f"source package {package} unpacked to {len(found)} folders in {folder}")
        return found[0]

    def _apt(self, *argv: str, folder: Path) -> None:
        options = {
            "Dir::Etc::sourcelist": self.folder / "debian.sources",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": self.folder / "lists",
            "Dir::Cache": self.folder / "cache",
            "APT::Sandbox::User": "root",
        }
        flags = [item for key, value in options.items() for item in ("-o", f"{key}={value}")]
        run(("apt-get", "-qq", *flags, *argv), timeout=900, env=QUIET, cwd=os.fspath(folder))
