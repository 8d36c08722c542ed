"""A git server's sshd: whether it is reached, how it greets, and whether its host key is the one Flux trusts. Pure.

Nothing is ever logged in to. bash opens the connection and reads one line; ssh-keyscan asks for host keys.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from probes.model.observation import Completed
from probes.model.reach import Attempt
from probes.model.text import clean
from probes.transports.known_hosts import REVOKED, KnownKey

PHASES: Final = ("dns", "connect", "banner")
KINDS: Final = ("ed25519", "ecdsa", "rsa")
"""Kinds of host keys that are asked for, as ssh-keyscan calls them."""
SLOW_SECONDS: Final = 3.0
Outcome = Literal[
    "ok", "not-compared", "unknown-host-key", "other-host-key", "slow", "fails", "random", "not-ssh", "unassessed"
]
_TIMED_OUT: Final = 124
_LONGEST: Final = 255
"""Of the line that a server greets with (RFC 4253 section 4.2)."""
_BASH: Final = """\
[ -n "$EPOCHREALTIME" ] || exit 127
b=$EPOCHREALTIME
read -r a _ < <(getent ahosts "$1") || exit 6
echo "dns $b $EPOCHREALTIME $a"
b=$EPOCHREALTIME
exec 3<>"/dev/tcp/$a/$2" || exit 7
echo "connect $b $EPOCHREALTIME"
b=$EPOCHREALTIME
IFS= read -r -t "$3" line <&3 || exit 8
echo "banner $b $EPOCHREALTIME ${line:0:255}"
"""


class Verdict(msgspec.Struct, frozen=True):
    """What the tries of one server from one vantage come to."""

    outcome: Outcome
    phase: str = ""
    reason: str = ""
    sent: int = 0
    lost: int = 0


def greeting(host: str, port: int, seconds: float) -> tuple[str, ...]:
    """Give the command that connects and reads the line a server greets with; ends by itself."""
    limit = f"{seconds:g}"
    return ("timeout", "-k", "1", limit, "bash", "-c", _BASH, "bash", host, str(port), limit)


def greeted(completed: Completed, seconds: float) -> Attempt:
    """Read what came of ``greeting``."""
    if completed.missing:
        return Attempt(variant="SSH", unable="there is no bash to ask with, or one older than 5")
    spent: dict[str, float] = {}
    address = banner = ""
    for line in completed.stdout.splitlines():
        word, *rest = line.split(" ", 3)
        if word in PHASES and len(rest) > 1:
            try:
                spent[word] = max(0.0, float(rest[1].replace(",", ".")) - float(rest[0].replace(",", ".")))
            except ValueError:
                continue
            address = clean(rest[2])[:60] if word == "dns" and len(rest) > 2 else address  # noqa: PLR2004 - begin, end
            banner = clean(rest[2].rstrip("\r"))[:_LONGEST] if word == "banner" and len(rest) > 2 else banner  # noqa: PLR2004
    failed = next((phase for phase in PHASES if phase not in spent), "")
    reason = ""
    if failed:
        said = [line for line in completed.stdout.splitlines() if line.partition(" ")[0] not in PHASES]
        reason = f"no end within {seconds:g} s" if completed.returncode == _TIMED_OUT else _why(said, failed)
    return Attempt(variant="SSH", seconds=spent, failed=failed, reason=reason, answer=banner, address=address)


def _why(said: Sequence[str], failed: str) -> str:
    if failed == "dns":
        return "the name does not resolve there"
    if failed == "banner":
        return "connected, and nothing greets"
    last = next((line for line in reversed(said) if line.strip()), "")
    return clean(last.rpartition(": ")[2].strip())[:120] or "no connection"


def scanning(host: str, port: int, kinds: Sequence[str], seconds: float) -> tuple[str, ...]:
    """Give the command that asks a server for its host keys."""
    return ("ssh-keyscan", "-T", str(max(1, round(seconds))), "-p", str(port), "-t", ",".join(kinds), host)


def scanned(completed: Completed) -> dict[str, str]:
    """Read ssh-keyscan's answer: kind of key -> key in base64; empty where it brought none."""
    keys = {}
    for line in completed.stdout.splitlines():
        words = line.split()
        if len(words) == 3 and not line.startswith("#") and _blob(words[2]):  # noqa: PLR2004 - host, kind, key
            keys[clean(words[1])] = words[2]
    return keys


def fingerprint(key: str) -> str:
    """Write a key as ssh does: ``SHA256:…``."""
    digest = base64.b64encode(hashlib.sha256(_blob(key)).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"


def compare(offered: Mapping[str, str], known: Sequence[KnownKey]) -> Literal["known", "unknown", "other", "revoked"]:
    """Hold the keys that a server offers against those that are trusted for it."""
    blobs = {_blob(key) for key in offered.values()}
    if any(each.marker == REVOKED and each.blob in blobs for each in known):
        return "revoked"
    trusted = [each for each in known if not each.marker]
    if any(each.blob in blobs for each in trusted):
        return "known"
    return "other" if any(each.kind in offered for each in trusted) else "unknown"


def judge(tries: Sequence[Attempt]) -> Verdict:
    """Say what the greetings of one server come to."""
    sent = [each for each in tries if not each.unable]
    if not sent:
        return Verdict("unassessed", reason=next((each.unable for each in tries), "nothing was sent"))
    lost = [each for each in sent if each.failed]
    phases = [each.failed for each in lost]
    phase = max(phases, key=phases.count) if phases else ""
    reason = next((each.reason for each in lost if each.failed == phase), "")
    found = Verdict("ok", phase, reason, len(sent), len(lost))
    if lost:
        return replace(found, outcome="fails" if len(lost) == len(sent) else "random")
    if odd := [each.answer for each in sent if not each.answer.startswith("SSH-")]:
        return replace(found, outcome="not-ssh", reason=f"what greets there is no sshd: {odd[0][:60]}")
    totals = sorted(each.total for each in sent)
    if totals[len(totals) // 2] >= SLOW_SECONDS:
        slowest = max(PHASES, key=lambda each: sum(a.seconds.get(each, 0.0) for a in sent))
        return replace(found, outcome="slow", phase=slowest)
    return found


def judge_key(found: Verdict, offered: Mapping[str, str], known: Sequence[KnownKey] | None, where: str) -> Verdict:
    """Add what its host keys say; ``known``: those trusted for it, None where nobody allowed to read them."""
    if found.outcome not in {"ok", "slow"}:
        return found
    if known is None:
        return replace(found, outcome="not-compared", reason=where)
    if not offered:
        return replace(
            found, outcome="not-compared", reason="no host key was told: there is no ssh-keyscan, or it is refused"
        )
    said = compare(offered, known)
    if said == "known":
        return found
    if said == "unknown":
        return replace(found, outcome="unknown-host-key", reason=f"{where} has no key of this server: Flux refuses it")
    kept = "revokes this server's key" if said == "revoked" else "has another key of this server"
    return replace(
        found,
        outcome="other-host-key",
        reason=f"{where} {kept}: the server has changed its key, or somebody else answers from there",
    )


def _blob(key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return b""
