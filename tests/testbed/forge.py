"""Git servers that misbehave, in a testbed's outside world; run as ``-m tests.testbed.forge KIND PORT CERT KEY``.

They hand what they do well on to the outside world's own git server, which is real.
"""

import asyncio
import os
import ssl
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, cast

import h2.config
import h2.connection
import h2.events
import httpx

from tests.testbed import topology
from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError

ADDRESS: Final = topology.WORLD_ADDRESS
HOST: Final = "git.outside.test"
CANCEL: Final = 8
SHOWN: Final = 16384
PACKS: Final = "application/x-git-upload-pack-result"
ENDLESS_BLOB: Final = 10 * 2**30
BLOCK: Final = 60000
Answer = tuple[int, dict[str, str], bytes]


class Request:
    """One request as it came, whatever the version."""

    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body

    @property
    def is_pack(self) -> bool:
        """Whether it asks for a pack."""
        return self.method == "POST" and b"want " in self.body


async def forward(request: Request) -> Answer:
    """Have the real server answer."""
    told = {name: value for name, value in request.headers.items() if name in _FORWARDED}
    async with httpx.AsyncClient(verify=False, timeout=20) as client:  # noqa: S501 - it is this machine itself
        url = f"https://{ADDRESS}{request.target}"
        extensions = {"sni_hostname": HOST}
        said = await client.request(
            request.method, url, headers=told | {"host": HOST}, content=request.body, extensions=extensions
        )
    return said.status_code, {"content-type": said.headers.get("content-type", "text/plain")}, said.content


_FORWARDED: Final = frozenset({"content-type", "accept", "git-protocol", "content-encoding"})


def answer_of(kind: str, request: Request) -> Answer | None:
    """Give what a kind answers by itself; None where the real server is asked."""
    where = request.target.removeprefix("/old") if request.target.startswith("/old/") else ""
    if kind == "moved" and where:
        return 301, {"location": f"https://{HOST}{where}"}, b""
    if kind == "endless":
        return 302, {"location": request.target.replace("/x", "/x/x", 1)}, b""
    return None


PACKFILE: Final = b"000dpackfile\n"
"""What precedes a pack in protocol 2 (gitprotocol-v2)."""


def endless_pack() -> Iterator[bytes]:
    """Write a pack of one blob of 10 GiB that never ends (gitformat-pack): stored blocks of what cannot be packed."""
    yield b"PACK" + struct.pack(">II", 2, 1)
    size, first = ENDLESS_BLOB, (3 << 4) | (ENDLESS_BLOB & 15)
    size >>= 4
    head = bytearray([first | 0x80])
    while size > 127:
        head.append((size & 127) | 0x80)
        size >>= 7
    head.append(size)
    yield bytes(head) + b"\x78\x01"
    block = os.urandom(BLOCK)
    while True:
        yield b"\x00" + struct.pack("<HH", BLOCK, BLOCK ^ 0xFFFF) + block


async def _speak_h1(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        if kind in {"trickle", "huge"} and request.is_pack:
            await _pour(kind, writer)
            return
        status, told, said = answer_of(kind, request) or await forward(request)
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(said)}", *(f"{n}: {v}" for n, v in told.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode() + said)
        await writer.drain()


async def _pour(kind: str, writer: asyncio.StreamWriter) -> None:
    """Answer with a pack that never comes to its end: byte by byte, or as fast as it is taken."""
    head = f"HTTP/1.1 200 -\r\nContent-Type: {PACKS}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + PACKFILE)
    if kind == "huge":
        for piece in endless_pack():
            writer.write(b"%04x\x01" % (len(piece) + 5) + piece)  # side-band-64k, band 1
            await writer.drain()
            await asyncio.sleep(0)  # others want to be answered, too
    for byte in b"0100\x01PACK" + bytes(247):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0.2)


async def _speak_h2(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    wire = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    wire.initiate_connection()
    writer.write(wire.data_to_send())
    streams: dict[int, tuple[dict[str, str], bytearray]] = {}
    while data := await reader.read(65536):
        for event in wire.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                streams[event.stream_id or 0] = (dict(cast("list[tuple[str, str]]", event.headers)), bytearray())
            elif isinstance(event, h2.events.DataReceived):
                streams[event.stream_id or 0][1].extend(event.data or b"")
                wire.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
            elif isinstance(event, h2.events.StreamEnded):
                await _answer_h2(kind, wire, event.stream_id or 0, *streams.pop(event.stream_id or 0))
        writer.write(wire.data_to_send())
        await writer.drain()


async def _answer_h2(
    kind: str, wire: h2.connection.H2Connection, stream: int, head: dict[str, str], body: bytearray
) -> None:
    request = Request(head[":method"], head[":path"], head, bytes(body))
    status, told, said = answer_of(kind, request) or await forward(request)
    wire.send_headers(stream, [(":status", str(status)), *told.items()])
    # A fresh stream takes 65,535 bytes without a word of its receiver: all that is ever sent here is less, or cut.
    if kind == "cancel" and request.is_pack:
        wire.send_data(stream, said[:SHOWN])
        wire.reset_stream(stream, CANCEL)
        return
    wire.send_data(stream, said[: 65535 - SHOWN], end_stream=True)


async def _serve(kind: str, port: int, certificate: str, key: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speaker = writer.get_extra_info("ssl_object")
        speak = _speak_h2 if speaker.selected_alpn_protocol() == "h2" else _speak_h1
        try:
            await speak(kind, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["h2", "http/1.1"] if kind in {"cancel", "moved", "endless"} else ["http/1.1"])
    server = await asyncio.start_server(answer, ADDRESS, port, ssl=context)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


@contextmanager
def forging(bed: Testbed, kind: str, port: int) -> Iterator[str]:
    """Run one beside the outside world's own servers, as ``git.outside.test``; gives its URL."""
    pki = bed.machines.pki
    files = (str(pki.path("world", "crt")), str(pki.path("world", "key")))
    argv = bed.fabric.inside("world", (sys.executable, "-m", "tests.testbed.forge", kind, str(port), *files))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise TestbedError(f"the git server {kind} did not start")
            yield f"https://{HOST}:{port}"
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
