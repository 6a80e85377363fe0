"""How long each phase of a session may take, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """A client's patience: to connect, set up the link, associate, get an answer or its next part, release.

    Within an answer `first_octet` bounds the silence before it begins, `inter_octet` every silence once it has begun,
    `answer` the whole of it however long its parts keep coming, and `session` all from connecting on; 0 does not.
    `response` is started again by each part of an answer.

    After `repeat` seconds of silence lost blocks of general block transfer are asked for again, on media that lose
    them; with 0 never.
    """

    connect: float = 10.0
    link: float = 10.0
    association: float = 10.0
    response: float = 10.0
    release: float = 3.0
    repeat: float = 0.0
    first_octet: float = 0.0
    inter_octet: float = 0.0
    answer: float = 0.0
    session: float = 0.0


@dataclass(frozen=True, slots=True)
class ServerTiming:
    """A server's patience: silence on a connection, and time for the client's proof in HLS authentication."""

    idle: float = 120.0
    proof: float = 10.0
