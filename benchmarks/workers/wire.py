"""Our client over HDLC as it comes: does the operations it is given, and prints what it read as the peers do."""

import json
import sys

from cosem import Client, ProfileGeneric, Register


def listed(meter, references):
    """The references are [class, name, attribute]; all of them are registers."""
    return [plain(each) for each in meter.many([Register(name).attribute(index) for _, name, index in references])]


def profile(meter, name):
    of = ProfileGeneric(name)
    _columns, rows = meter.many([of.capture_objects, of.buffer])
    return {"rows": [[plain(cell) for cell in row] for row in rows]}


def plain(value):
    return int(value) if isinstance(value, int) else str(value)


def main(port, operations):
    works = {"list": listed, "profile": profile}
    with Client.open(f"hdlc+tcp://127.0.0.1:{port}?client=16") as meter:
        results = [{"value": works[verb](meter, *words)} for verb, *words in json.loads(operations)]
    json.dump({"results": results}, sys.stdout)


main(*sys.argv[1:])
