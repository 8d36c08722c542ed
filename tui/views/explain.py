"""What a finding means: the page of ``underlay explain`` as a document."""

from collections.abc import Iterator

from probes.rules.manual import Page
from tui.format import Span
from tui.widgets.blocks import Block, Bullet, Heading, Paragraph, sections

_ITEM = ("- ", "1. ", "2. ", "3. ", "4. ", "5. ", "6. ", "7. ", "8. ", "9. ")


def page_document(page: Page) -> tuple[Block, ...]:
    """Lay a page out: its title, then its sections, commands as they are to be typed."""
    parts = [(Heading(name), list(_blocks(body))) for name, body in page.sections.items()]
    return (Paragraph(page.title, "header"), *sections(parts))


def _blocks(body: str) -> Iterator[Block]:
    """Read the little Markdown that pages are written in: paragraphs, lists and fenced commands."""
    text: list[str] = []
    inside = False
    for line in (*body.splitlines(), ""):
        fence = line.startswith("```")
        if text and (fence or inside or not line or line.startswith(_ITEM)):
            yield _paragraph(" ".join(text))
            text = []
        if fence:
            inside = not inside
        elif inside:
            yield Paragraph(line, "accent", indent=4)
        elif line:
            text.append(line.strip())


def _paragraph(text: str) -> Block:
    if text.startswith(_ITEM):
        sign, _, rest = text.partition(" ")
        return Bullet(Span(sign, "muted"), rest)
    return Paragraph(text)
