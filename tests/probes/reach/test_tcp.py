"""The control experiment: what tries of two segment sizes come to, and the bytes that they are made of."""

import asyncio
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.reach import raw
from probes.reach.hello import Hello
from probes.reach.raw import Try
from probes.reach.tcp import Tried, judge

FULL = {"connected": True, "sent_through": True, "complete": True, "count": 5000, "segment": 1448}


def usual(**more: object) -> Tried:
    return Tried(**{"small": False, **FULL, **more})  # type: ignore[arg-type]


def small(**more: object) -> Tried:
    return Tried(**{"small": True, **FULL, "segment": 1188, **more})  # type: ignore[arg-type]


BACK, THERE = {"complete": False, "count": 0}, {"sent_through": False, "complete": False, "count": 0}
LATE, REFUSED = Tried(small=False, ended="late"), Tried(small=True, ended="Connection refused")


@pytest.mark.parametrize(
    ("tries", "outcome", "direction"),
    [
        ([usual(), small()] * 5, "ok", "both"),
        ([usual(**BACK), small()] * 5, "blackhole", "back"),
        ([usual(**THERE), small()] * 5, "blackhole", "there"),
        ([usual(**BACK), small()] * 4, "inconclusive", "both"),
        ([usual(**BACK), small(**BACK)] * 5, "fails", "both"),
        ([usual(), small()] * 4 + [usual(**BACK), small(**BACK)], "random-loss", "both"),
        ([usual(), small()] * 4 + [usual(**BACK), small()], "inconclusive", "both"),
        ([usual(), small(**BACK)] * 5, "random-loss", "both"),
        ([usual(retransmitted=2), small()] * 5, "lossy", "both"),
        ([usual(count=800), small()] * 5, "inconclusive", "both"),
        ([LATE] * 10, "unreachable", "both"),
        ([REFUSED] * 10, "refused", "both"),
        ([LATE, small()] * 5, "random-loss", "both"),
        ([], "unassessed", "both"),
    ],
)
def test_verdicts(tries: list[Tried], outcome: str, direction: str) -> None:
    """A blackhole is what always stalls at the usual size and never at the small one, five times each."""
    found = judge(tries, {})
    assert (found.outcome, found.direction) == (outcome, direction)
    assert found.reason or found.outcome == "ok"


def test_a_hosts_python_makes_the_exchanges() -> None:
    """The script runs as written, counts what comes, and tells of a refusal, side by side."""

    async def serve() -> raw.Exchanged:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(5)
            writer.write(b"x" * 3000)
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            tries = (Try(sent=b"hello"), Try(1200, 0.01, b"hello"))
            argv = raw.command(sys.executable, "127.0.0.1", port, tries, seconds=3.0, limit=10000)
            done = await asyncio.to_thread(
                subprocess.run, argv, capture_output=True, text=True, timeout=20, check=False
            )
            return raw.parse(Completed(("x",), done.returncode, done.stdout + done.stderr))

    found = asyncio.run(serve())
    assert found.unable == ""
    assert [(each.count, each.ended, len(each.data)) for each in found.raws] == [(3000, "end", 3000)] * 2
    assert found.raws[1].info["advmss"] <= 1200 < found.raws[0].info["advmss"]
    assert set(found.counters) == set(raw.COUNTERS)
    argv = raw.command(sys.executable, "127.0.0.1", 9, (Try(),), seconds=2.0, limit=10)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    refused = raw.parse(Completed(("x",), done.returncode, done.stdout)).raws[0]
    assert (refused.connected, refused.ended) == (None, "Connection refused")


@given(st.text())
def test_whatever_is_said_is_read(text: str) -> None:
    """No output of a host breaks the reader."""
    found = raw.parse(Completed(("x",), 1, text))
    assert found.unable or isinstance(found.raws, tuple)


def _certificate(folder: Path) -> tuple[str, str]:
    files = str(folder / "crt"), str(folder / "key")
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=web.test", "-addext", "subjectAltName=DNS:web.test", "-keyout", files[1], "-out", files[0]]
    subprocess.run([*argv, *names], check=True, capture_output=True, timeout=20)
    return files


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_flight_is_read_without_a_wire(tmp_path: Path, newest: ssl.TLSVersion) -> None:
    """A server's first answer is enough to know its certificate and whether it is believed; part of it is not whole."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.load_cert_chain(*_certificate(tmp_path))
    flights = []
    for verify in (False, True):
        hello, cut = (Hello("web.test", verify=verify, padded=verify) for _ in range(2))
        for each in (hello, cut):
            came, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
            came.write(each.sent)
            with pytest.raises(ssl.SSLWantReadError):
                context.wrap_bio(came, answer, server_side=True).do_handshake()
            said = answer.read()
            flights.append(each.read(said if each is hello else said[: len(said) // 2]))
    whole, part, judged, part_judged = flights
    assert (whole.complete, whole.distrust, part.complete, part_judged.complete) == (True, "", False, False)
    assert whole.version == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[newest]
    assert whole.certificate.hex() == ssl.PEM_cert_to_DER_cert((tmp_path / "crt").read_text()).hex()
    assert (judged.complete, judged.distrust) == (True, "self-signed certificate")


def test_what_is_no_tls_is_told() -> None:
    """A server that answers something else is not taken for one whose certificates were lost."""
    assert Hello("web.test", verify=False).read(b"SSH-2.0-OpenSSH_9.2\r\n").refused
