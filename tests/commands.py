"""Commands of `cosem` that a test only waits for: run in the process of the tests, which has imported all of it.

What a process of its own does (signals, pipes, how it starts and ends) is asked of processes, in
`tests/unit/cli/test_programs.py` and wherever a command goes on beside the test.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from typer.testing import CliRunner

from cosem.cli.app import app


def cosem(*words: str, state: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end; what survives it is kept in `state`."""
    ran = CliRunner().invoke(app, words, env={"XDG_STATE_HOME": str(state)}, prog_name="cosem")
    if ran.exception is not None and not isinstance(ran.exception, SystemExit):
        raise ran.exception
    return subprocess.CompletedProcess(words, ran.exit_code, ran.stdout, ran.stderr)
