"""known_hosts as we read it, held against `ssh-keygen -F` on the same files."""

import base64
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.transports.base import ConfigRefused
from probes.transports.known_hosts import AUTHORITY, REVOKED, KnownHosts, read_revoked


def key(number: int) -> str:
    """Write an ed25519 key that is well formed."""
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + bytes([number]) * 32
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def found_by_ssh(path: Path, name: str) -> list[int]:
    """Line numbers that ssh-keygen finds for a name."""
    said = subprocess.run(["ssh-keygen", "-F", name, "-f", str(path)], check=False, capture_output=True, text=True)
    return [int(number) for number in re.findall(r"^# Host .* found: line (\d+)", said.stdout, re.MULTILINE)]


@pytest.mark.usefixtures("_ssh")
def test_lookup_as_ssh(tmp_path: Path) -> None:
    """Plain, listed, wildcard, negated, bracketed and hashed names are found as ssh-keygen finds them."""
    path = tmp_path / "known"
    lines = [
        f"one {key(1)} a comment",
        f"two,three,10.0.0.3 {key(2)}",
        f"*.example,!bad.example {key(3)}",
        f"[one]:2222 {key(4)}",
        "# comment",
        "",
        f"ONE.Upper {key(5)}",
        f"node? {key(6)}",
        "broken line",
        f"@cert-authority *.ca {key(7)}",
        f"@revoked gone {key(8)}",
    ]
    path.write_text("\n".join(lines) + "\n")
    names = [
        "one",
        "two",
        "three",
        "10.0.0.3",
        "a.example",
        "bad.example",
        "[one]:2222",
        "one.upper",
        "node1",
        "node12",
    ]
    for hashed in (False, True):
        known = KnownHosts.read([path])
        for name in (*names, "x.ca", "gone", "nobody"):
            assert sorted(k.line for k in known.lookup(name)) == found_by_ssh(path, name), (name, hashed)
        path.write_text(path.read_text().replace("broken line", "# broken line"))
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(path)], check=True, capture_output=True)


def test_markers(tmp_path: Path) -> None:
    """Markers are kept; an unknown marker makes a line that counts for nothing."""
    path = tmp_path / "known"
    path.write_text(f"@revoked h {key(1)}\n@cert-authority h {key(2)}\n@other h {key(3)}\nh {key(4)}\n")
    assert [k.marker for k in KnownHosts.read([path]).lookup("h")] == [REVOKED, AUTHORITY, ""]


def test_ports(tmp_path: Path) -> None:
    """A host on another port is looked up with it, then without; revoked keys count under both names."""
    path = tmp_path / "known"
    path.write_text(f"h {key(1)}\n[h]:99 {key(2)}\n@revoked h {key(3)}\n@revoked [h]:98 {key(4)}\n")
    known = KnownHosts.read([path])
    assert [k.line for k in known.of_host("h", 22)] == [1, 3]
    assert [k.line for k in known.of_host("h", 99)] == [2, 3]
    assert [k.line for k in known.of_host("h", 98)] == [4, 1, 3]
    assert [k.line for k in known.of_host("x", 99, "h")] == [1, 3]


def test_files(tmp_path: Path) -> None:
    """Missing files are empty; one that cannot be read is refused by name, as are revoked keys that are not there."""
    assert KnownHosts.read([tmp_path / "none"]).lookup("h") == []
    with pytest.raises(ConfigRefused, match="cannot read known host keys: Is a directory"):
        KnownHosts.read([tmp_path])
    with pytest.raises(ConfigRefused, match="cannot read RevokedHostKeys"):
        read_revoked(tmp_path / "none")


@given(st.text(max_size=300))
def test_garbage(content: str) -> None:
    """Any text is taken in without an error, and an odd key is only one that matches nothing."""
    known = KnownHosts()
    known.add(content, "f")
    known.add("|1|" + content, "f")
    for found in known.lookup("h"):
        assert isinstance(found.blob, bytes)


def test_a_large_file_is_read_fast(tmp_path: Path) -> None:
    """5,000 lines are read, and 5,000 hosts looked up, in less than a second of processor time."""
    path = tmp_path / "known"
    path.write_text("".join(f"node{i},10.{i // 250}.{i % 250}.1 {key(i % 16)}\n" for i in range(5000)))
    started = time.process_time()
    known = KnownHosts.read([path])
    assert all(len(known.of_host(f"node{i}", 22)) == 1 for i in range(5000))
    assert time.process_time() - started < 1
