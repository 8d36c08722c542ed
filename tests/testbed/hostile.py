"""Misbehaving servers in a testbed's outside world: run as ``python -m tests.testbed.hostile KIND PORT CERT KEY``."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.testbed import topology
from tests.testbed.cluster import Testbed
from tests.testbed.commands import TestbedError

SETTINGS = bytes.fromhex("000000040000000000")
"""An empty SETTINGS frame (RFC 9113 section 6.5)."""
RESET = bytes.fromhex("00000403000000000100000008")
"""RST_STREAM of stream 1 with CANCEL (RFC 9113 sections 6.4 and 7)."""
BODY = b"x" * 131072
ADDRESS = topology.WORLD_ADDRESS


async def _h2_reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer HTTP/1.1, and cancel every stream of HTTP/2."""
    speaker = writer.get_extra_info("ssl_object")
    if speaker.selected_alpn_protocol() == "h2":
        await reader.readexactly(24)  # the client's preface
        writer.write(SETTINGS + RESET)
        await writer.drain()
        await reader.read()
        return
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(BODY), BODY))
    await writer.drain()


async def _stall(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Take a ClientHello and never send a certificate."""
    while await reader.read(4096):
        pass


async def _head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *lines: str) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write("\r\n".join(["HTTP/1.1 " + lines[0], *lines[1:], "", ""]).encode())
    await writer.drain()


async def _trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Promise a body, and send a byte of it now and then, for ever."""
    await _head(reader, writer, "200 OK", "Content-Length: 1000000")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def _circle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send everybody back to where they came from."""
    await _head(reader, writer, "302 Found", "Location: /", "Content-Length: 0", "Connection: close")


async def _huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send ten gigabytes, whatever was asked for, as long as somebody takes them."""
    await _head(reader, writer, "200 OK", "Content-Length: 10000000000")
    for _ in range(10_000_000_000 // len(BODY)):
        if writer.is_closing():
            return
        writer.write(BODY)
        await writer.drain()
        await asyncio.sleep(0)  # whoever only connects has a turn as well


_ANSWERS: Final = {
    "h2-reset": _h2_reset,
    "stall": _stall,
    "trickle": _trickle,
    "circle": _circle,
    "huge": _huge,
}


async def _serve(kind: str, port: int, certificate: str, key: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _ANSWERS[kind](reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    context = None
    if kind != "stall":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(["h2", "http/1.1"] if kind == "h2-reset" else ["http/1.1"])
    server = await asyncio.start_server(answer, ADDRESS, port, ssl=context)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


@contextmanager
def serving(bed: Testbed, kind: str, port: int) -> Iterator[str]:
    """Run one beside the outside world's own servers, as ``web.outside.test``; gives its URL."""
    pki = bed.machines.pki
    files = (str(pki.path("world", "crt")), str(pki.path("world", "key")))
    argv = bed.fabric.inside("world", (sys.executable, "-m", "tests.testbed.hostile", kind, str(port), *files))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise TestbedError(f"the server {kind} did not start")
            yield f"https://web.outside.test:{port}/"
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))
