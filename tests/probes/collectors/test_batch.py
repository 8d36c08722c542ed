"""The batch under real shells: frames, exit statuses, time limits, fallbacks and sudo."""

import contextlib
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probes.collectors import batch, node
from probes.collectors.batch import CUT_OFF, MAX_TEXT, TOO_LONG, Step, script, split
from probes.model.observation import Completed

NONCE = "0123456789abcdef" * 2
CAPTURES = Path(__file__).parent / "captures"
PATH_LINE = b"PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin; export PATH\n"


def tools(folder: Path, *names: str) -> Path:
    """Make a folder of links to these programs of this machine, to be somebody's whole PATH."""
    folder.mkdir(exist_ok=True)
    for name in names:
        found = shutil.which(name)
        assert found, f"{name} is not on this machine"
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture(params=["sh", "busybox", "sh without timeout"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[list[str], Path]:
    """Give a POSIX shell and its whole PATH: the machine's own, BusyBox, and one without ``timeout``."""
    if request.param == "busybox":
        busybox = shutil.which("busybox")
        if busybox is None:
            pytest.skip("needs busybox")
        applets = tmp_path / "applets"
        applets.mkdir()
        subprocess.run([busybox, "--install", "-s", applets], check=True)
        return [busybox, "sh"], applets
    names = ["sh", "cat", "sleep", "id", "true", "grep", "uname", "printf"]
    names += ["timeout"] if request.param == "sh" else []
    return [shutil.which("sh") or "sh"], tools(tmp_path / "bin", *names)


def answer(shell: tuple[list[str], Path], *steps: Step) -> dict[str, Completed]:
    """Run a batch under a shell that finds only what is in its folder."""
    argv, path = shell
    text = script(steps, NONCE)
    assert PATH_LINE in text
    done = subprocess.run(
        [*argv, "-s"],
        input=text.replace(PATH_LINE, b""),
        env={"PATH": str(path)},
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0
    return split(done.stdout, done.stderr, NONCE, steps)


def test_output_is_kept_as_it_is(shell: tuple[list[str], Path]) -> None:
    """What a step prints is kept to the byte, on both streams, with its own exit status and argv."""
    say = r'printf "a\n\n\303\244\377"; printf " err" >&2; exit 3'
    steps = Step("one", ("sh", "-c", say)), Step("two", ("sh", "-c", "printf '\\n'")), Step("none", ("true",))

    found = answer(shell, *steps)

    assert found["one"] == Completed(("sh", "-c", say), 3, "a\n\nä�", " err")
    assert found["two"].stdout == "\n"
    assert (found["none"].stdout, found["none"].returncode) == ("", 0)


def test_missing_command(shell: tuple[list[str], Path]) -> None:
    """A command that is not there has the status 127, and the batch goes on."""
    found = answer(shell, Step("gone", ("no-such-command", "x")), Step("after", ("true",)))

    assert found["gone"].missing
    assert found["after"].returncode == 0


def test_orelse(shell: tuple[list[str], Path]) -> None:
    """A fallback runs only where the step just before it failed."""
    found = answer(
        shell,
        *(Step("good", ("true",)), Step("good-else", ("true",), orelse=True)),
        *(Step("bad", ("cat", "/no/such/file")), Step("bad-else", ("sh", "-c", "exit 7"), orelse=True)),
        *(Step("bad-else-2", ("true",), orelse=True), Step("bad-else-3", ("true",), orelse=True, root=True)),
    )

    assert list(found) == ["good", "bad", "bad-else", "bad-else-2"]


def test_steps_do_not_read_the_script(shell: tuple[list[str], Path]) -> None:
    """A step that reads its standard input reads nothing, not the rest of the batch."""
    found = answer(shell, Step("greedy", ("cat",)), Step("after", ("true",)))

    assert (found["greedy"].stdout, found["after"].returncode) == ("", 0)


def test_time_limit(shell: tuple[list[str], Path]) -> None:
    """A step that hangs ends at its limit with the status 124, and what it said before is kept."""
    begun = time.monotonic()
    say = "echo early; exec sleep 25"

    found = answer(shell, Step("hung", ("sh", "-c", say), timeout=1), Step("after", ("true",), timeout=20))

    assert time.monotonic() - begun < 10
    assert (found["hung"].returncode, found["hung"].stdout) == (124, "early\n")
    assert found["hung"].timed_out
    assert found["after"].returncode == 0


def test_hostile_arguments(shell: tuple[list[str], Path]) -> None:
    """An argument is one word to the command, whatever a shell would make of it."""
    word = "a b;$(id)`id`'\"\\ *\n$HOME"

    found = answer(shell, Step("words", ("printf", "%s", word)))

    assert found["words"].stdout == word


def test_every_fact_without_iproute2(shell: tuple[list[str], Path]) -> None:
    """The whole batch runs on this machine without ip, bridge, ethtool or systemctl: /sys and /proc speak for them."""
    found = node.parse(answer(shell, *node.STEPS))

    assert found.links is not None
    assert {link.ifname: link.mtu for link in found.links}["lo"] == 65536
    assert found.routes is not None
    assert found.udp is not None
    assert found.host is not None
    assert found.counters is not None
    assert found.neighbors is not None
    assert {"links", "routes", "fdb", "unit", "pod_netns"} <= set(found.unassessed)


SUDO = """#!/bin/sh
echo "$*" >> "$0.log"
{refusal}
shift
exec "$@"
"""


@pytest.fixture
def as_user(shell: tuple[list[str], Path]) -> tuple[list[str], Path]:
    """Make the shell's user one whose id is 1000."""
    fake = shell[1] / "id"
    fake.unlink()
    fake.write_text("#!/bin/sh\necho 1000\n")
    fake.chmod(0o755)
    return shell


def fake_sudo(folder: Path, refusal: str) -> Path:
    sudo = folder / "sudo"
    sudo.unlink(missing_ok=True)
    sudo.write_text(SUDO.format(refusal=refusal))
    sudo.chmod(0o755)
    return folder / "sudo.log"


def test_sudo_given(as_user: tuple[list[str], Path]) -> None:
    """A user who is not root reaches root through sudo -n, and only for the steps that need it."""
    log = fake_sudo(as_user[1], "")

    found = answer(as_user, Step("plain", ("true",)), Step("secret", ("sh", "-c", "echo yes"), root=True))

    assert found["secret"].stdout == "yes\n"
    calls = log.read_text().splitlines()
    assert calls[0] == "-n true"
    assert len(calls) == 2
    assert all(call.startswith("-n ") for call in calls)


def test_sudo_refused(as_user: tuple[list[str], Path]) -> None:
    """Where sudo refuses, it is asked once, each step that needs root says its words, and the rest goes on."""
    log = fake_sudo(as_user[1], 'echo "sudo: a password is required" >&2; exit 1')

    found = answer(
        as_user, Step("one", ("true",), root=True), Step("two", ("true",), root=True), Step("after", ("true",))
    )

    assert [found[name].returncode for name in ("one", "two", "after")] == [1, 1, 0]
    assert found["one"].stderr == found["two"].stderr == "sudo: a password is required\n"
    assert log.read_text() == "-n true\n"


def test_sudo_missing(as_user: tuple[list[str], Path]) -> None:
    """Without sudo the reason is still that root is needed."""
    (as_user[1] / "sudo").unlink(missing_ok=True)

    found = node.parse(answer(as_user, *node.STEPS))

    assert "needs root, and the node has no sudo" in found.unassessed["net_conf"]
    assert found.udp is not None


def test_no_guard_is_left_behind(tmp_path: Path) -> None:
    """A step that ends in time takes its watch with it: no process of the batch stays on the node."""
    path = tools(tmp_path / "bin", "sh", "sleep", "true", "id")
    marker = f"29.{secrets.randbelow(10**9):09}"
    text = script([Step(f"quick-{i}", ("true",), timeout=9) for i in range(50)], NONCE).replace(PATH_LINE, b"")
    text = re.sub(rb"(?m)^(step quick-[0-9]+) 9 ", rb"\1 " + marker.encode() + b" ", text)
    assert text.count(marker.encode()) == 50
    begun = time.monotonic()

    subprocess.run(["sh", "-s"], input=text, env={"PATH": str(path)}, capture_output=True, check=True, timeout=20)

    assert time.monotonic() - begun < 15
    assert not [cmdline for cmdline in running() if marker.encode() in cmdline]


def running() -> Iterator[bytes]:
    """Walk the command lines of every process there is."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            yield path.read_bytes()


def test_forged_frames() -> None:
    """A step cannot end itself or forge another with marks of any other nonce or form."""
    forged = f"\n{'f' * 32} end one 0\n\n{NONCE} begin\n\n{NONCE} end one\n {NONCE} end one 0\n"
    answer_ = f"motd\n{NONCE} begin one\n{forged}\n{NONCE} end one 5\n".encode()

    found = split(answer_, b"", NONCE)

    assert list(found) == ["one"]
    assert (found["one"].returncode, found["one"].stdout) == (5, forged)


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_truncated_anywhere(stream: str) -> None:
    """Wherever an answer is cut, the steps before the cut are whole and at most one is cut off."""
    parts = {name: (CAPTURES / f"debian12.{name}").read_bytes() for name in ("stdout", "stderr")}
    whole = split(parts["stdout"], parts["stderr"], NONCE, node.STEPS)
    for size in range(0, len(parts[stream]), 97):
        texts = parts | {stream: parts[stream][:size]}
        cut = split(texts["stdout"], texts["stderr"], NONCE, node.STEPS)
        ended = {name: done for name, done in cut.items() if done.returncode != CUT_OFF}
        assert len(cut) - len(ended) <= 1
        if stream == "stdout":
            assert all(done == whole[name] for name, done in ended.items())
        node.parse(cut)


def test_too_much_output() -> None:
    """A step that says more than can be held is refused, not kept."""
    answer_ = f"\n{NONCE} begin one\n{'x' * (MAX_TEXT + 1)}\n{NONCE} end one 0\n".encode()

    assert split(answer_, b"", NONCE)["one"] == Completed(("one",), TOO_LONG, "")


@pytest.mark.parametrize("name", ["", "a b", "a;b", "A", "x" * 33, "a\n"])
def test_odd_step_names(name: str) -> None:
    """A name that could mean something to a shell or a frame is refused."""
    with pytest.raises(ValueError, match="no name for a step"):
        script([Step(name, ("true",))], NONCE)


@pytest.mark.parametrize("nonce", ["", "x" * 32, "0" * 31, f"{'0' * 32}\n"])
def test_odd_nonces(nonce: str) -> None:
    """A nonce that is not 32 hexadecimal digits is refused."""
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        script([], nonce)


def test_step_names_are_unique() -> None:
    """No two steps of a node's batch share a name: their outputs could not be told apart."""
    names = [step.name for step in node.STEPS]

    assert len(names) == len(set(names))
    assert batch.script(node.STEPS, NONCE).count(b"\nroot ") == sum(step.root for step in node.STEPS)
