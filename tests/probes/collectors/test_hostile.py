"""Whatever a node says, a parser gives a harmless value or one sentence; never another exception."""

import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from probes.collectors import (
    batch,
    conntrack,
    counters,
    events,
    fdb,
    flannel,
    host,
    links,
    neighbors,
    node,
    offloads,
    pods,
    resolvers,
    routes,
    sockets,
    sysctls,
    unit,
)
from probes.collectors.reading import Outputs, Unreadable
from probes.model.observation import Completed
from probes.model.text import clean

NONCE = "0123456789abcdef" * 2
CAPTURES = Path(__file__).parent / "captures"
STDOUT = (CAPTURES / "debian12.stdout").read_bytes()
STDERR = (CAPTURES / "debian12.stderr").read_bytes()
REAL = batch.split(STDOUT, STDERR, NONCE, node.STEPS)
FALLBACKS = [
    batch.split((CAPTURES / f"{name}.stdout").read_bytes(), b"", NONCE, node.STEPS) for name in ("no-json", "bare")
]

PARSERS: dict[str, tuple[Callable[[Outputs], object], tuple[str, ...]]] = {
    "links": (links.parse, ("links",)),
    "links-sys": (links.parse, ("links-sys",)),
    "routes": (routes.parse, ("routes", "routes6")),
    "routes-proc": (routes.parse, ("routes-proc",)),
    "neighbors": (neighbors.parse, ("neighbors",)),
    "neighbors-text": (neighbors.parse, ("neighbors-text",)),
    "neighbors-proc": (neighbors.parse, ("neighbors-proc",)),
    "fdb": (fdb.parse, ("fdb", "links")),
    "fdb-text": (fdb.parse, ("fdb-text",)),
    "sockets": (sockets.parse, ("udp", "udp6")),
    "subnet-env": (flannel.parse_subnet_env, ("subnet-env", "subnet-env-stat")),
    "copies": (flannel.parse_copies, ("copies",)),
    "net-conf": (flannel.parse_net_conf, ("net-conf",)),
    "resolvers": (resolvers.parse, ("resolv", "resolv-systemd", "resolv-k3s")),
    "unit": (unit.parse, ("unit",)),
    "host": (host.parse, ("host", "hostname", "boot", "user", "k3s")),
    "sysctls": (sysctls.parse, ("sysctls",)),
    "counters": (counters.parse, ("snmp", "netstat", "links")),
    "conntrack": (conntrack.parse, ("conntrack",)),
    "offloads": (offloads.parse, ("offloads",)),
    "pods": (pods.parse, ("netns-ids", "pods")),
}
JSON_STEPS = ("links", "routes", "routes6", "neighbors", "fdb", "net-conf", "netns-ids")

HOSTILE = st.one_of(
    st.text(max_size=200),
    st.sampled_from(
        [
            *("\x1b]52;c;aGk=\x07", "\u202egnp.exe", "[@click=app.quit]x", "a\nb\r\nc", "\ud800", "\x9b31m", "\x00"),
            *("\uff19" * 4, "9" * 5000, "-1", "1e999", "0x10", "NaN", "[" * 2000, '{"a":' * 2000, "\u2028", "=" * 50),
        ]
    ),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def strings(value: object) -> Iterator[str]:
    """Walk every string in a value, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from strings(getattr(value, name))
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from strings(key)
            yield from strings(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from strings(inner)


def numbers(value: object) -> Iterator[float]:
    """Walk every number in a value."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from numbers(getattr(value, name))
    elif isinstance(value, dict):
        for inner in value.values():
            yield from numbers(inner)
    elif isinstance(value, tuple | list):
        for inner in value:
            yield from numbers(inner)


def safe(text: str) -> bool:
    """Tell whether a terminal shows a text as what it is: no control character, surrogate, line or bidi mark."""
    return clean(text) == text and not {unicodedata.category(c) for c in text} & {"Cc", "Cs", "Zl", "Zp"}


def harmless(parse: Callable[[Outputs], object], outputs: Outputs) -> None:
    """Hold a parser to its promise."""
    reason = ""
    value: object = None
    try:
        value = parse(outputs)
    except Unreadable as error:
        reason = str(error) or "nothing"
    assert len(reason) < 1000
    assert all(safe(text) for text in (reason, *strings(value)))
    assert all(-(2**63) <= number < 2**64 for number in numbers(value))


def outputs_of(steps: tuple[str, ...], texts: list[str], returncode: int = 0) -> dict[str, Completed]:
    return {step: Completed((step,), returncode, text, text) for step, text in zip(steps, texts, strict=False)}


@pytest.mark.parametrize("name", PARSERS)
@QUICK
@given(data=st.data())
def test_garbage(name: str, data: st.DataObject) -> None:
    """Arbitrary text on both streams, whatever the exit status."""
    parse, steps = PARSERS[name]
    texts = data.draw(st.lists(HOSTILE, min_size=len(steps), max_size=len(steps)))
    returncode = data.draw(st.sampled_from([0, 0, 0, 0, 1, 2, 126, 127, 255]))

    harmless(parse, outputs_of(steps, texts, returncode))


@pytest.mark.parametrize("name", PARSERS)
@QUICK
@given(data=st.data())
def test_mutated_captures(name: str, data: st.DataObject) -> None:
    """A real answer with a piece cut out, doubled or replaced."""
    parse, steps = PARSERS[name]
    source = next(s for s in (REAL, *FALLBACKS) if steps[0] in s)
    outputs = {step: source[step] for step in steps if step in source}
    step = data.draw(st.sampled_from(sorted(outputs)))
    text = outputs[step].stdout
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    piece = data.draw(HOSTILE | st.just(text[start:end] * 2))
    outputs[step] = msgspec.structs.replace(outputs[step], stdout=text[:start] + piece + text[end:])

    harmless(parse, outputs)


@pytest.mark.parametrize("step", JSON_STEPS)
@QUICK
@given(data=st.data())
def test_json_of_other_types(step: str, data: st.DataObject) -> None:
    """A real JSON answer in which one value has become another, of any type."""
    parse = next(parse for parse, steps in PARSERS.values() if step in steps)
    decoded = json.loads(REAL[step].stdout)
    places = [*_places(decoded)]
    container, key = data.draw(st.sampled_from(places))
    container[key] = data.draw(VALUES)
    outputs = dict(REAL) | {step: msgspec.structs.replace(REAL[step], stdout=json.dumps(decoded))}

    harmless(parse, outputs)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from _places(inner)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, len(STDOUT)), st.integers(0, 200))
@example(b"\xff\xfe", b"\x00", 0, 0)
def test_whole_answers(noise: bytes, error_noise: bytes, at: int, gone: int) -> None:
    """Bytes put anywhere into a node's whole answer spoil some facts at most, and never the reading."""
    stdout = STDOUT[:at] + noise + STDOUT[at + gone :]
    network = node.parse(batch.split(stdout, error_noise + STDERR, NONCE, node.STEPS))

    assert all(safe(text) for text in strings(network))


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_event_lines(line: str) -> None:
    """Any line of a monitor matters or does not."""
    assert events.relevant(line) in {True, False}
