"""Following a meter that only speaks, for `cosem listen`: its telegrams as they come, and the quality of the line."""

from __future__ import annotations

import sys
import time
from datetime import tzinfo
from typing import Final

from cosem.cli.failure import NOT_CONNECTED, SESSION_LOST, SOME_FAILED, Ended
from cosem.cli.report import put_json_line, say
from cosem.cli.telegrams import headings, plain, quality, set_aside, show
from cosem.cli.zone import LocalZone
from cosem.client.follow import Follower, reader_for
from cosem.client.reconnect import Reconnecting
from cosem.danger import Weakness, allow
from cosem.errors import ConfigurationError, ConnectionLost, TransportError
from cosem.io import blocking
from cosem.io.open import hear_blocking
from cosem.io.stream import Stream
from cosem.protocol.crypto.key import Key
from cosem.protocol.iec21 import Discarded
from cosem.protocol.iec21.p1 import PUBLISHED_AUTHENTICATION_KEY, P1Keys, Telegram
from cosem.protocol.profile.address import ONE_WAY, ConnectionUrl

FROM_FILE: Final = "file"
LOCAL_TIMES: Final = ("p1", "tic", "han")
"""Framings of meters that tell local time and not which, or not all of them."""


def is_one_way(url: str) -> bool:
    """Tell whether a URL is that of a meter that only speaks."""
    return url.strip().lower().partition("+")[0] in ONE_WAY


def p1_keys(
    encryption_key: Key | None, authentication_key: Key | None, titles: list[str], *, published: bool = True
) -> P1Keys | None:
    """Return the keys of an encrypted P1 meter or HAN port; its title is for one that does not tell it.

    Without an authentication key that of P1 is the published one, and pushes of a HAN port are encrypted alone.
    """
    if encryption_key is None:
        if authentication_key is not None or titles:
            raise ConfigurationError("--ak and --meter go with --ek")
        return None
    if len(titles) > 1:
        raise ConfigurationError("one meter is followed: give one --meter")
    try:
        title = bytes.fromhex(titles[0]) if titles else None
    except ValueError:
        raise ConfigurationError(f"--meter {titles[0]!r}: write 16 hex digits, as 4B464D1020304050") from None
    return P1Keys(
        encryption_key=encryption_key,
        authentication_key=authentication_key or (PUBLISHED_AUTHENTICATION_KEY if published else None),
        system_title=title,
    )


def follow(
    place: str,
    keys: P1Keys | None,
    zone: tzinfo,
    count: int | None,
    *,
    any_counter: bool,
    reconnect: bool,
    as_json: bool,
) -> None:
    """Show what a meter says until Ctrl-C, or `count` telegrams; then say how good the line was.

    A line that falls away is opened again with `reconnect`, unless it is a file; that of the beginning is not.
    """
    url = ConnectionUrl.parse(place)
    weak = [Weakness.REPLAYED_TELEGRAM] if any_counter else []
    if url.framing == "han" and keys is not None and keys.authentication_key is None:
        weak.append(Weakness.UNVERIFIED_CIPHERTEXT)
    reader = reader_for(url, keys, allow(*weak))
    for each in weak:
        say(f"warning: {each.value}")
    try:
        stream = hear_blocking(url)
    except TransportError as error:
        say(f"error: could not connect: {error}")
        raise Ended(NOT_CONNECTED) from None
    follower: Follower | Reconnecting
    if not reconnect or url.medium == FROM_FILE:
        follower = Follower(stream, reader)
    else:

        async def open_again() -> Stream:
            return hear_blocking(url)

        follower = Reconnecting(stream, reader, open_again, _pause, _tell)
    say(f"following {url}; stop with Ctrl-C")
    if url.framing in LOCAL_TIMES and isinstance(zone, LocalZone):
        say(zone.taken)
    try:
        sound = _follow(follower, zone, count, as_json=as_json, ends=url.medium == FROM_FILE)
    except ConnectionLost as error:
        say(f"error: the session was lost: {error}")
        raise Ended(SESSION_LOST) from None
    finally:
        blocking.run(follower.stream.close())
        say(f"line: {quality(follower.counters)}")
    if not sound:
        raise Ended(SOME_FAILED)


async def _pause(seconds: float) -> None:
    time.sleep(seconds)


def _tell(error: TransportError, seconds: float) -> None:
    say(f"the line fell away: {error}; it is opened again in {seconds:g} s")


def _follow(follower: Follower | Reconnecting, zone: tzinfo, count: int | None, *, as_json: bool, ends: bool) -> bool:
    """Return whether any telegram could be believed; `ends` when it is no fault that there are no more."""
    told = sound = 0
    while count is None or told < count:
        try:
            heard = blocking.run(follower.next())
        except ConnectionLost:
            if ends:
                break
            raise
        told += 1
        if as_json:
            described = {**plain(heard, zone), "line": dict(follower.counters)}
            put_json_line(described)
        elif isinstance(heard, Discarded):
            set_aside(heard)
        else:
            if not sound:
                headings()
            show(heard, zone)
        sound += not isinstance(heard, Discarded) and not (isinstance(heard, Telegram) and heard.error is not None)
        sys.stdout.flush()
    return sound > 0
