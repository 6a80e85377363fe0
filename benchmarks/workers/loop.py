"""What every worker does: take the octets, then run the work it is asked for and say what it cost.

One JSON object per line in and out. {"given": …} hands over the octets (as hex) and the settings of the session;
{"check": work} answers {"result": …} in plain values, so that all workers can be compared; {"run": work, "count": n}
answers {"cpu": seconds of process time}; {"error": …} is the answer where a library cannot. A worker imports its own
library and this module, nothing else of the project.
"""

import contextlib
import hashlib
import json
import os
import sys
import time
from itertools import repeat
from pathlib import Path

given = {}


def serve(works):
    """Answer until the input ends. A work is a function that prepares and returns what is to be run (no arguments)."""
    answers, prepared = sys.stdout, {}
    # a library that prints must neither disturb the answers nor pay for it
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        for line in sys.stdin:
            try:
                answer = answered(json.loads(line), works, prepared)
            except Exception as error:  # the table says so in its place, and goes on
                answer = {"error": f"{type(error).__name__}: {error}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def answered(asked, works, prepared):
    if "given" in asked:
        given.update(octets_of(asked["given"]))
        return {"works": sorted(works)}
    name = asked.get("check") or asked["run"]
    if name not in works:
        raise LookupError("it has no such work")
    if name not in prepared:
        prepared[name] = works[name]()
    once = prepared[name]
    if "check" in asked:
        return {"result": plain(getattr(once, "tidy", plain)(once()))}
    return {"cpu": cost(once, asked["count"])}


def cost(once, count):
    began = time.process_time()
    for _ in repeat(None, count):
        once()
    return time.process_time() - began


def tidied(once, tidy):
    """The work, with a function that makes its result plain: for comparing, not part of what is measured."""
    once.tidy = tidy
    return once


def octets_of(values):
    return {name: bytes.fromhex(value) if isinstance(value, str) else value for name, value in values.items()}


def next_counter():
    """The first invocation counter of the next session: above all that any worker used before it on the same meter."""
    return int((time.monotonic() - given["began"]) * 100_000)


def plain(value):
    """The value in a form that is the same for all workers; long lists as their length and digest."""
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        if len(items) > 100:
            return [len(items), hashlib.sha256(json.dumps(items).encode()).hexdigest()]
        return items
    if value is None or isinstance(value, (bool, str)):
        return value
    number = float(value)
    return int(number) if number.is_integer() else number
