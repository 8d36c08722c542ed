"""The batch: every question to a node asked in one round trip, each answer framed with its own exit status.

A script of POSIX sh goes to the standard input of ``sh -s``; it works in dash and in BusyBox ash, writes nothing on the
node, gives each step a time limit and frames what the step says by marks that hold a nonce, so that no output can
pass for a frame. Whether sudo gives root is asked once for a batch: each refusal is a line in the node's security log.
"""

import re
import shlex
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from probes.model.observation import Completed

CUT_OFF: Final = -1
"""The return code of a step whose answer ended before the step did."""
TOO_LONG: Final = -2
"""The return code of a step that said more than MAX_TEXT; its text is not kept."""
MAX_TEXT: Final = 8 * 1024 * 1024
"""Bytes: about what a node with 40,000 routes says."""

_NAME: Final = re.compile(r"[a-z0-9-]{1,32}")
_NONCE: Final = re.compile(r"[0-9a-f]{32}")

_HEADER: Final = r"""
LC_ALL=C; TZ=UTC0; export LC_ALL TZ
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin:/usr/local/bin; export PATH
rc=0; d=
u=$(id -u 2>/dev/null || echo 0)
if timeout -k 1 5 true >/dev/null 2>&1 </dev/null; then k=yes; else k=; fi
mark() { printf '\n%s %s\n' "$m" "$1"; printf '\n%s %s\n' "$m" "$1" >&2; }
guard() {
  q=$2
  trap '[ "$!" = "$q" ] || { kill -KILL "$!"; wait "$!"; }; exit 0' TERM
  sleep "$1" & wait "$!" || exit 0
  kill -TERM "$q"; sleep 1 & wait "$!"; kill -KILL "$q"
}
within() {
  if [ "$k" ]; then timeout -k 1 "$@" </dev/null; return; fi
  n=$1; shift
  "$@" </dev/null & p=$!
  guard "$n" "$p" </dev/null >/dev/null 2>&1 & g=$!
  wait "$p"; c=$?
  { kill "$g"; wait "$g"; } >/dev/null 2>&1
  return "$c"
}
privileged() {
  if [ "$u" = 0 ]; then within "$@"; return; fi
  if [ -z "$d" ]; then if e=$(within 5 sudo -n true 2>&1); then d=given; else d=refused; fi; fi
  if [ "$d" = refused ]; then printf 'sudo: %s\n' "${e#sudo: }" >&2; return 1; fi
  if [ "$k" ]; then sudo -n timeout -k 1 "$@" </dev/null; return; fi
  n=$1; shift
  within "$n" sudo -n "$@"
}
frame() {
  how=$1; name=$2; shift 2
  mark "begin $name"
  "$how" "$@"
  rc=$?
  case $rc in 137|143) rc=124;; esac
  mark "end $name $rc"
}
step() { frame within "$@"; }
root() { frame privileged "$@"; }
orelse() { [ "$rc" = 0 ] || step "$@"; }
orelse_root() { [ "$rc" = 0 ] || root "$@"; }
"""


class Step(msgspec.Struct, frozen=True):
    """One command of a batch."""

    name: str
    argv: tuple[str, ...]
    timeout: int = 5
    """Seconds."""
    root: bool = False
    """Through ``sudo -n`` where the login is not root's."""
    orelse: bool = False
    """Only where the step just before it failed."""


def script(steps: Iterable[Step], nonce: str) -> bytes:
    """Write the batch: what goes to the standard input of ``sh -s``.

    ``nonce``: 32 hexadecimal digits, new for each batch. Raises ValueError for one of another form, and for an
    odd name of a step.
    """
    if not _NONCE.fullmatch(nonce):
        raise ValueError("a batch's nonce is 32 hexadecimal digits")
    return f"m={nonce}".encode() + _body(tuple(steps))


@lru_cache(maxsize=64)
def _body(steps: tuple[Step, ...]) -> bytes:
    """Write all that follows the nonce: the same for every node, whenever it is asked."""
    lines = [_HEADER]
    for step in steps:
        if not _NAME.fullmatch(step.name):
            raise ValueError(f"{step.name!r} is no name for a step: use small letters, digits and dashes")
        verb = {
            (False, False): "step",
            (True, False): "root",
            (False, True): "orelse",
            (True, True): "orelse_root",
        }[step.root, step.orelse]
        lines.append(f"{verb} {step.name} {step.timeout} {shlex.join(step.argv)}\n")
    lines.append("exit 0\n")
    return "".join(lines).encode()


def split(stdout: bytes, stderr: bytes, nonce: str, steps: Iterable[Step] = ()) -> dict[str, Completed]:
    """Take a batch's answer apart: by step name, what each step that ran said.

    What precedes the first frame (a banner, a message of the day) is left out. A step that began and has no end, as in
    a truncated answer, has the return code CUT_OFF; one that said too much has TOO_LONG. ``steps`` gives the argv.
    """
    argvs = {step.name: step.argv for step in steps}
    errors = _frames(stderr, nonce)
    outputs: dict[str, Completed] = {}
    for name, (text, returncode) in _frames(stdout, nonce).items():
        error, _ = errors.get(name, (b"", CUT_OFF))
        if len(text) > MAX_TEXT or len(error) > MAX_TEXT:
            outputs[name] = Completed(argvs.get(name, (name,)), TOO_LONG, "")
            continue
        outputs[name] = Completed(
            argvs.get(name, (name,)),
            returncode,
            text.decode("utf-8", "replace"),
            error.decode("utf-8", "replace"),
        )
    return outputs


def _frames(stream: bytes, nonce: str) -> dict[str, tuple[bytes, int]]:
    """Find the frames of one stream: step name -> what stands between its marks, and its return code."""
    mark = re.compile(rb"\n" + nonce.encode() + rb" (?:begin ([a-z0-9-]{1,32})|end ([a-z0-9-]{1,32}) ([0-9]{1,3}))\n")
    frames: dict[str, tuple[bytes, int]] = {}
    name, start = "", 0
    for found in mark.finditer(stream):
        began, ended, returncode = found.groups()
        if name and (began is not None or ended.decode() == name):
            frames.setdefault(name, (stream[start : found.start()], CUT_OFF if began else int(returncode)))
        name, start = (began.decode(), found.end()) if began else ("", 0)
    if name:
        frames.setdefault(name, (stream[start:], CUT_OFF))
    return frames
