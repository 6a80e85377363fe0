"""`make fuzz`: lets a coverage-guided fuzzer at each boundary for a bounded time, and keeps what it finds.

    make fuzz                                   # every boundary, 30 seconds each
    make fuzz ARGS="--seconds 600 hdlc apdu"

An input that breaks something is put into `tests/fuzz/corpus/`, where `make test` finds it again, and the command
fails. With `--grow`, inputs that reach new code are put there as well, the smallest of them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from fuzz.boundaries import BOUNDARIES
from fuzz.corpus import found, keep, known

LARGEST = 600
"""Octets of an input."""
KEPT = 80
"""Inputs kept for a boundary by `--grow`."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("boundaries", nargs="*", choices=[*BOUNDARIES, []], help="all of them when none is named")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--grow", action="store_true", help="keep inputs that reach new code")
    parser.add_argument("--under", metavar="FOLDER", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.under:
        return under_the_fuzzer(options.boundaries[0], rest)
    broken = [name for name in options.boundaries or BOUNDARIES if not fuzzed(name, options.seconds, options.grow)]
    if broken:
        print(f"broken: {', '.join(broken)}; the inputs are in tests/fuzz/corpus, and make test shows them")
    return len(broken) > 0


def fuzzed(name: str, seconds: int, grow: bool) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        inputs, faults = Path(folder, "inputs"), Path(folder, "faults")
        for place in (inputs, faults):
            place.mkdir()
        for number, octets in enumerate([*found(name), *known()]):
            Path(inputs, f"seed{number}").write_bytes(octets)
        # Each in a process of its own: the fuzzer ends the one it runs in.
        words = ["-m", "fuzz", name, "--under", folder, str(inputs), f"-artifact_prefix={faults}/"]
        words += [f"-max_total_time={seconds}", f"-max_len={LARGEST}", "-timeout=10", "-rss_limit_mb=2048"]
        print(f"fuzzing {name} for {seconds} s", flush=True)
        ran = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        summary = [line for line in ran.stderr.splitlines() if line.startswith("Done") or " DONE " in line]
        print("\n".join(summary) or ran.stderr[-4000:], flush=True)
        faulty = [path.read_bytes() for path in sorted(faults.iterdir())]
        new = [path.read_bytes() for path in inputs.iterdir() if not path.name.startswith("seed")]
        keep(name, faulty + (sorted(new, key=len)[:KEPT] if grow else []))
        if faulty:
            print(ran.stderr[-4000:])
        return ran.returncode == 0 and not faulty


def under_the_fuzzer(name: str, rest: list[str]) -> int:
    try:
        import atheris
    except ImportError:
        print("the fuzzer atheris is missing and comes with: make fuzz (it has no wheel for every Python)")
        return 1
    with atheris.instrument_imports(include=["cosem"]):
        for module in [
            module for module in sys.modules if module.split(".")[0] in ("cosem", "fuzz", "general", "pair")
        ]:
            if module != "fuzz.__main__":
                del sys.modules[module]
        from fuzz.boundaries import BOUNDARIES as instrumented
    atheris.Setup([sys.argv[0], *rest], instrumented[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
