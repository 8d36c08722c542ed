"""HTTP: what exchanges come to, what curl says, and this machine's own client against servers that misbehave."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.reach.client import exchange
from probes.reach.curl import command, parse
from probes.reach.fetch import shown
from probes.reach.http import Exchange, judge, may_go_on

H1, H2 = Exchange("1.1", "1.1", 200, seconds={"tls": 0.1}, body=131072), Exchange("2", "2", 200, seconds={"tls": 0.1})
H1_FAILS = Exchange("1.1", failed="tls", reason="timed out")
H2_FAILS = Exchange("2", "2", failed="transfer", reason="HTTP/2 stream 1 was not closed cleanly: CANCEL (err 8)")
SLOW = Exchange("1.1", "1.1", 200, seconds={"connect": 0.1, "first-byte": 4.0})
BUSY = Exchange("1.1", "1.1", 503)
UNABLE = Exchange("1.1", unable="there is no curl there")


@pytest.mark.parametrize(
    ("exchanges", "outcome", "phase"),
    [
        ([H1, H2, H1, H2], "ok", ""),
        ([Exchange("1.1", "1.1", 401), Exchange("2", "2", 401)], "ok", ""),
        ([H1, H2_FAILS, H1, H2_FAILS], "h2-only-fails", "transfer"),
        ([H1_FAILS, H2, H1_FAILS, H2], "h1-only-fails", "tls"),
        ([H1_FAILS, H2_FAILS, H1_FAILS], "fails", "tls"),
        ([H1, H2_FAILS, H1_FAILS, H2], "random", "transfer"),
        ([H1, H2, H1_FAILS, H2], "random", "tls"),
        ([H1, H2_FAILS, H1, H2], "random", "transfer"),
        ([H1_FAILS], "fails", "tls"),
        ([SLOW, SLOW, H1], "slow", "first-byte"),
        ([BUSY], "refused", ""),
        ([UNABLE, UNABLE], "unassessed", ""),
        ([UNABLE, H1], "ok", ""),
        ([], "unassessed", ""),
    ],
)
def test_verdicts(exchanges: Sequence[Exchange], outcome: str, phase: str) -> None:
    """Only what fails always and alone is blamed on a version; a challenge is health; nothing sent says nothing."""
    found = judge(exchanges)
    assert (found.outcome, found.phase) == (outcome, phase)


def test_full_size_segments_are_known() -> None:
    """A body of 64 KiB or more is what shows trouble with large packets."""
    assert judge([H1]).full
    assert not judge([H2]).full


def test_two_failures_are_enough() -> None:
    """A version that failed twice and never succeeded is not tried again; one that may is."""
    assert may_go_on([H1_FAILS, H2], "1.1")
    assert not may_go_on([H1_FAILS, H1_FAILS], "1.1")
    assert may_go_on([H1_FAILS, H1, H1_FAILS], "1.1")
    assert may_go_on([H1_FAILS, H1_FAILS], "2")
    assert not may_go_on([UNABLE], "1.1")


FINE = "\nunderlay-curl 206 2 198.51.100.10 0.001 0.002 0.030 0.040 0.050 131072\n"
CASES = [
    (FINE, 0, "2", "", {"dns": 0.001, "connect": 0.001, "tls": 0.028, "first-byte": 0.01, "transfer": 0.01}),
    ("curl: (6) Could not resolve host: x\nunderlay-curl 000 0  0.000 0.000 0.000 0.000 0.01 0", 6, "", "dns", {}),
    (
        "curl: (28) Connection timed out\n\nunderlay-curl 000 0  0.010 0.000 0.000 0.000 5.0 0",
        28,
        "",
        "connect",
        {"dns": 0.01},
    ),
    (
        "curl: (28) Operation timed out\n\nunderlay-curl 000 0 192.0.2.1 0.010 0.020 0.000 0.000 5.0 0",
        28,
        "",
        "tls",
        {"dns": 0.01, "connect": 0.01},
    ),
    (
        "curl: (28) Connection timed out\n\nunderlay-curl 000 0 192.0.2.1 0.010 0.000 0.000 0.000 5.0 0",
        28,
        "",
        "tls",
        {"dns": 0.01},
    ),
    (
        "curl: (60) SSL certificate problem\n\nunderlay-curl 000 1.1 192.0.2.1 0.01 0.02 0.00 0.00 0.03 0",
        60,
        "",
        "tls",
        {"dns": 0.01, "connect": 0.01},
    ),
    (
        "curl: (92) HTTP/2 stream 1 was not closed cleanly: CANCEL (err 8)\n"
        "underlay-curl 000 2 192.0.2.1 0.01 0.02 0.03 0.00 0.04 0",
        92,
        "",
        "first-byte",
        {"dns": 0.01, "connect": 0.01, "tls": 0.01},
    ),
    (
        "curl: (28) Operation timed out after 5000 milliseconds with 1 out of 2 bytes received\n"
        "underlay-curl 206 2 192.0.2.1 0.01 0.02 0.03 0.04 5.0 1",
        28,
        "2",
        "transfer",
        {"dns": 0.01, "connect": 0.01, "tls": 0.01, "first-byte": 0.01},
    ),
]


@pytest.mark.parametrize(("text", "code", "spoken", "failed", "seconds"), CASES)
def test_curl_tells_its_phase(text: str, code: int, spoken: str, failed: str, seconds: dict[str, float]) -> None:
    """Each of curl's errors is put where it happened, and the phases before it keep their times."""
    found = parse(Completed(("1",), code, text), "2", tls=True)
    assert (found.spoken, found.failed, found.unable) == (spoken, failed, "")
    assert found.seconds == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "code", "why"),
    [
        ("sh: 1: curl: not found", 127, "no curl"),
        ('exec of "curl" failed: No such file or directory', 255, "no curl"),
        ("curl: option --http2: the installed libcurl version does not support this", 2, "cannot speak HTTP/2"),
        ("Segmentation fault", 139, "curl ended with status 139: Segmentation fault"),
    ],
)
def test_a_curl_that_cannot_says_nothing_of_the_path(text: str, code: int, why: str) -> None:
    """No curl, or one without HTTP/2, is told so."""
    assert why in parse(Completed(("1",), code, text), "2", tls=True).unable


