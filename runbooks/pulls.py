"""Image pulls on named nodes, with consent: the one probe that writes, and so not among the probes.

A pull adds an image to the node's store, where the kubelet's garbage collection finds it; nothing is ever removed. It
is started by the operator's own word on the command line alone.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from probes.model.reach import Attempt, Result, Tone
from probes.reach import pull
from probes.reach.registry import Image
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

IMAGES: Final = 5
NODES: Final = 8
"""At once."""
_TONES: Final[dict[str, Tone]] = {
    "ok": "ok",
    "slow": "warning",
    "rate-limited": "warning",
    "denied": "warning",
    "unassessed": "unknown",
}
_SAID: Final = {
    "ok": "ok",
    "rate-limited": "rate limited",
    "denied": "denied: private, or not there",
    "no-image": "no such image",
    "unassessed": "not assessed",
}
_SCRIPT: Final = r"""r=; [ "$(id -u)" = 0 ] || r="sudo -n"
p=
command -v crictl >/dev/null 2>&1 && p=crictl
command -v k3s >/dev/null 2>&1 && p="k3s crictl"
[ -n "$p" ] || exit 127
now() { { read -r s _ </proc/uptime || s=$(date +%s); } 2>/dev/null; echo "$s"; }
$r timeout 10 $p inspecti -q "$1" >/dev/null 2>&1 && echo present
b=$(now)
g=
trap '[ -z "$g" ] || { kill -TERM "$g"; wait "$g"; } 2>/dev/null; exit 98' HUP INT TERM PIPE
$r timeout -k 2 "$2" $p pull "$1" 2>&1 &
g=$!
wait "$g"
c=$?
echo "took $b $(now)"
exit "$c"
"""
"""Pulls one image, within a number of seconds; containerd gives a pull up whose client has gone."""
Report = Callable[[Result], None]


class Consent(msgspec.Struct, frozen=True):
    """The operator's word that images may be written on these nodes; without one nothing here can be called."""

    nodes: tuple[str, ...]


def shown(image: Image) -> str:
    """Write the command that is run on a node."""
    return f"k3s crictl pull {named(image)}"


def named(image: Image) -> str:
    """Write an image as containerd calls it."""
    return image.shown.replace("registry-1.docker.io/", "docker.io/", 1)


async def pull_images(
    consent: Consent,
    nodes: Sequence[Vantage],
    images: Sequence[Image],
    report: Report,
    *,
    attempts: int,
    seconds: float,
) -> None:
    """Pull every image ``attempts`` times on every node that there is consent for, one after the other on each."""
    room = asyncio.Semaphore(NODES)

    async def on(node: Vantage) -> None:
        async with room:
            for image in images:
                tries = [each async for each in _pulls(node, image, attempts, seconds)]
                report(_result(node, image, tries))

    async with asyncio.TaskGroup() as tasks:
        for node in nodes:
            if node.kind == "node" and node.name in consent.nodes:
                tasks.create_task(on(node))


async def _pulls(node: Vantage, image: Image, attempts: int, seconds: float) -> AsyncGenerator[Attempt, None]:
    argv = ("sh", "-c", _SCRIPT, "sh", named(image), f"{seconds:g}")
    failures = 0
    for number in range(attempts):
        found = Attempt(variant=pull.PULL, unable="its answer was cut off")
        try:
            async with aclosing(volley(node, [Shot("pull", argv)], seconds=seconds + 15)) as completed:
                async for each in completed:
                    found = pull.read(each, seconds)
        except TransportError as error:
            found = Attempt(variant=pull.PULL, unable=str(error))
        yield found
        failures += bool(found.failed)
        if found.unable or found.answer not in {"ok", ""} or (failures == number + 1 == 2):  # noqa: PLR2004
            return


def _result(node: Vantage, image: Image, tries: Sequence[Attempt]) -> Result:
    found = pull.judge(tries)
    at_phase = {"fails": "fails at", "random": "fails at times, at", "slow": "slow at"}
    said = f"{at_phase[found.outcome]} {found.phase}" if found.outcome in at_phase else _SAID[found.outcome]
    there = bool(tries) and tries[0].variant != pull.PULL
    return Result(
        probe="pull",
        vantage=node.name,
        kind=node.kind,
        target=named(image),
        outcome=found.outcome,
        tone=_TONES.get(found.outcome, "critical"),
        said=said,
        at=time.time(),
        node=node.node,
        phase=found.phase,
        reason=found.reason,
        sent=found.sent,
        lost=found.lost,
        times=tuple(each.total for each in tries if each.well and each.answer == "ok"),
        facts={"was there": "yes" if there else "no"},
        attempts=tuple(tries),
    )
