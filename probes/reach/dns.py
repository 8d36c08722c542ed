"""DNS: one question as a datagram, what comes back, and what several answers come to. Pure.

The question is written and the answer read here, so that a vantage needs no resolver program and every vantage asks
the same (RFC 1035 section 4).
"""

import ipaddress
import struct
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from probes.model.observation import Completed
from probes.model.text import clean

Outcome = Literal["ok", "slow", "no-such-name", "refused", "fails", "silent", "random", "unassessed"]

SLOW_SECONDS: Final = 1.0
_A, _IN = 1, 1
_RCODES: Final = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_MAX_LABEL: Final = 63
_MAX_NAME: Final = 253
_POINTER: Final = 0xC0
_HEADER: Final = 12
_RESPONSE: Final = 0x8000
_TRUNCATED: Final = 0x0200
_ADDRESS: Final = 4

_BASH: Final = """\
exec 3<>"/dev/udp/$1/53" 4<>/dev/udp/127.0.0.1/9 || exit 9
printf "$2" | dd obs=4096 status=none >&3
b=$EPOCHREALTIME
i=$(($3 * 500))
until read -t 0 -u 3 || [ $((i -= 1)) -le 0 ]; do read -t 0.002 -u 4; done
e=$EPOCHREALTIME
a=
[ "$i" -le 0 ] || a=$(timeout 1 dd bs=65535 count=1 status=none <&3 | od -An -v -tx1)
echo "$b $e"
echo "$a"
"""
"""bash opens UDP sockets by itself. dd puts the question into one datagram, whatever bytes it has; nobody ever sends to
the second socket, so reading from it is how bash sleeps without starting a program. The time begins once dd has
ended: a little late, so that a busy node is not taken for a slow resolver."""


class Reply(msgspec.Struct, frozen=True):
    """What became of one question."""

    seconds: float | None = None
    rcode: str = ""
    """``NOERROR`` | ``NXDOMAIN`` | ``SERVFAIL`` | …; empty where nothing came."""
    addresses: tuple[str, ...] = ()
    truncated: bool = False
    refused: bool = False
    """Somebody said that nobody listens there (ICMP port unreachable)."""
    unable: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """What the replies of one resolver to one vantage come to."""

    outcome: Outcome
    reason: str = ""
    addresses: tuple[str, ...] = ()
    asked: int = 0
    answered: int = 0


def question(name: str, ident: int) -> bytes:
    """Write a question for a name's IPv4 addresses; raises ValueError for what can be no name."""
    labels = name.rstrip(".").split(".")
    try:
        raw = [label.encode("idna") if not label.isascii() else label.encode() for label in labels]
    except UnicodeError as error:
        raise ValueError(f"{name[:60]!r} is no name that DNS knows: {error}") from error
    if any(not 0 < len(label) <= _MAX_LABEL for label in raw) or sum(map(len, raw)) + len(raw) > _MAX_NAME:
        raise ValueError(f"{name[:60]!r} is no name that DNS knows: its parts have 1 to 63 letters, all together 253")
    asked = b"".join(bytes((len(label),)) + label for label in raw) + b"\0"
    return struct.pack(">6H", ident, 0x0100, 1, 0, 0, 0) + asked + struct.pack(">2H", _A, _IN)


def answer(datagram: bytes, ident: int) -> Reply:
    """Read a datagram; one that is no answer to the question is as if nothing had come."""
    if len(datagram) < _HEADER:
        return Reply()
    got, flags, questions, answers, _, _ = struct.unpack_from(">6H", datagram)
    if got != ident or not flags & _RESPONSE:
        return Reply()
    try:
        addresses = _addresses(datagram, questions, answers)
    except (IndexError, struct.error):
        addresses = ()
    return Reply(
        rcode=_RCODES.get(flags & 15, f"RCODE{flags & 15}"), addresses=addresses, truncated=bool(flags & _TRUNCATED)
    )


def _addresses(datagram: bytes, questions: int, answers: int) -> tuple[str, ...]:
    at = _HEADER
    for _ in range(min(questions, 4)):
        at = _skip_name(datagram, at) + 4
    found = []
    for _ in range(min(answers, 64)):
        at = _skip_name(datagram, at)
        kind, family, _, length = struct.unpack_from(">2HIH", datagram, at)
        at += 10
        if (kind, family, length) == (_A, _IN, _ADDRESS) and at + _ADDRESS <= len(datagram):
            found.append(str(ipaddress.IPv4Address(datagram[at : at + _ADDRESS])))
        at += length
    return tuple(sorted(found))


def _skip_name(datagram: bytes, at: int) -> int:
    while length := datagram[at]:
        if length & _POINTER == _POINTER:
            return at + 2
        at += length + 1
    return at + 1


def command(resolver: str, name: str, ident: int, seconds: int) -> tuple[str, ...]:
    """Give the command that asks a resolver and prints the answer in hexadecimal; ends by itself."""
    octets = "".join(f"\\x{octet:02x}" for octet in question(name, ident))
    return "bash", "-c", _BASH, "bash", str(ipaddress.ip_address(resolver)), octets, str(seconds)


def parse(completed: Completed, ident: int) -> Reply:
    """Read what the command said, standard error included."""
    text = completed.stdout
    if completed.missing or "No such file or directory" in text:
        return Reply(unable="there is no bash to ask with")
    refused = "Connection refused" in text
    unreachable = "unreachable" in text or "No route to host" in text
    lines = [line for line in text.splitlines() if line and "dd:" not in line and "bash:" not in line]
    try:
        began, ended = (float(each) for each in lines[0].split())
        datagram = bytes.fromhex("".join(lines[1:]))
    except (ValueError, IndexError):
        if refused or unreachable:
            return Reply(refused=True)
        return Reply(
            unable=f"the question could not be sent: {clean(' '.join(text.split()))[:120] or 'no reason given'}"
        )
    if refused and not datagram:
        return Reply(refused=True)
    reply = answer(datagram, ident)
    return msgspec.structs.replace(reply, seconds=max(0.0, ended - began)) if reply.rcode else reply


def judge(replies: Sequence[Reply]) -> Verdict:
    """Say what replies come to."""
    sent = [each for each in replies if not each.unable]
    if not sent:
        return Verdict("unassessed", reason=next((each.unable for each in replies), "nothing was asked"))
    told = [each for each in sent if each.rcode]
    found = Verdict("ok", addresses=told[-1].addresses if told else (), asked=len(sent), answered=len(told))
    replace = msgspec.structs.replace
    if not told:
        if any(each.refused for each in sent):
            return replace(found, outcome="refused", reason="nobody listens there, or there is no way to it")
        return replace(found, outcome="silent", reason="no answer in time: dropped on the way, or nobody is there")
    rcodes = {each.rcode for each in told}
    if rcodes == {"NXDOMAIN"}:
        return replace(found, outcome="no-such-name", reason="it says that there is no such name")
    if failing := rcodes - {"NOERROR", "NXDOMAIN"}:
        outcome: Outcome = "random" if "NOERROR" in rcodes else "fails"
        return replace(found, outcome=outcome, reason=f"it answers {sorted(failing)[0]}")
    if len(told) < len(sent):
        return replace(found, outcome="random", reason=f"{len(sent) - len(told)} of {len(sent)} questions were lost")
    times = sorted(each.seconds or 0.0 for each in told)
    return replace(found, outcome="slow") if times[len(times) // 2] >= SLOW_SECONDS else found
