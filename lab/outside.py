"""The world outside the demo cluster, as its nodes and pods reach it: names, servers, and what the way there does."""

import json
import ssl
import struct
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lab import fabric
from lab.commands import Call, Done
from lab.kinds import BY_KIND
from lab.pki import Authority

ADDRESS: Final = "203.0.113.80"
"""Of every host outside: a documentation range (RFC 5737), at which nobody is."""
_UNKNOWN: Final = (".invalid", ".test")
_HEADERS: Final = 52
"""IPv4, TCP and its timestamps, in bytes."""
_BODY: Final = 131072
_ARTIFACT: Final = 48213
WAIT: Final = 1.0
"""Seconds that a demo waits for what never comes, whatever the patience of whoever asks."""
_INFO: Final = struct.Struct("=8B24I")


@dataclass(frozen=True)
class Way:
    """What a way does to connections: whether they open, what they carry, and which share of packets it loses."""

    opens: bool
    carries: int
    """Bytes of the largest packet that passes."""
    loss: float = 0.0
    cancels: int = 0
    """Bytes of a body after which its HTTP/2 stream is cancelled; 0: it never is."""


def way_out(call: Call, host: str) -> Way:
    """Tell what the way from a node or pod to a host outside does."""
    size = _device(call)
    carries, loss, opens, cancels = size, 0.0, True, 0
    for path in fabric.outside_paths(call.world, call.machine.name, host):
        cancels = min(cancels or path.cancels, path.cancels or cancels)
        opens = opens and not path.blocked
        loss = 1 - (1 - loss) * (1 - path.loss)
        if not path.icmp:  # with it both ends would learn
            carries = min(carries, path.mtu)
    return Way(opens, carries, loss, cancels)


def way_in(call: Call, address: str) -> Way:
    """Tell what the way to an address within the cluster does; a service stands for the pod behind it."""
    pod = f"{call.netns.namespace}/{call.netns.pod}" if call.netns else ""
    origin = fabric.Endpoint(call.machine.name, pod)
    for each in call.world.store.objects(BY_KIND["Service"]):
        if each["spec"].get("clusterIP") == address:
            name = each["metadata"]["name"]
            found = [
                p.ip for node in call.world.nodes.values() for p in node.overlay.pods if p.pod.startswith(f"{name}-")
            ]
            address = found[0] if found else address
    if fabric.exchange(call.world, origin, address, 84).outcome != "ok":
        return Way(opens=False, carries=0)
    size = _device(call)
    whole = fabric.exchange(call.world, origin, address, size).outcome in {"ok", "told"}
    return Way(opens=True, carries=size if whole else 84)


def _device(call: Call) -> int:
    """Give the MTU of the device that it sends by."""
    return call.netns.mtu if call.netns is not None else call.machine.uplink.mtu


def is_known(call: Call, name: str) -> bool:
    """Tell whether a name outside is looked up from there."""
    return not name.endswith(_UNKNOWN) and way_out(call, "internet").opens


def is_lost(call: Call, asked: str, way: Way) -> bool:
    """Tell whether this connection meets a loss that it does not recover from in time.

    It is so of a share of all, and of the same ones each time; ``asked``: of what they are counted.
    """
    share = min(1.0, 1.5 * way.loss)
    return bool(way.loss) and _turn(call, asked) * share % 1 < share


def getent(call: Call) -> Done:
    """``getent ahosts NAME``: every name outside is known to who reaches a resolver."""
    name = call.args[-1]
    if not is_known(call, name):
        return Done(2)
    return Done(out=f"{ADDRESS}  STREAM {name}\n{ADDRESS}  DGRAM\n")


async def curl(call: Call, size: int = _BODY) -> Done:
    """``curl … URL`` with ``-w`` as underlay asks it: by one version of HTTP, phase by phase.

    ``size``: bytes of what the host answers. What curl complains of comes before what ``-w`` prints, as curl has it.
    """
    import asyncio  # noqa: PLC0415 - only what stalls waits

    args = list(call.args)
    url = urlsplit(args[-1])
    host = url.hostname or ""
    patience = float(args[args.index("--max-time") + 1])
    version = "2" if "--http2" in args and url.scheme == "https" else "1.1"
    inside = host.replace(".", "").isdigit() and host != ADDRESS
    if not inside and host.endswith(_UNKNOWN):
        return _failed(6, f"Could not resolve host: {host}", _said(0, "0", "", (0.0,) * 4, 0.002, 0))
    way = way_in(call, host) if inside else way_out(call, host)
    address = host if inside else ADDRESS
    device = _device(call)
    unlucky = is_lost(call, host, way)
    late = f"Operation timed out after {patience * 1000:.0f} milliseconds with 0 bytes received"
    if not way.opens:
        await asyncio.sleep(min(patience, WAIT))
        return _failed(28, late, _said(0, "0", "", (0.001, 0, 0, 0), patience, 0))
    if way.carries < device or unlucky:
        await asyncio.sleep(min(patience, WAIT))
        tls = url.scheme == "https"
        marks = (0.001, 0.013, 0.0, 0.0) if tls else (0.001, 0.013, 0.0, 0.02)
        return _failed(28, late, _said(0 if tls else 200, "0" if tls else "1.1", address, marks, patience, 0))
    body = _ARTIFACT if inside else size
    status = 200 if inside else 206
    marks = (0.001, 0.013, 0.031 if url.scheme == "https" else 0.0, 0.045)
    if version == "2" and 0 < way.cancels < body:
        complaint = "HTTP/2 stream 1 was not closed cleanly: CANCEL (err 8)"
        return _failed(92, complaint, _said(status, version, address, marks, 0.058, way.cancels))
    return Done(0, "\n" + _said(status, version, address, marks, 0.061, body))


