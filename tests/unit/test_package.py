"""What `import cosem` costs and gives, here and on systems that lack what Unix has."""

from __future__ import annotations

import subprocess
import sys

import cosem

ON_WINDOWS = """
import sys, types
import cosem

def everything():
    for name in cosem.__all__:
        getattr(cosem, name)

everything()  # so that the standard library is loaded before the system is said to be another
for name in [name for name in sys.modules if name.split(".")[0] == "cosem"]:
    del sys.modules[name]

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in unix:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

unix = {"fcntl", "termios", "tty", "pty", "pwd", "grp", "resource", "syslog"}
for name in unix:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Absent())
sys.platform = "win32"
sys.modules["msvcrt"] = types.ModuleType("msvcrt")
import cosem
everything()
"""

LAZY = """
import sys
before = set(sys.modules)
import cosem
loaded = {name for name in set(sys.modules) - before if name.startswith("cosem.")}
assert not loaded, loaded
cosem.Register
assert not {"apsw", "numpy", "pyarrow", "serial", "typer", "rich"} & set(sys.modules)
"""


def run(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_name_of_the_paved_path_is_there() -> None:
    for name in cosem.__all__:
        assert getattr(cosem, name) is not None
    assert set(cosem.__all__) <= set(dir(cosem))


def test_about_twenty_names() -> None:
    assert len(cosem.__all__) <= 24


def test_importing_costs_nothing_and_no_extra_is_needed() -> None:
    run(LAZY)


def test_it_imports_on_windows() -> None:
    run(ON_WINDOWS)
