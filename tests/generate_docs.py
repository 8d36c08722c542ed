"""Writes what is generated from the code; a test fails where a file is not as this makes it."""

from collections.abc import Mapping
from pathlib import Path

from probes.rules.manual import findings_document
from tui.cli.status_document import schema

DOCS = Path(__file__).parent.parent / "docs"


def generated() -> Mapping[Path, str]:
    return {DOCS / "status-schema.json": schema(), DOCS / "findings.md": findings_document()}


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")
