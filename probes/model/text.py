"""Cleaning of strings that come from outside: a node name or a message is hostile until it has been through here."""

from typing import Final

_REPLACEMENTS: Final = (
    {code: 0x2400 + code for code in range(0x20)}
    | {0x7F: 0x2421}
    | dict.fromkeys(
        (
            *range(0x80, 0xA0),  # C1: terminals obey U+009B as they obey ESC [
            0x061C,
            0x200B,
            0x200C,
            0x200D,
            0x200E,
            0x200F,
            *range(0x202A, 0x202F),
            *range(0x2060, 0x2070),  # word joiners, invisible operators and bidi isolates
            0x2028,
            0x2029,
            0xFEFF,
            *range(0xFFF9, 0xFFFC),
        ),
        0xFFFD,
    )
    | dict.fromkeys(range(0xD800, 0xE000), 0xFFFD)  # lone surrogates cannot be written to a terminal at all
    | dict.fromkeys(range(0xE0000, 0xE0080), 0xFFFD)  # tags: invisible text
)
_WITH_NEWLINES: Final = {code: to for code, to in _REPLACEMENTS.items() if code != ord("\n")}


def clean(text: str) -> str:
    """Make one line of outside text harmless: control, bidi and invisible characters become visible marks."""
    return text if text.isprintable() else text.translate(_REPLACEMENTS)


def clean_lines(text: str) -> str:
    """Make outside text harmless but keep its line breaks, for panes that show several lines."""
    return text if text.isprintable() else text.translate(_WITH_NEWLINES)
