"""DNS from every vantage to every resolver."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from probes.model.reach import Attempt, Result, Tone, Way
from probes.reach import dns
from probes.reach.dns import Reply, Verdict
from probes.reach.outward import from_each
from probes.reach.volley import Shot, volley
from probes.transports.base import TransportError
from probes.vantage import Vantage

_VANTAGES: Final = 32
_TONES: Final[dict[str, Tone]] = {"ok": "ok", "slow": "warning", "no-such-name": "warning", "unassessed": "unknown"}
_AT_ONCE: Final = 12
"""Questions side by side from one vantage: more would wait for a processor, and be taken for a slow resolver."""


class Question(msgspec.Struct, frozen=True):
    """A name to ask a resolver for."""

    resolver: str
    """An address."""
    called: str
    """What the resolver is: ``kube-dns service``, ``coredns on boromir``, ``/etc/resolv.conf``."""
    name: str


Report = Callable[[Result], None]


async def ask(plan: Mapping[Vantage, Sequence[Question]], report: Report, *, attempts: int, seconds: int) -> None:
    """Ask every question ``attempts`` times, one after the other; ``report`` gets each question's outcome."""
    await from_each(
        plan, lambda vantage: _from_one(vantage, plan[vantage], report, attempts, seconds), at_once=_VANTAGES
    )


async def _from_one(
    vantage: Vantage, questions: Sequence[Question], report: Report, attempts: int, seconds: int
) -> None:
    replies: dict[Question, list[Reply]] = {each: [] for each in questions}
    try:
        for _ in range(attempts):
            worth = [each for each, known in replies.items() if len(known) < 2 or any(r.rcode for r in known)]  # noqa: PLR2004 - two that were lost are enough
            if not worth:
                break
            told = await (_here(worth, seconds) if vantage.kind == "operator" else _there(vantage, worth, seconds))
            for question, reply in told.items():
                replies[question].append(reply)
    except TransportError as error:
        for known in replies.values():
            known.append(Reply(unable=str(error)))
    for question, known in replies.items():
        report(_result(vantage, question, dns.judge(known), known))


def _result(vantage: Vantage, question: Question, found: Verdict, replies: Sequence[Reply]) -> Result:
    said = " ".join(["ok", *found.addresses[:1]]) if found.outcome == "ok" else found.outcome.replace("-", " ")
    return Result(
        probe="dns",
        vantage=vantage.name,
        kind=vantage.kind,
        target=question.resolver,
        outcome=found.outcome,
        tone=_TONES.get(found.outcome, "critical"),
        said=said.replace("unassessed", "not assessed"),
        at=time.time(),
        asked=question.name,
        called=question.called,
        node=vantage.node,
        pod=vantage.pod,
        reason=found.reason,
        way=Way(question.resolver),
        sent=found.asked,
        lost=found.asked - found.answered,
        times=tuple(each.seconds for each in replies if each.seconds is not None),
        facts={"addresses": " ".join(found.addresses)} if found.addresses else {},
        attempts=tuple(map(_attempt, replies)),
    )


def _attempt(reply: Reply) -> Attempt:
    lost = "refused" if reply.refused else "lost"
    return Attempt(
        seconds={"answer": reply.seconds} if reply.seconds is not None else {},
        failed="" if reply.rcode or reply.unable else "answer",
        reason="" if reply.rcode or reply.unable else lost,
        unable=reply.unable,
        answer=" ".join([reply.rcode, *reply.addresses]).strip(),
    )


async def _there(vantage: Vantage, questions: Sequence[Question], seconds: int) -> dict[Question, Reply]:
    names = {str(number): (each, secrets.randbelow(65536)) for number, each in enumerate(questions)}
    shots = [Shot(name, dns.command(each.resolver, each.name, ident, seconds)) for name, (each, ident) in names.items()]
    told = {each: Reply(unable="its answer was cut off") for each in questions}
    async with aclosing(volley(vantage, shots, seconds=seconds + 1, at_once=_AT_ONCE)) as completed:
        async for each in completed:
            question, ident = names[each.argv[0]]
            told[question] = dns.parse(each, ident)
    return told


async def _here(questions: Sequence[Question], seconds: int) -> dict[Question, Reply]:
    async with asyncio.TaskGroup() as tasks:
        asked = {each: tasks.create_task(_ask_here(each, seconds)) for each in questions}
    return {question: task.result() for question, task in asked.items()}


async def _ask_here(question: Question, seconds: int) -> Reply:
    ident = secrets.randbelow(65536)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in question.resolver else socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(0)  # as asyncio wants it
        began = time.perf_counter()
        try:
            wire.connect((question.resolver, 53))
            async with asyncio.timeout(seconds):
                await loop.sock_sendall(wire, dns.question(question.name, ident))
                while not (reply := dns.answer(await loop.sock_recv(wire, 65535), ident)).rcode:
                    pass  # not an answer to this question: wait for that
        except TimeoutError:
            return Reply()
        except OSError:
            return Reply(refused=True)
    return msgspec.structs.replace(reply, seconds=time.perf_counter() - began)
