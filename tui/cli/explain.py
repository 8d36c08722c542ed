"""``underlay explain``: what a finding means, how to see it by hand and how to repair it."""

import difflib
import sys
from collections.abc import Iterator

from probes.rules.manual import Page, pages
from tui.cli.arguments import Arguments
from tui.cli.grid import paper_for, wrap
from tui.cli.output import write
from tui.cli.place import Place, PlaceError


async def run(arguments: Arguments, _place: Place) -> int:
    """Print the page of a code, or the list of all codes; raises PlaceError for a code there is none of."""
    known = pages()
    if not arguments.code:
        write("\n".join(_index(known)) + "\n")
        return 0
    page = known.get(arguments.code)
    if page is None:
        near = difflib.get_close_matches(arguments.code, known, 3, 0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; underlay explain lists them all"
        raise PlaceError(f"there is no finding {arguments.code!r}{hint}")
    write("\n".join(_page(page, paper_for(sys.stdout).width)) + "\n")
    return 0


def _index(known: dict[str, Page]) -> Iterator[str]:
    width = max(map(len, known))
    family = ""
    for page in known.values():
        if page.family != family:
            yield from ("", page.family) if family else (page.family,)
            family = page.family
        yield f"  {page.code:<{width}}  {page.title}"


def _page(page: Page, width: int) -> Iterator[str]:
    """Write a page as plain text: headings by themselves, text as wide as the paper, commands as they are."""
    yield from wrap(f"{page.code}: {page.title}", width)
    for heading, body in page.sections.items():
        yield from ("", heading.upper())
        inside = False
        text: list[str] = []
        for line in (*body.splitlines(), ""):
            fence = line.startswith("```")
            if text and (fence or inside or not line or line.startswith(("- ", "1. ", "2. ", "3. "))):
                yield from _paragraph(" ".join(text), width)
                text = []
            if fence:
                inside = not inside
            elif inside:
                yield f"    {line}"
            elif line:
                text.append(line)


def _paragraph(text: str, width: int) -> Iterator[str]:
    """Wrap a paragraph; the further lines of a list's item stand under its first word."""
    indent = " " * (len(text.split(" ", 1)[0]) + 1) if text.startswith(("- ", "1. ", "2. ", "3. ")) else ""
    first, *rest = wrap(text, width - len(indent)) or [""]
    yield first
    yield from (f"{indent}{line}" for line in rest)
