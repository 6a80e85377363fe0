"""Write the table of all interface classes into docs/classes.md: `make docs`."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from cosem.cli.classes import HEADINGS, NUMBERS, every, group, row

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "classes.md"

BEGIN = "<!-- classes: written by tools/classes.py -->\n"


def tables() -> str:
    """Return the classes as Markdown: a table for each group, in the order of the first class of each."""
    declared = list(every())
    order = {name: number for number, name in enumerate(dict.fromkeys(map(group, declared)))}
    lines = [f"\n{len({each.class_id for each in declared})} classes in {len(declared)} versions."]
    for name, members in groupby(sorted(declared, key=lambda each: order[group(each)]), key=group):
        lines += [f"\n## {name[:1].upper()}{name[1:]}\n", _line(HEADINGS)]
        lines.append(_line("---:" if heading in NUMBERS else "---" for heading in HEADINGS))
        lines += [_line(row(each)) for each in members]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Write the tables behind what people have written."""
    kept, _, _ = DOCUMENT.read_text("utf-8").partition(BEGIN)
    DOCUMENT.write_text(kept + BEGIN + tables(), "utf-8")


if __name__ == "__main__":
    main()
