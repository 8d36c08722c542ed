"""Names looked up once: what does not resolve is told so by every probe, and nothing is sent for it."""

import socket
import ssl

import pytest

from probes.model.reach import Result
from probes.reach.fetch import fetch
from probes.reach.greeting import Server, greet
from probes.reach.naming import look_up_names, looked_up
from probes.reach.request import Request
from probes.reach.sending import send
from probes.transports.local import LocalTransport
from probes.vantage import Kind, Vantage

NO_NAME = "a" * 70 + ".example"
"""A label has 63 bytes at the most (RFC 1035 section 2.3.4): nobody is asked for it."""
WHY = "no resolver there answered for gone.example within 9 s"


async def test_a_name_of_this_machine_is_looked_up() -> None:
    """localhost has an address; a name that nobody can have is an error of the resolver's kind."""
    assert await looked_up("localhost", 80) in {"127.0.0.1", "::1"}
    with pytest.raises(OSError, match="is no name"):
        await looked_up(NO_NAME, 80)


@pytest.mark.parametrize("kind", ["operator", "node"])
async def test_what_does_not_resolve_is_noted(kind: Kind) -> None:
    """From this machine as by a host's own program: localhost is fine, what cannot be a name is not."""
    here = Vantage(kind, "here", LocalTransport("here"))
    (told,) = await look_up_names([here], {"localhost", NO_NAME, "127.0.0.1", ""}, seconds=5)
    assert told.unresolved.keys() == {NO_NAME}
    assert told.unresolved[NO_NAME].startswith(f"{NO_NAME} does not resolve there")
    assert told == here, "the same place as before"


@pytest.mark.parametrize("kind", ["operator", "node"])
async def test_what_was_looked_up_in_vain_is_not_asked_for(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests, HTTP in both versions and SSH fail at dns with the reason of the look-up, and nothing is sent."""

    def nobody(*_: object, **__: object) -> None:
        raise AssertionError("something was sent")

    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    monkeypatch.setattr(LocalTransport, "lines", nobody)
    here = Vantage(kind, "here", LocalTransport("here"), unresolved={"gone.example": WHY})
    context = ssl.create_default_context()
    answers = await send(
        here, {"a": Request("https://gone.example/v2/")}, seconds=1, trusted={"1.1": context, "2": context}
    )
    assert (answers["a"].exchange.failed, answers["a"].exchange.reason) == ("dns", WHY)
    found: list[Result] = []
    await fetch([here], ["https://gone.example/"], found.append, attempts=1, seconds=1)
    await greet([here], [Server("ssh://gone.example/r", "gone.example")], found.append, attempts=1, seconds=1)
    assert [(each.outcome, each.phase, each.reason, each.sent) for each in found] == [
        ("fails", "dns", WHY, 2),
        ("fails", "dns", WHY, 1),
    ]
