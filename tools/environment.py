"""Makes the project's environments: `.venv` for the project and one under `.peers/` for each set of peers.

Runs under any Python 3 of the machine and does nothing when nothing changed: each environment carries a stamp of what
it was made from. The sets of peers are the requirement files beside the drivers in `tests/interop/peers/`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
PROJECT = ROOT / ".venv"
PEERS = ROOT / ".peers"
PEER_SETS = ROOT / "tests" / "interop" / "peers"
EXTRAS = "cli,serial,columns,sml,gateway,opcua,fleet"
OLDEST = (3, 11)


def main() -> int:
    if sys.version_info < OLDEST:
        return with_newer_python()
    with Path(__file__).open() as own_text:
        fcntl.flock(own_text, fcntl.LOCK_EX)  # two `make` at once: the second waits, then finds all done
        try:
            make_all()
        except subprocess.CalledProcessError as failed:
            return refuse(f"set-up stopped: {' '.join(map(str, failed.cmd))} gave exit code {failed.returncode}")
        except MissingPackage as missing:
            return refuse(str(missing))
    return 0


def make_all() -> None:
    make(PROJECT, [ROOT / "pyproject.toml", CONSTRAINTS], install_project)
    for group in sys.argv[1:]:  # what one command needs besides
        pip(PROJECT, "install", "--group", f"{ROOT}/pyproject.toml:{group}")
    for requirements in sorted(PEER_SETS.glob("*.txt")):
        make(PEERS / requirements.stem, [requirements, CONSTRAINTS], install_peers)
    want("mosquitto", "mosquitto")  # the broker
    want("chromium", "chromium")  # the browser that pages are tried in


def make(place: Path, sources: list[Path], install) -> None:  # type: ignore[no-untyped-def]
    """Bring one environment up to date: nothing, an install over what is there, or all of it anew."""
    stamp, wanted = place / "made-from", state(sources)
    if stamp.is_file() and stamp.read_text() == wanted and interpreter(place).exists():
        return
    began = time.monotonic()
    say(f"making {place.relative_to(ROOT)} with Python {sys.version.split()[0]} (about a minute the first time)")
    have = stamp.read_text() if stamp.is_file() else ""
    stamp.unlink(missing_ok=True)
    if have.partition("\n")[0] != wanted.partition("\n")[0]:  # another interpreter, another folder, or a broken start
        need_venv()
        run(sys.executable, "-m", "venv", "--clear", *(() if place == PROJECT else ("--without-pip",)), place)
    install(place, sources)
    stamp.write_text(wanted)
    say(f"made {place.relative_to(ROOT)} in {time.monotonic() - began:.0f} s")


def install_project(place: Path, _: list[Path]) -> None:
    # pip first: the one that comes with an older Python knows no dependency groups
    pip(place, "install", "pip", "setuptools")
    pip(place, "install", "--no-build-isolation", "--editable", f"{ROOT}[{EXTRAS}]", "--group", "dev")


def install_peers(place: Path, sources: list[Path]) -> None:
    pip(place, "install", "--requirement", sources[0], constraints=constraints_beside(place, sources[0]))


def constraints_beside(place: Path, requirements: Path) -> Path:
    """Return the constraints without the lines of packages that a set of peers pins itself, in another version."""
    pinned = {name(line) for line in requirements.read_text().splitlines()}
    kept = [line for line in CONSTRAINTS.read_text().splitlines() if name(line) not in pinned]
    path = place / "constraints.txt"
    path.write_text("\n".join(kept) + "\n")
    return path


def name(line: str) -> str:
    return line.partition("==")[0].partition("[")[0].strip()


def pip(place: Path, *words: str | Path, constraints: Path = CONSTRAINTS) -> None:
    """The project's pip installs into every environment, so that the peers' need none of their own."""
    elsewhere = () if place == PROJECT else ("--python", interpreter(place))
    options = ("-qq", "--no-input", "--disable-pip-version-check")
    run(interpreter(PROJECT), "-m", "pip", *options, *elsewhere, *words, "--constraint", constraints)


def state(sources: list[Path]) -> str:
    """What an environment is made from: the interpreter and the folder (first line), and the files."""
    files = hashlib.sha256(b"\0".join(source.read_bytes() for source in (*sources, Path(__file__)))).hexdigest()
    return f"{sys.base_prefix} {sys.version.split()[0]} {ROOT}\n{files}\n"


def interpreter(place: Path) -> Path:
    return place / "bin" / "python"


def with_newer_python() -> int:
    """Start again under a newer Python of this machine."""
    for name in ("python3.14", "python3.13", "python3.12", "python3.11"):
        newer = shutil.which(name)
        if newer is not None and subprocess.run((newer, "-c", ""), capture_output=True).returncode == 0:
            os.execv(newer, (newer, __file__))
    found, oldest = (".".join(map(str, version[:2])) for version in (sys.version_info, OLDEST))
    return refuse(f"Python {oldest} or newer is needed and this is {found}. Name one: make setup PYTHON=python3.12")


class MissingPackage(Exception):
    """A Debian package is missing and only the user can install it."""


def need_venv() -> None:
    """Debian keeps what `python3 -m venv` needs in a package of its own."""
    if subprocess.run((sys.executable, "-c", "import ensurepip, venv"), capture_output=True).returncode == 0:
        return
    package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise MissingPackage(f"this Python cannot make environments yet. Type: sudo apt-get install -y {package}")
    say(f"installing the Debian package {package}")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", package)


def want(program: str, package: str) -> None:
    """Install what tests start for themselves; who may not install it is told by the tests that need it."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    if shutil.which(program, path=places) or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    say(f"installing the Debian package {package}")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)


def run(*words: str | Path) -> None:
    subprocess.run(words, check=True, cwd=ROOT, stdin=subprocess.DEVNULL)


def say(text: str) -> None:
    print(f"setup: {text}", file=sys.stderr, flush=True)


def refuse(text: str) -> int:
    say(text)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
