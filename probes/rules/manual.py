"""Manual: what every finding means, one page a code; explain, the screens and docs/findings.md all show these."""

from functools import cache
from importlib import resources
from typing import Final

import msgspec

from probes.rules.codes import FAMILIES

SECTIONS: Final = (
    "What it means",
    "How it is detected",
    "What it does not mean",
    "Verify by hand",
    "Repair",
    "Incident",
)
"""In this order; only the incident may be left out, where a code comes from none."""


class Page(msgspec.Struct, frozen=True):
    """What a code means."""

    code: str
    family: str
    title: str
    """One sentence."""
    text: str
    """Markdown: the sections, as second-level headings."""

    @property
    def sections(self) -> dict[str, str]:
        """The sections by heading."""
        parts = [part.partition("\n") for part in f"\n{self.text}".split("\n## ")[1:]]
        return {heading.strip(): body.strip() for heading, _, body in parts}


@cache
def pages() -> dict[str, Page]:
    """Read every page, by code, in the order of the families."""
    found: dict[str, Page] = {}
    folder = resources.files("probes.rules.pages")
    for family in FAMILIES:
        file = folder / f"{family}.md"
        if not file.is_file():
            continue
        for part in f"\n{file.read_text(encoding='utf-8')}".split("\n# ")[1:]:
            code, _, rest = part.partition("\n")
            title, _, text = rest.strip().partition("\n")
            found[code.strip()] = Page(code.strip(), family, title.strip(), text.strip() + "\n")
    return found


def findings_document() -> str:
    """Write docs/findings.md: an index and every page."""
    head = [
        "# Findings",
        "",
        "What underlay calls by name, the deeper layers first. `underlay explain CODE` prints one of these pages.",
    ]
    for family in dict.fromkeys(page.family for page in pages().values()):
        head += ["", f"**{family}**", ""]
        head += [f"- [{p.code}](#{p.code}): {p.title}" for p in pages().values() if p.family == family]
    body = [
        f"## {page.code}\n\n*{page.title}*\n\n" + page.text.replace("\n## ", "\n### ").replace("## ", "### ", 1)
        for page in pages().values()
    ]
    return "\n".join(head) + "\n\n" + "\n".join(body)
