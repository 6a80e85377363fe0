"""What the page tells of a gateway, as plain values for JSON."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from cosem.client.explain import explain
from cosem.gateway.frames import Kept
from cosem.gateway.line import Attended
from cosem.gateway.northbound.text import words
from cosem.gateway.value import Sample

WAITING: Final = "not asked yet"
FOUND: Final = "answers"
LOST: Final = "lost"


def device(attended: Attended, kept: Kept | None) -> dict[str, Any]:
    """Return how a device fares: its state, why and what to try, its line, counters, and qualities of its signals."""
    row = attended.device
    state = LOST if attended.lost else WAITING if attended.last_success is None else FOUND
    error = attended.last_error
    meaning = None if error is None else explain(error)
    qualities = Counter(_quality(each) for each in attended.last.values())
    return {
        "device": row.alias,
        "name": row.name,
        "description": row.description,
        "driver": row.driver.value,
        "line": row.parameters.line,
        "state": state,
        "lost_since": None if attended.lost_since is None else attended.lost_since.isoformat(),
        "last_success": None if attended.last_success is None else attended.last_success.isoformat(),
        "error": None if error is None else str(error),
        "causes": [] if meaning is None else list(meaning.causes),
        "remedy": "" if meaning is None else meaning.remedy,
        "signals": len(attended.signals),
        "qualities": dict(sorted(qualities.items())),
        "counters": {
            "scans": attended.scans,
            "retries": attended.retries,
            "failures": attended.failures,
            "time-outs": attended.timeouts,
            "overruns": attended.overruns,
            **({} if kept is None else _of_the_line(kept)),
        },
    }


def _of_the_line(kept: Kept) -> dict[str, int]:
    sent, received = kept.octets["TX"], kept.octets["RX"]
    return {"exchanges": kept.exchanges, "octets sent": sent, "octets received": received}


def output(name: str, running: Any) -> dict[str, Any]:
    """Return how an output fares."""
    return {
        "output": name,
        "kind": running.row.kind,
        "address": running.row.address,
        "published": running.published,
        "failures": running.failures,
        "error": running.last_error,
    }


def frames(kept: Kept) -> list[dict[str, Any]]:
    """Return the last frames of a device, decoded."""
    return [
        {
            "direction": each.direction,
            "time": each.time,
            "octets": each.octets,
            "summary": each.summary,
            "lines": list(each.lines),
        }
        for each in kept.decoded()
    ]


def _quality(sample: Sample) -> str:
    return words(sample.quality)[0]
