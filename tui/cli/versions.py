"""HTTP/1.1 and HTTP/2 side by side: a row each, where one of them fails every time and the other does not."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from probes.model.reach import Result

_APART: Final = frozenset({"h2-only-fails", "h1-only-fails"})
_SHORT: Final = {"HTTP/1.1": "h1", "HTTP/2": "h2"}


def side_by_side(results: Iterable[Result]) -> Iterator[Result]:
    """Give each result, or where its versions part, one for each of them: ``boromir h1`` and ``boromir h2``."""
    for each in results:
        if each.outcome not in _APART:
            yield each
            continue
        for variant, name in _SHORT.items():
            yield _of_one(each, variant, f"{each.vantage} {name}")


def _of_one(result: Result, variant: str, name: str) -> Result:
    own = tuple(each for each in result.attempts if each.variant == variant and not each.unable)
    failed = [each for each in own if each.failed]
    answers = [each.answer for each in own if each.well and each.answer]
    word = answers[-1].partition(" ")[0] if answers and answers[-1][:1].isdecimal() else ""
    return msgspec.structs.replace(
        result,
        vantage=name,
        tone="critical" if failed else "ok",
        said=f"fails at {failed[-1].failed}" if failed else f"ok {word}".strip(),
        sent=len(own),
        lost=len(failed),
        times=tuple(each.total for each in own if each.well),
        facts=_facts(result, variant, failed=bool(failed)),
        attempts=own,
    )


def _facts(result: Result, variant: str, *, failed: bool) -> dict[str, str]:
    if failed:
        return {name: value for name, value in result.facts.items() if name != "pack"} | {"spoken": ""}
    return {**result.facts, "spoken": variant.removeprefix("HTTP/")}
