"""What blocks say, for tests that read them."""

from collections.abc import Iterable

from tui.format import UNICODE, Glyphs, width
from tui.widgets.blocks import Block, Line

NOW = 1060.0


def lines(blocks: Iterable[Block], cells: int = 100, glyphs: Glyphs = UNICODE) -> list[Line]:
    return [line for block in blocks for line in block.lines(cells, glyphs)]


def said(blocks: Iterable[Block], cells: int = 100, glyphs: Glyphs = UNICODE) -> str:
    return "\n".join(line.text(NOW, glyphs) for line in lines(blocks, cells, glyphs))


def tones(blocks: Iterable[Block], text: str, cells: int = 100) -> set[str]:
    """Tell the tones in which a text is said."""
    return {span.tone for line in lines(blocks, cells) for span in line.spans(NOW, UNICODE) if text in span.text}


def widest(blocks: Iterable[Block], cells: int, glyphs: Glyphs = UNICODE) -> int:
    return max((width(line.text(NOW, glyphs)) for line in lines(blocks, cells, glyphs)), default=0)
