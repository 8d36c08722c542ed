"""Raw exchanges from one vantage with several servers: what the control experiment and handshakes are made of."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from probes.model.reach import Way
from probes.reach import raw
from probes.reach.outward import answers_of, ways_of
from probes.reach.raw import Exchanged, Try
from probes.reach.volley import Shot
from probes.transports.base import TransportError
from probes.vantage import Vantage

_REST: Final = 2.0
"""Seconds that a program may take besides its exchanges."""


class Goal(msgspec.Struct, frozen=True):
    """Where connections are made to."""

    name: str
    """As shown."""
    host: str
    port: int
    path: str = ""
    """Of a plain HTTP request; empty: TLS."""


class Wanted(msgspec.Struct, frozen=True):
    """Exchanges to make with one server."""

    goal: Goal
    tries: tuple[Try, ...]
    most: int = raw.KEPT
    """Bytes to take of each answer."""


async def exchanged(
    vantage: Vantage, wanted: Sequence[Wanted], *, seconds: float, at_once: int
) -> list[tuple[Way, Exchanged]]:
    """Make exchanges with every server, ``seconds`` long each; gives the way to each and what came of them.

    Never raises for a host that cannot be asked: that is what came of them.
    """
    named = {str(number): each for number, each in enumerate(wanted)}
    ways: Mapping[str, Way] = {key: Way() for key in named}
    try:
        ways = await ways_of(vantage, {key: each.goal.host for key, each in named.items()})
        shots = [
            Shot(key, _command(vantage, each, ways[key], seconds)) for key, each in named.items() if ways[key].address
        ]
        longest = max((each.delay for one in wanted for each in one.tries), default=0.0)
        limit = seconds + longest + _REST
        answers = await answers_of(vantage, shots, limit, at_once=at_once) if shots else {}
    except TransportError as error:
        return [(ways[key], Exchanged(unable=str(error))) for key in named]
    cut_off = Exchanged(unable="its answer was cut off")
    return [
        (way, raw.parse(answers[key]) if key in answers else cut_off if way.address else Exchanged(unable=way.reason))
        for key, way in ((key, ways[key]) for key in named)
    ]


def _command(vantage: Vantage, wanted: Wanted, way: Way, seconds: float) -> tuple[str, ...]:
    python = sys.executable if vantage.kind == "operator" else "python3"
    argv = raw.command(python, way.address, wanted.goal.port, wanted.tries, seconds=seconds, limit=wanted.most)
    return tuple(argv)
