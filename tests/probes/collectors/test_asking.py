"""How a node is asked where underlay runs on it: by netlink and journal, whose ends are told as a wire's are."""

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import pytest

from probes.collectors import asking, netlink
from probes.collectors.asking import hints
from probes.collectors.reading import Unreadable
from probes.transports.base import ConnectionLost
from probes.transports.local import LocalTransport, is_here
from tests.testbed.cluster import Testbed


async def _line_then_end() -> AsyncGenerator[str, None]:
    yield "link"
    raise Unreadable("the kernel sends no events")


@pytest.fixture(autouse=True)
def _events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlink, "events", _line_then_end)
    monkeypatch.setattr(asking, "JOURNAL", ("sleep", "60"))


async def test_the_end_of_netlink_is_a_lost_connection() -> None:
    """What ends the kernel's events is the error that whoever listens to a wire expects, not a group around it."""
    lines = hints(LocalTransport("here"))
    assert await anext(lines) == "link"
    with pytest.raises(ConnectionLost, match="the kernel sends no events"):
        await anext(lines)


async def test_who_has_heard_enough_leaves_in_peace() -> None:
    """Closing the generator after a line ends both sources without an error."""
    async with aclosing(hints(LocalTransport("here"))) as lines:
        async for line in lines:
            assert line == "link"
            break


def test_an_own_address_is_here_and_another_is_not() -> None:
    """Loopback is ours; a documentation address is not, nor is what is no address."""
    assert is_here(("198.51.100.7", "127.0.0.1"))
    assert not is_here(("198.51.100.7", "2001:db8::7", "not an address", ""))
    assert not is_here(())


def test_the_same_address_elsewhere_is_not_here() -> None:
    """An address of ours that is also a node's, at another place, does not make this machine the node."""
    ours = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    assert is_here(("127.0.0.1",), ours)
    assert not is_here(("127.0.0.1",), "7f3c1f0e-5b0a-4c57-9d0e-2f6b8f6d7a11")


@pytest.mark.testbed
def test_an_address_that_may_be_bound_is_not_here(testbed: Testbed) -> None:
    """With ip_nonlocal_bind, as keepalived and kube-vip set it, a node's address is still not ours."""
    code = (
        "from pathlib import Path; from probes.transports.local import is_here;"
        "Path('/proc/sys/net/ipv4/ip_nonlocal_bind').write_text('1');"
        "print(is_here(('192.0.2.11',)), is_here(('192.0.2.2',)))"
    )
    try:
        done = testbed.operator((sys.executable, "-c", code), check=True, timeout=30)
    finally:
        testbed.operator(("sysctl", "-qw", "net.ipv4.ip_nonlocal_bind=0"), check=True)
    assert done.stdout.split() == ["False", "True"]
