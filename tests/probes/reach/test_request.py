"""One request by curl: what is said to it, and what is made of its answer."""

import asyncio
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.reach import curl
from probes.reach.request import Answer, Request
from probes.reach.sending import contexts, send
from probes.transports.local import LocalTransport
from probes.vantage import Vantage
from tests.probes.reach.test_http import serving

QUOTED = 'to"k\\en'
MARK = "underlay-curl 401 1.1 192.0.2.1 0.001 0.002 0.003 0.004 0.005 5\n"


def test_nothing_secret_stands_in_the_command() -> None:
    """URL, headers and body are read from standard input: arguments stand in lists of processes."""
    request = Request("https://example.test/x?signature=1", "2", "POST", (("Authorization", QUOTED),), "want\n")
    argv, told = curl.asking(request, 7)
    assert not any(word in " ".join(argv) for word in ("signature", QUOTED, "want"))
    assert told.splitlines() == [
        'url = "https://example.test/x?signature=1"',
        'header = "Authorization: to\\"k\\\\en"',
        'data-raw = "want\\n"',
    ]
    assert {"--max-time", "--limit-rate", "--max-filesize", "--noproxy"} <= set(argv)
    assert not {"-L", "--location", "-k", "--insecure"} & set(argv)


def test_headers_are_those_of_the_last_answer() -> None:
    """Interim answers come before it; what is kept of the body follows."""
    said = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer x\r\nA: 1\r\n\r\nbody!\n"
    found = curl.answered(Completed(("1",), 0, f"{said}{MARK}"), Request("https://x.test/", keep=100))
    assert (found.status, found.headers, found.text) == (401, {"www-authenticate": "Bearer x", "a": "1"}, "body!")
    assert found.exchange.seconds["tls"] == pytest.approx(0.001)


def test_what_curl_complains_of_is_the_reason() -> None:
    """And not the body that came before."""
    said = f"HTTP/1.1 401 -\r\nA: 1\r\n\r\nhalf a body\ncurl: (18) transfer closed\n{MARK}"
    found = curl.answered(Completed(("1",), 18, said), Request("https://x.test/", keep=100))
    assert (found.status, found.exchange.failed, found.exchange.reason) == (0, "transfer", "(18) transfer closed")
    assert found.text == "half a body"


@given(text=st.text(max_size=300), code=st.integers(0, 255))
def test_garbage_is_no_answer(text: str, code: int) -> None:
    """Whatever a curl says, there is an Answer, and it keeps no more than was asked for."""
    found = curl.answered(Completed(("1",), code, f"HTTP/1.1 {text}\n{MARK}"), Request("https://x.test/", keep=9))
    assert len(found.text) <= 9
    assert curl.answered(Completed(("1",), code, text), Request("https://x.test/")).exchange.unable


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next((int(line[16:]) for line in head.split("\r\n") if line.lower().startswith("content-length: ")), 0)
    body = await reader.readexactly(length)
    secret = next((line for line in head.split("\r\n") if line.lower().startswith("x-secret")), "")
    said = f"{head.split()[0]} {secret.partition(': ')[2]} {body.decode()}".encode()
    writer.write(b"HTTP/1.1 200 OK\r\nX-Y: z\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
    await writer.drain()


@pytest.mark.parametrize("kind", ["operator", "node"])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
async def test_both_ways_of_sending_say_the_same(kind: str, method: str) -> None:
    """httpx here and curl elsewhere send the same request and read the same answer, quotes and newlines included."""
    vantage = Vantage("operator" if kind == "operator" else "node", "x", LocalTransport())
    body = 'want "a"\n\\n' if method == "POST" else ""
    async with serving(_answer) as url:
        request = Request(url, "1.1", method, (("X-Secret", QUOTED),), body, keep=100)  # type: ignore[arg-type]
        found: Answer = (await send(vantage, {"a": request}, seconds=5, trusted=contexts([vantage])))["a"]
    assert (found.status, found.headers["x-y"], found.exchange.failed) == (200, "z", "")
    assert found.text == ("" if method == "HEAD" else f"{method} {QUOTED} {body}".rstrip("\n"))


def test_curl_is_here() -> None:
    """The tests above mean something: this machine has a curl that speaks HTTP/2."""
    assert "HTTP2" in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout
