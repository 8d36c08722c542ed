"""Asking: what a gate asks of a node besides its facts: a line of a file, a rule of the firewall, a URL. Only reads.

A file's content does not leave its node: grep is asked whether it has the line.
"""

import secrets
from typing import Final

from probes.cluster import Wires
from probes.collectors import batch
from probes.collectors.batch import Step
from probes.collectors.reading import brief, failure
from probes.model.observation import Completed
from probes.model.reach import Result
from probes.model.snapshot import Snapshot
from probes.reach.fetch import fetch
from probes.reach.survey import pod_vantage
from probes.vantage import Vantage
from runbooks.sight import Condition, Stood

_SECONDS: Final = 10.0
_ATTEMPTS: Final = 2
_HTTP_SECONDS: Final = 8.0
_ANSWERED: Final = frozenset({"ok", "slow"})


def command(condition: Condition) -> tuple[str, ...]:
    """Give the command that tells how a condition of the kind ``read`` stands."""
    args = condition.args
    if condition.kind in {"file-has", "file-lacks"}:
        return ("grep", "-qxF", "-e", args["line"], "--", args["path"])
    return ("iptables", "-w", "-t", "mangle", "-S")


def judge(condition: Condition, done: Completed) -> Stood:
    """Tell how a condition stands by what its command said."""
    if condition.kind in {"mangle-has", "mangle-lacks"}:
        return _judge_mangle(condition, done)
    gone = done.returncode != 0 and "No such file" in done.stderr
    if done.returncode not in {0, 1} and not gone:
        return Stood("unknown", failure({}, done))
    there = done.returncode == 0
    said = "the file is not there" if gone else "it has it" if there else "it has no such line"
    return Stood("held" if there == (condition.kind == "file-has") else "waiting", said)


def _judge_mangle(condition: Condition, done: Completed) -> Stood:
    if done.returncode != 0:
        return Stood("unknown", failure({}, done))
    lines = [line.strip() for line in done.stdout.splitlines()]
    if condition.kind == "mangle-has":
        there = condition.args["rule"] in lines
        return Stood("held" if there else "waiting", "it is there" if there else "it is not there")
    there = f"-N {condition.args['chain']}" in lines
    return Stood("waiting" if there else "held", "the chain is there" if there else "there is none")


async def ask_node(condition: Condition, snapshot: Snapshot, wires: Wires) -> Stood:
    """Read on the node, as root where that is allowed; raises TransportError."""
    way = await wires.transport(condition.node, snapshot.nodes.get(condition.node))
    nonce, step = secrets.token_hex(16), Step("ask", command(condition), timeout=5, root=True)
    done = await way.run(("sh", "-s"), stdin=batch.script((step,), nonce), timeout=_SECONDS)
    stdout, stderr = (text.encode("utf-8", "surrogatepass") for text in (done.stdout, done.stderr))
    answer = batch.split(stdout, stderr, nonce, (step,)).get("ask")
    return judge(condition, answer) if answer is not None else Stood("unknown", f"{condition.node} ran nothing")


async def ask_url(condition: Condition, snapshot: Snapshot, wires: Wires) -> Stood:
    """Ask for a URL by both versions of HTTP, from the node itself or from a pod's network on it."""
    name = condition.node
    way = await wires.transport(name, snapshot.nodes.get(name))
    place = pod_vantage(snapshot, name, way) if condition.args["from"] == "pod" else Vantage("node", name, way, name)
    if not isinstance(place, Vantage):
        return Stood("unknown", place)
    found: list[Result] = []
    await fetch([place], [condition.args["url"]], found.append, attempts=_ATTEMPTS, seconds=_HTTP_SECONDS)
    (result,) = found
    said = f"{result.said}: {brief(result.reason)}" if result.reason else result.said
    if result.outcome == "unassessed":
        return Stood("unknown", said)
    return Stood("held" if result.outcome in _ANSWERED else "waiting", said)
