"""Raw TCP exchanges on a host: some bytes sent, what comes back counted, and what its kernel says of each connection.

Every exchange is a socket of its own, whose segment size can be set before it connects: setting it later has no effect.
"""

import struct
from typing import Final

import msgspec

from probes.model.observation import Completed
from probes.model.text import clean

KEPT: Final = 24 * 1024
"""Bytes of an answer that are brought back: more than the certificates of any server."""
COUNTERS: Final = ("TcpRetransSegs", "TcpInSegs", "TcpOutSegs", "TcpExtTCPTimeouts", "TcpExtTCPLossProbes",
                   "TcpExtTCPOFOQueue", "TcpExtTCPMTUPFail", "TcpExtTCPMTUPSuccess", "IcmpInDestUnreachs")  # fmt: skip
"""What a host counts while exchanges run, by nstat's names; of its whole network, so other traffic counts in."""
_INFO: Final = struct.Struct("=8B24I")
"""tcp_info (linux/tcp.h) up to total_retrans."""
_FIELDS: Final = {"unacked": 12, "lost": 14, "snd_mss": 10, "rcv_mss": 11, "advmss": 27, "pmtu": 21, "rtt": 23,
                  "total_retrans": 31}  # fmt: skip

_SCRIPT: Final = """\
import json, socket, sys, threading, time
asked = json.loads(sys.argv[1])
def counted():
    found = {}
    for name in ("snmp", "netstat"):
        lines = open("/proc/self/net/" + name).read().splitlines()
        for heads, values in zip(lines[::2], lines[1::2]):
            kind = heads.split(":")[0]
            for head, value in zip(heads.split()[1:], values.split()[1:]):
                found[kind + head] = int(value)
    return {name: found.get(name, 0) for name in asked["counters"]}
said = []
def exchange(number, mss, delay, sent):
    time.sleep(delay)
    wire = socket.socket(socket.AF_INET6 if ":" in asked["address"] else socket.AF_INET)
    began = time.monotonic()
    end = began + asked["seconds"]
    connected = first = None
    got, why, info = b"", "", b""
    try:
        if mss:
            wire.setsockopt(socket.IPPROTO_TCP, 2, mss)
        wire.settimeout(asked["seconds"])
        wire.connect((asked["address"], asked["port"]))
        connected = time.monotonic() - began
        wire.sendall(bytes.fromhex(sent))
        shut = False
        while len(got) < asked["limit"]:
            left = end - time.monotonic()
            if left <= 0:
                why = "late"
                break
            wire.settimeout(min(left, 0.3) if got and not shut else left)
            try:
                data = wire.recv(65536)
            except socket.timeout:
                if got and not shut:
                    wire.shutdown(socket.SHUT_WR)
                    shut = True
                continue
            if not data:
                why = "end"
                break
            if first is None:
                first = time.monotonic() - began
            got += data
    except socket.timeout:
        why = "late"
    except OSError as error:
        why = error.strerror or str(error)
    took = time.monotonic() - began
    try:
        info = wire.getsockopt(socket.IPPROTO_TCP, 11, 104)
    except OSError:
        pass
    wire.close()
    said.append([number, connected, first, took, why, len(got), info.hex(), got[: asked["kept"]].hex()])
try:
    before = counted()
except OSError:
    before = {}
running = [threading.Thread(target=exchange, args=(n, *each)) for n, each in enumerate(asked["tries"])]
for each in running:
    each.start()
for each in running:
    each.join()
print(json.dumps({name: value - before[name] for name, value in counted().items()} if before else {}))
for each in sorted(said):
    print(json.dumps(each))
"""


class Try(msgspec.Struct, frozen=True):
    """One exchange to make."""

    mss: int = 0
    """Segment size to set before connecting, which limits what is sent and what the other end sends; 0: none."""
    delay: float = 0.0
    """Seconds after the first."""
    sent: bytes = b""


class Raw(msgspec.Struct, frozen=True):
    """What became of one exchange."""

    connected: float | None = None
    """Seconds."""
    first: float | None = None
    """Seconds until the first byte came."""
    took: float = 0.0
    ended: str = ""
    """``end``: the server ended it in order; ``late``: nothing more within the time; empty: enough came; else why."""
    count: int = 0
    """Bytes received."""
    data: bytes = b""
    info: dict[str, int] = {}
    """Of tcp_info; empty where the kernel tells nothing."""


def command(python: str, address: str, port: int, tries: tuple[Try, ...], *, seconds: float, limit: int) -> list[str]:
    """Give the command that makes exchanges side by side and prints what became of each; ends by itself."""
    asked = {
        "address": address,
        "port": port,
        "seconds": seconds,
        "limit": limit,
        "kept": KEPT,
        "counters": COUNTERS,
        "tries": [[each.mss, each.delay, each.sent.hex()] for each in tries],
    }
    return [python, "-I", "-c", _SCRIPT, msgspec.json.encode(asked).decode()]


class Exchanged(msgspec.Struct, frozen=True):
    """What a host's exchanges came to."""

    raws: tuple[Raw, ...] = ()
    counters: dict[str, int] = {}
    unable: str = ""


_Line = tuple[int, float | None, float | None, float, str, int, str, str]


def parse(completed: Completed) -> Exchanged:
    """Read what the command said, standard error included."""
    if completed.missing or "not found" in completed.stdout:
        return Exchanged(unable="there is no python3 there")
    lines = completed.stdout.splitlines()
    try:
        counters = msgspec.json.decode(lines[0], type=dict[str, int])
        raws = [msgspec.json.decode(line, type=_Line) for line in lines[1:]]
        return Exchanged(tuple(map(_raw, raws)), counters)
    except (msgspec.DecodeError, IndexError, ValueError):
        said = clean(" ".join(completed.stdout.split()))[-160:]
        return Exchanged(unable=f"python3 ended with status {completed.returncode}: {said or 'it gave no reason'}")


def _raw(line: _Line) -> Raw:
    _, connected, first, took, ended, count, info, data = line
    raw = bytes.fromhex(info)
    fields = _INFO.unpack_from(raw) if len(raw) >= _INFO.size else ()
    told = {name: int(fields[at]) for name, at in _FIELDS.items()} if fields else {}
    return Raw(connected, first, took, clean(ended), count, bytes.fromhex(data), told)
