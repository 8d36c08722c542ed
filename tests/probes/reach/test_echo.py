"""What ping says is read as it is: outputs of iputils 20221126 under LC_ALL=C, BusyBox 1.35 and older pings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.observation import Completed
from probes.model.text import clean
from probes.reach.echo import Echo, command, parse

CASES = [
    (
        "PING 192.0.2.13 (192.0.2.13) 1472(1500) bytes of data.\n"
        "1480 bytes from 192.0.2.13: icmp_seq=1 ttl=64 time=0.250 ms\n"
        "1480 bytes from 192.0.2.13: icmp_seq=2 ttl=64 time=0.050 ms\n\n"
        "--- 192.0.2.13 ping statistics ---\n"
        "3 packets transmitted, 2 received, 33.3333% packet loss, time 401ms\n"
        "rtt min/avg/max/mdev = 0.050/0.150/0.250/0.100 ms",
        0,
        Echo(1500, sent=3, received=2, rtts=(0.00025, 0.00005)),
    ),
    (
        "PING 198.51.100.10 (198.51.100.10) 1472(1500) bytes of data.\n"
        "From 192.0.2.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)\n"
        "ping: local error: message too long, mtu=1400\n\n"
        "--- 198.51.100.10 ping statistics ---\n"
        "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 202ms",
        1,
        Echo(1500, sent=2, told=1400, by="192.0.2.1"),
    ),
    (
        "PING 192.0.2.13 (192.0.2.13) 1473(1501) bytes of data.\n"
        "ping: local error: message too long, mtu=1500\n"
        "--- 192.0.2.13 ping statistics ---\n"
        "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 202ms",
        1,
        Echo(1500, sent=2, told=1500),
    ),
    (
        "PING 2001:db8::2(2001:db8::2) 1452 data bytes\n"
        "From 2001:db8::1: icmp_seq=1 Packet too big: mtu=1280\n\n"
        "--- 2001:db8::2 ping statistics ---\n"
        "1 packets transmitted, 0 received, +1 errors, 100% packet loss, time 0ms",
        1,
        Echo(1500, sent=1, told=1280, by="2001:db8::1"),
    ),
    (
        "PING 192.0.2.99 (192.0.2.99) 1472(1500) bytes of data.\n"
        "From 192.0.2.12 icmp_seq=1 Destination Host Unreachable\n\n"
        "--- 192.0.2.99 ping statistics ---\n"
        "3 packets transmitted, 0 received, +1 errors, 100% packet loss, time 402ms",
        1,
        Echo(1500, sent=3, unreachable="192.0.2.12: Destination Host Unreachable"),
    ),
    (
        "PING 10.42.1.5 (10.42.1.5) 100(128) bytes of data.\n\n"
        "--- 10.42.1.5 ping statistics ---\n"
        "3 packets transmitted, 0 received, 100% packet loss, time 405ms",
        1,
        Echo(1500, sent=3),
    ),
    ("ping: connect: Network is unreachable", 2, Echo(1500, unreachable="its own kernel: Network is unreachable")),
    ("ping: sendmsg: Message too long", 1, Echo(1500, told=0)),
]


@pytest.mark.parametrize(("text", "returncode", "echo"), CASES)
def test_outputs(text: str, returncode: int, echo: Echo) -> None:
    """Replies, refusals with and without a number, and silence are told apart."""
    assert parse(Completed(("1",), returncode, text), 1500) == echo


@pytest.mark.parametrize(
    ("text", "returncode", "why"),
    [
        ("sh: 12: ping: not found", 127, "there is no ping there"),
        ('exec of "ping" failed: No such file or directory', 255, "there is no ping there"),
        (
            "ping: unrecognized option: M\nBusyBox v1.35.0 () multi-call binary.\n\nUsage: ping",
            1,
            "cannot forbid fragments",
        ),
        ("ping: socktype: SOCK_RAW\nping: socket: Operation not permitted", 2, "may not send ICMP echo"),
        ("something else", 9, "ping ended with status 9: something else"),
    ],
)
def test_what_cannot_be_sent_is_told_with_its_reason(text: str, returncode: int, why: str) -> None:
    """A ping that is missing, lacks an option or a right says nothing of the path."""
    echo = parse(Completed(("1",), returncode, text), 1500)
    assert echo.sent == 0
    assert why in echo.unable
    assert not echo.silent


@pytest.mark.parametrize(("address", "size", "payload"), [("192.0.2.1", 1500, "1472"), ("2001:db8::1", 1280, "1232")])
def test_sizes_are_those_of_the_packet(address: str, size: int, payload: str) -> None:
    """ping counts its payload: 28 bytes less over IPv4, 48 over IPv6; fragments are forbidden."""
    argv = command(address, size)
    assert argv[argv.index("-s") + 1] == payload
    assert argv[argv.index("-M") + 1] == "do"
    assert argv[-1] == address


@given(text=st.text(max_size=400), returncode=st.integers(0, 255))
def test_garbage_is_never_a_reply(text: str, returncode: int) -> None:
    """Any text gives an Echo, and nothing in it can break a terminal."""
    echo = parse(Completed(("1",), returncode, text), 1500)
    said = echo.by + echo.unable + echo.unreachable
    assert clean(said) == said
