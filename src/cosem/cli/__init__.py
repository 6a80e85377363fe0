"""The command line: `cosem` and one module for each of its verbs.

Only this module may be imported without the extra `cli`; `main` then says what to install.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Final

NEEDED: Final = ("typer", "rich", "apsw")
"""The packages that the extra `cli` brings."""

BAD_USAGE: Final = 64
INTERRUPTED: Final = 130


def main() -> None:
    """Run the command that the program was called with; always ends with SystemExit."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"The command line needs {' and '.join(missing)}. Install it with: pip install 'cosem[cli]'\n")
        sys.exit(BAD_USAGE)
    try:
        from cosem.cli.app import run

        sys.exit(run())
    except KeyboardInterrupt:  # while the program is loaded; of a verb that runs `Root` says so
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