def _failed(rc: int, complaint: str, said: str) -> Done:
    return Done(rc, f"curl: ({rc}) {complaint}\n\n{said}")


def _turn(call: Call, host: str) -> int:
    """Count what a place has asked of a host, so that what is lost is lost the same way each time."""
    name = f"{host}/{call.netns.name if call.netns else ''}/asked"
    call.machine.count(name)
    return call.machine.counters[name]


def _said(status: int, version: str, address: str, marks: tuple[float, ...], total: float, body: int) -> str:
    times = " ".join(f"{each:.6f}" for each in marks)
    return f"underlay-curl {status:03d} {version} {address} {times} {total:.6f} {body}\n"


async def python3(call: Call) -> Done:
    """Make the raw exchanges that underlay's script makes: python3 -I -c TEXT ASKED."""
    import asyncio  # noqa: PLC0415 - as above

    try:
        asked = json.loads(call.args[-1])
        tries = asked["tries"]
    except (ValueError, KeyError, TypeError, IndexError):
        return Done(127, err="sh: 1: python3: the demo runs no program of yours: not found\n")
    way = way_out(call, "internet") if asked["address"] == ADDRESS else way_in(call, asked["address"])
    lines = [_exchange(call, way, asked, number, each) for number, each in enumerate(tries)]
    if any(line[4] == "late" for line in lines):
        await asyncio.sleep(min(float(asked["seconds"]), WAIT))
    again = sum(_INFO.unpack(bytes.fromhex(line[6]))[-1] for line in lines if line[6])
    counted = {name: again if name == "TcpRetransSegs" else 0 for name in asked["counters"]}
    return Done(out="".join(json.dumps(each) + "\n" for each in [counted, *lines]))


def _exchange(call: Call, way: Way, asked: dict[str, Any], number: int, each: list[Any]) -> list[Any]:
    mss, _, sent = each
    device = _device(call)
    segment = min(device - _HEADERS, mss - 12 if mss else device)
    if not way.opens:
        return [number, None, None, asked["seconds"], "late", 0, "", ""]
    hello = bytes.fromhex(sent)
    tls = hello[:1] == b"\x16"
    answer = _flight(hello) if tls else b""
    share = min(1.0, 1.5 * way.loss)
    unlucky = (number * 7 + 3) % 10 < share * 10  # the same ones each time, of both segment sizes
    if segment + _HEADERS > way.carries and max(len(hello), len(answer) if tls else _BODY) > segment:
        there = len(hello) > segment
        info = _info(segment, device, unacked=int(there), again=3 * there)
        return [number, 0.012, None, asked["seconds"], "late", 0, info, ""]
    if unlucky:
        return [number, 0.012, None, asked["seconds"], "late", 0, _info(segment, device, again=2), ""]
    count = len(answer) if tls else min(asked["limit"], _BODY)
    info = _info(segment, device, again=int(way.loss > 0))
    kept = answer[: asked["kept"]].hex()
    return [number, 0.012, 0.031, 0.33, "end" if tls else "", count, info, kept]


def _info(segment: int, device: int, *, unacked: int = 0, again: int = 0) -> str:
    values = [0] * 32
    values[10], values[11], values[12] = segment, segment, unacked
    values[21], values[23], values[27], values[31] = device, 12000, device - _HEADERS, again
    return _INFO.pack(*values).hex()


@cache
def _server() -> ssl.SSLContext:
    """Make a server whose certificate names whom a client asks for; its authority is the demo's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda speaker, name, _context: setattr(
        speaker, "context", _named(name or "unnamed.example")
    )
    return context


AUTHORITY: Final = Authority()
"""Who issues the certificates of the world outside; the demo's operator trusts it."""


@cache
def _named(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["h2", "http/1.1"])
    # More names than one fill the certificate, as those of large providers are: several segments long.
    pair = AUTHORITY.issue(name, server=True, names=(name, *(f"edge-{n:02d}.cdn.example" for n in range(80))))
    with tempfile.NamedTemporaryFile() as file:  # the ssl module reads keys from files only
        Path(file.name).write_bytes(pair.certificate + AUTHORITY.certificate + pair.key)
        context.load_cert_chain(file.name)
    return context


def _flight(hello: bytes) -> bytes:
    """Give a server's first answer to a client's."""
    came, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
    came.write(hello)
    with suppress(ssl.SSLError):  # it wants more, or it does not like what it got and has said so
        _server().wrap_bio(came, answer, server_side=True).do_handshake()
    return answer.read()
