"""The command `cosem`, under the profiler from SIGUSR1 on: it prints the share of each module in the time."""

import cProfile
import json
import pstats
import signal
import sys
from collections import Counter
from pathlib import Path

from cosem.cli.app import run

MOST = 24
LOOP = "runners.py"
"""The event loop, and in it the waiting, which the profiler cannot tell apart from its work."""

profiler = cProfile.Profile()
signal.signal(signal.SIGUSR1, lambda *_: profiler.enable())
run(sys.argv[1:])
profiler.disable()
taken = Counter()
for (path, _, name), (_, _, own, _, _) in pstats.Stats(profiler).stats.items():
    parts = Path(path).parts
    if "cosem" in parts:
        where = "/".join(parts[len(parts) - parts[::-1].index("cosem") :])
    else:
        where = name if path == "~" else Path(path).name
    taken[where] += own
taken.pop(LOOP, None)
whole = sum(taken.values())
print(json.dumps([[own / whole, where] for where, own in taken.most_common(MOST)]))
