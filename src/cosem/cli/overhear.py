"""`cosem listen --raw`: the octets of a line as they come, with what they look like and how good the line is."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict
from datetime import datetime

from cosem.cli.failure import Ended, Phase, complain, exit_code
from cosem.cli.report import put, put_json_line, say
from cosem.errors import ConfigurationError, CosemError
from cosem.io import blocking
from cosem.io.capture import TraceEntry
from cosem.io.open import open_raw
from cosem.io.stream import Stream, counted
from cosem.protocol.profile.address import ConnectionUrl
from cosem.protocol.profile.overheard import Overheard


def overhear(text: str, seconds: float | None, *, as_json: bool) -> None:
    """Show what a line carries until Ctrl-C, or for so long; what the line was like is told at the end."""
    url = ConnectionUrl.parse(text)
    try:
        stream = open_raw(url)
    except ConfigurationError:
        raise
    except CosemError as error:
        complain(error, Phase.CONNECTING, url)
        raise Ended(exit_code(error, Phase.CONNECTING)) from None
    heard = Overheard()
    say(f"listening: {url.interpreted()}; stop with Ctrl-C")
    try:
        blocking.run(_hear(stream, heard, seconds, as_json=as_json))
    except CosemError as error:
        complain(error, Phase.CONNECTED, url)
        raise Ended(exit_code(error, Phase.CONNECTED)) from None
    finally:
        _sum_up(heard, stream, as_json=as_json)
        with contextlib.suppress(CosemError):
            blocking.run(stream.close())


async def _hear(stream: Stream, heard: Overheard, seconds: float | None, *, as_json: bool) -> None:
    end = None if seconds is None else stream.now() + seconds
    while end is None or stream.now() < end:
        octets = await stream.read(end)
        if not octets:
            continue
        known = [each.name for each in heard.receive(octets, stream.now())]
        time = datetime.now().astimezone()
        if as_json:
            put_json_line({"time": time.isoformat(), "octets": octets.hex().upper(), "recognised": known})
        else:
            put(str(TraceEntry("RX", octets, time.strftime("%H:%M:%S.%f")[:-3])))
        sys.stdout.flush()
        if not as_json:
            for name in known:
                say(f"  {name}")


def _sum_up(heard: Overheard, stream: Stream, *, as_json: bool) -> None:
    errors = counted(stream)
    if as_json:
        put_json_line({"quality": {**asdict(heard.quality), **errors}, "recognised": dict(heard.counters)})
        return
    quality = heard.quality
    say(f"octets:     {quality.octets}, {quality.unknown} of them in no telegram that is known")
    say(f"gaps:       {quality.gaps}, the longest {quality.longest_gap:.1f} s")
    for name, count in errors.items():
        say(f"{name.replace('_', ' ') + ':':<11} {count}")
    for name, count in heard.counters.items():
        say(f"recognised: {count} x {name}")
    if not quality.octets:
        say("  try: the head on the meter, the right way up; another baud; many meters speak only when asked")
    elif heard.looks_like_parity():
        say("  try: format=7E1, or parity=software on a line that stays 8N1: every octet has even parity")
    elif not heard.counters:
        say("  try: another baud or format: these octets are no telegram that is known here")
