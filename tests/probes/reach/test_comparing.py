"""Two runs held against each other."""

import pytest

from probes.model.evidence import Circumstances, Run
from probes.model.observation import Completed
from probes.model.reach import Result, Tone
from probes.reach.circumstances import read
from probes.reach.comparing import Difference, compare


def result(tone: Tone = "ok", *, lost: int = 0, seconds: float = 0.1, target: str = "https://x.test/") -> Result:
    return Result(
        probe="http",
        vantage="boromir",
        kind="node",
        target=target,
        outcome="x",
        tone=tone,
        said=f"is {tone}",
        at=1.0,
        sent=6,
        lost=lost,
        times=(seconds,) * 3,
    )


def run(*results: Result, name: str = "a", mtu: int = 1500, resolver: str = "192.0.2.1", address: str = "") -> Run:
    there = Circumstances(
        "boromir", "eth0", mtu, "192.0.2.1", (resolver,), {"https://x.test/": address} if address else {}
    )
    return Run(name, "http", "test", 1.0, 0, results, (there,))


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (result(), result(), "same"),
        (result("critical"), result(), "better"),
        (result(), result("warning"), "worse"),
        (result("critical", lost=6), result("critical", lost=1), "better"),
        (result(lost=1), result(lost=2), "worse"),
        (result(seconds=0.1), result(seconds=0.14), "same"),
        (result(seconds=0.1), result(seconds=0.2), "slower"),
        (result(seconds=0.2), result(seconds=0.05), "faster"),
        (result(seconds=0.001), result(seconds=0.01), "same"),
        (result("unknown"), result("critical"), "worse"),
    ],
)
def test_a_result_is_better_or_worse(before: Result, after: Result, change: str) -> None:
    """By its tone, then by what was lost, then by half of its median; less than 20 ms is noise."""
    assert [each.change for each in compare(run(before), run(after)).compared] == [change]


def test_what_one_run_has_alone_is_said() -> None:
    """A target that is new, one that is gone."""
    found = compare(run(result()), run(result(target="https://y.test/")))
    assert {each.target: each.change for each in found.compared} == {
        "https://y.test/": "new",
        "https://x.test/": "gone",
    }


def test_what_changed_of_the_network_is_said() -> None:
    """MTU, resolvers and the address chosen; what was not known before is no change."""
    before, after = run(mtu=1500, address="192.0.2.7"), run(mtu=1400, resolver="192.0.2.9", address="192.0.2.8")
    assert set(compare(before, after).differences) == {
        Difference("boromir", "mtu", "eth0 1500", "eth0 1400"),
        Difference("boromir", "resolvers", "192.0.2.1", "192.0.2.9"),
        Difference("boromir", "address of https://x.test/", "192.0.2.7", "192.0.2.8"),
    }
    assert compare(run(), run(address="192.0.2.8")).differences == ()


def test_circumstances_are_read() -> None:
    """The default route of the lowest metric counts; a host without ip says so."""
    told = {
        "route": Completed(
            ("route",),
            0,
            '[{"dst":"default","gateway":"192.0.2.9","dev":"wlan0","metric":600},'
            '{"dst":"default","gateway":"192.0.2.1","dev":"eth0","metric":100}]',
        ),
        "links": Completed(("links",), 0, '[{"ifname":"eth0","mtu":1450},{}]'),
        "resolvers": Completed(("resolvers",), 0, "search x\nnameserver 192.0.2.53\n"),
    }
    found = read("boromir", told, {})
    assert (found.dev, found.mtu, found.gateway, found.resolvers) == ("eth0", 1450, "192.0.2.1", ("192.0.2.53",))
    missing = read("boromir", {"route": Completed(("route",), 127, "ip: not found")}, {})
    assert missing.reason
    assert missing.mtu is None