@given(text=st.text(max_size=300), code=st.integers(0, 255))
def test_garbage_is_no_answer(text: str, code: int) -> None:
    """Whatever a curl says, there is an Exchange; without its own line it says nothing of the path."""
    assert parse(Completed(("1",), code, text), "2", tls=True).unable


def test_curl_is_bounded() -> None:
    """The command carries every limit, follows no redirect and reads no configuration of the host's."""
    argv = command("https://example.test/x?y", "2", 7)
    assert argv[1] == "-q"
    assert argv[-2:] == ("--", "https://example.test/x?y")
    assert {"--max-time", "--limit-rate", "--max-filesize", "--noproxy"} <= set(argv)
    assert not {"-L", "--location", "-k", "--insecure"} & set(argv)


def test_no_secret_of_a_url_is_shown() -> None:
    """User, password and query are left out of what is printed."""
    assert shown("https://user:pass@example.test:8443/a/b?token=x#y") == "https://example.test:8443/a/b"
    assert shown("https://[2001:db8::1]/") == "https://[2001:db8::1]/"


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve on loopback; gives the URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def ask(url: str, seconds: float = 5) -> Exchange:
    return await exchange(url, "1.1", seconds=seconds, context=ssl.create_default_context())


async def test_a_ranged_body_is_taken_and_no_more() -> None:
    """A server that ignores the range and sends 10 GB is left after 128 KiB; every phase has its time."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        assert b"Range: bytes=0-131071\r\n" in asked
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n")
        for _ in range(100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()

    async with serving(handler) as url:
        found = await ask(url)
    assert (found.status, found.spoken, found.failed, found.address) == (200, "1.1", "", "127.0.0.1")
    assert 131072 <= found.body < 2**20
    assert set(found.seconds) == {"dns", "connect", "first-byte", "transfer"}


async def test_a_redirect_is_an_answer() -> None:
    """Nothing is followed, so that redirects without an end cost one request."""
    asked = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(handler) as url:
        found = await ask(url)
    assert (found.status, found.failed, asked) == (302, "", 1)


async def test_a_trickle_ends_in_time() -> None:
    """A body that comes byte by byte for ever fails in its transfer once the time is over."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(handler) as url:
        found = await ask(url, 0.3)
    assert (found.status, found.failed, found.reason) == (200, "transfer", "no end within 0.3 s")
    assert "transfer" not in found.seconds


async def test_silence_after_the_request_fails_at_the_first_byte() -> None:
    """Connected and never answered."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(handler) as url:
        found = await ask(url, 0.3)
    assert (found.failed, set(found.seconds)) == ("first-byte", {"dns", "connect"})


async def test_a_stall_at_the_certificate_fails_in_tls() -> None:
    """A server that accepts and says nothing to a ClientHello fails at tls, not before and not after."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(handler) as url:
        found = await ask(url.replace("http:", "https:"), 0.3)
    assert (found.failed, set(found.seconds)) == ("tls", {"dns", "connect"})


async def test_nobody_listening_fails_to_connect() -> None:
    """Refused is a failure of connect, with the system's words."""
    async with serving(lambda _reader, _writer: asyncio.sleep(0)) as url:
        pass
    found = await ask(url)
    assert found.failed == "connect"
    assert found.reason


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 64 + ".invalid", "a..b"])
async def test_a_name_that_does_not_resolve_fails_at_dns(host: str) -> None:
    """Unknown names and names that cannot be one fail at dns, without a traceback."""
    found = await ask(f"http://{host}/", 5)
    assert (found.failed, found.seconds) == ("dns", {})
