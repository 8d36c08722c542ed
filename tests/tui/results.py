"""Results of probes as their kinds make them, for tests of what is shown of them."""

from probes.model.reach import Attempt, Result, Sizes, Way
from tests.probes.worlds import AT
from tui.probed import Probed, begun, ended, told
from tui.probing import Proposal, Report, Wanted

URL = "https://github.com/example/fleet"


def pmtu(source: str, peer: str, mtu: int | None = 1450, outcome: str = "ok", *, at: float = AT) -> Result:
    """Search from a node, or from ``pod@NODE``, to another of the same kind."""
    node = source.removeprefix("pod@")
    is_pod = source != node
    tone = {"ok": "ok", "told": "warning", "silent": "critical"}.get(outcome, "unknown")
    tries: tuple[Attempt, ...] = (Attempt(size=128, packets=(3, 3 if mtu else 0), rtts=(0.001,) * 3 if mtu else ()),)
    if outcome == "silent" and mtu:
        tries += (Attempt(size=mtu + 1, packets=(3, 0), failed="echo", reason="lost"),)
    return Result(
        probe="pmtu",
        vantage=source,
        kind="pod" if is_pod else "node",
        target=f"pod@{peer}" if is_pod else peer,
        outcome=outcome,
        tone=tone,  # type: ignore[arg-type]
        said={"ok": f"ok {mtu}", "silent": f"silent above {mtu}", "told": f"told {mtu} by 192.0.2.1"}.get(
            outcome, outcome
        ),
        at=at,
        node=node,
        pod="apps/web" if is_pod else "",
        peer=peer,
        reason="no echo came back at any size" if outcome == "inconclusive" else "",
        way=Way("10.42.1.5", "eth0", 1450, gateway="10.42.0.1", prefsrc="10.42.0.5"),
        sizes=Sizes(mtu, mtu + 1 if mtu and outcome == "silent" else None),
        sent=6 if mtu else 0,
        times=(0.001, 0.002, 0.001) if mtu else (),
        attempts=tries,
    )


def http(vantage: str, h1: str = "", h2: str = "", *, times: float = 0.08, at: float = AT, n: int = 3) -> Result:
    """Send three requests by each version; ``h1`` and ``h2`` name the phase in which all of a version's fail."""
    node = vantage.removeprefix("pod@") if vantage != "operator" else ""
    kind = "operator" if not node else "pod" if node != vantage else "node"
    done = {"dns": times / 4, "connect": times / 4, "tls": times / 4, "first-byte": times / 4}
    tries = tuple(
        Attempt(
            variant=version,
            seconds={phase: took for phase, took in done.items() if not failed or phase == "dns"},
            failed=failed,
            reason="no end within 10 s" if failed else "",
            answer="" if failed else f"200 over {version}",
            address="203.0.113.10",
            body=0 if failed else 131072,
        )
        for version, failed in (("HTTP/1.1", h1), ("HTTP/2", h2))
        for _ in range(n)
    )
    lost = sum(bool(each.failed) for each in tries)
    outcome = "ok" if not lost else "fails" if lost == len(tries) else "h2-only-fails" if h2 else "h1-only-fails"
    said = {"ok": "ok 200", "fails": f"fails at {h1}", "h2-only-fails": f"only HTTP/2 fails, at {h2}"}
    return Result(
        probe="http",
        vantage=vantage,
        kind=kind,
        target=URL,
        outcome=outcome,
        tone="critical" if lost else "ok",
        said=said.get(outcome, outcome),
        at=at,
        node=node,
        phase=h2 or h1,
        reason="no end within 10 s" if lost else "",
        sent=len(tries),
        lost=lost,
        times=tuple(each.total for each in tries if each.well),
        facts={"spoken": "1.1 2"},
        attempts=tries,
    )


def proposal(
    *results: Result, says: str = "path MTU from samwise to theoden", wanted: Wanted | None = None
) -> Proposal:
    """Make a proposal that reports these results at once."""

    async def send(report: Report) -> None:
        for each in results:
            report(each)

    return Proposal(wanted or Wanted(("pmtu",)), says, len(results), send)


def probed(*results: Result) -> Probed:
    """Make what there is after a run that gave these results."""
    return ended(told(begun(Probed(), proposal(*results), AT), results), "done")
