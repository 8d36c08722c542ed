"""bash as far as a question of DNS needs it: one datagram to /dev/udp/RESOLVER/53, and the answer in hexadecimal."""

import asyncio
import struct
import time
from typing import Final

from lab import fabric, greeting
from lab.commands import Call, Done
from lab.kinds import BY_KIND
from lab.outside import ADDRESS

_MARK: Final = "/dev/udp/$1/53"
_SMALL: Final = 128
_DOMAIN: Final = "cluster.local"
_ANSWER: Final = {"kubernetes.default.svc.cluster.local": "10.43.0.1"}
_NXDOMAIN: Final = 3
_HEADER: Final = 12


async def bash(call: Call) -> Done:
    """Answer ``bash -c TEXT bash RESOLVER QUESTION SECONDS``, or greet a sshd; no other use of bash is known here."""
    if len(call.args) == 6 and greeting.MARK in call.args[1]:  # noqa: PLR2004 - as above
        return await greeting.greet(call)
    if len(call.args) != 6 or _MARK not in call.args[1]:  # noqa: PLR2004 - as above
        return Done(127, err="bash: the demo runs no shell text of yours: not found\n")
    resolver, question, seconds = call.args[3], call.args[4], float(call.args[5])
    began = time.time()
    if not _reached(call, resolver):
        await asyncio.sleep(seconds)
        return Done(out=f"{began} {time.time()}\n\n")
    raw = bytes(int(part[:2], 16) for part in question.split("\\x")[1:])
    return Done(out=f"{began} {time.time()}\n{_reply(raw).hex(' ')}\n")


def _reached(call: Call, resolver: str) -> bool:
    """Tell whether a resolver is reached: a service by any pod behind it, as kube-proxy would choose one."""
    pod = f"{call.netns.namespace}/{call.netns.pod}" if call.netns else ""
    origin = fabric.Endpoint(call.machine.name, pod)
    services = call.world.store.objects(BY_KIND["Service"])
    served = {each["spec"].get("clusterIP") for each in services if each["metadata"]["name"] == "kube-dns"}
    if resolver in served:
        pods = [p.ip for node in call.world.nodes.values() for p in node.overlay.pods if p.pod.startswith("coredns-")]
        return any(_there(call, origin, ip) for ip in pods)
    return _there(call, origin, resolver)


def _there(call: Call, origin: fabric.Endpoint, address: str) -> bool:
    return fabric.exchange(call.world, origin, address, _SMALL).outcome == "ok"


def _reply(question: bytes) -> bytes:
    """Write the answer to a question for a name's IPv4 addresses (RFC 1035 section 4)."""
    name, at = _name(question)
    known = _ANSWER.get(name) or ("" if name.endswith(_DOMAIN) else ADDRESS)
    ident = question[:2]
    flags = 0x8180 | (0 if known else _NXDOMAIN)
    head = ident + struct.pack(">5H", flags, 1, int(bool(known)), 0, 0)
    asked = question[_HEADER : at + 4]
    record = struct.pack(">3HIH", 0xC00C, 1, 1, 30, 4) + bytes(map(int, known.split("."))) if known else b""
    return head + asked + record


def _name(question: bytes) -> tuple[str, int]:
    labels, at = [], _HEADER
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    return ".".join(labels).lower(), at + 1
