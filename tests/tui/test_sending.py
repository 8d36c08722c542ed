"""Sending: one at a time, told at an eye's pace, and ended at once."""

import asyncio

import pytest

from tests.probes.worlds import AT
from tests.tui.results import pmtu, proposal
from tui.probed import Probed
from tui.probing import CannotProbe, Proposal, Report, Wanted
from tui.sending import Sender


async def test_a_hundred_results_are_a_few_states() -> None:
    """Results that come in a burst are told together, and none is lost."""
    states: list[Probed] = []
    sender = Sender(states.append, lambda: AT)
    await sender.send(proposal(*(pmtu("samwise", f"n{number}") for number in range(100))))
    assert len(states) == 2
    assert len(states[-1].latest) == 100
    run = states[-1].run
    assert run is not None
    assert (run.state, run.done) == ("done", 100)


async def test_stopping_ends_it_at_once_and_keeps_what_came() -> None:
    """A run that is cancelled is over at once: what it started was cancelled too, and its results stay."""
    ends = asyncio.Event()
    began = asyncio.Event()

    async def send(report: Report) -> None:
        report(pmtu("samwise", "theoden"))
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ends.set()

    sender = Sender(lambda _: None, lambda: AT)
    task = asyncio.create_task(sender.send(Proposal(Wanted(("pmtu",)), "", 2, send)))
    await began.wait()
    assert sender.probed.is_running
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ends.is_set()
    assert sender.probed.run is not None
    assert (sender.probed.run.state, len(sender.probed.latest)) == ("stopped", 1)


async def test_only_one_at_a_time() -> None:
    """While one is under way another is not sent."""
    sent: list[str] = []
    hold = asyncio.Event()

    async def first(_: Report) -> None:
        sent.append("first")
        await hold.wait()

    async def second(_: Report) -> None:
        sent.append("second")

    sender = Sender(lambda _: None, lambda: AT)
    task = asyncio.create_task(sender.send(Proposal(Wanted(("pmtu",)), "", 1, first)))
    await asyncio.sleep(0)
    await sender.send(Proposal(Wanted(("pmtu",)), "", 1, second))
    hold.set()
    await task
    assert sent == ["first"]


async def test_a_failure_is_one_sentence(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be sent says why, a defect says that it is one, and neither ends anything else."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    async def refused(_: Report) -> None:
        raise CannotProbe("the cluster has gone")

    async def defect(_: Report) -> None:
        raise KeyError("oops")

    for send, said in ((refused, "the cluster has gone"), (defect, "this is a defect")):
        sender = Sender(lambda _: None, lambda: AT)
        await sender.send(Proposal(Wanted(("pmtu",)), "", 1, send))
        assert sender.probed.run is not None
        assert sender.probed.run.state == "failed"
        assert sender.probed.run.reason.startswith(said)
