"""Draw docs/demo.svg, the picture of the README, from what `cosem demo` really prints."""

from __future__ import annotations

import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 159
ROWS = 22
"""Rows of the table that are drawn; the rest is dots."""


def main() -> None:
    with TemporaryDirectory() as elsewhere:
        done = subprocess.run(
            [sys.executable, "-m", "cosem", "demo"], cwd=elsewhere, capture_output=True, text=True, check=True
        )
        closing = done.stderr[done.stderr.index("20 meters read") :].replace(str(Path(elsewhere).resolve()) + "/", "")
    table = done.stdout.splitlines()[: ROWS + 2]
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print(Text("$ make demo", style="bold green"))
    for line in [*table, "…", *closing.rstrip().splitlines()]:
        console.print(Text(line[:WIDTH], no_wrap=True))
    picture = console.export_svg(title="cosem demo")
    # The picture stands alone: fonts are those of whoever looks at it.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (ROOT / "docs" / "demo.svg").write_text(picture + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
