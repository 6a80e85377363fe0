"""Client and server joined by a wire that loses, doubles, damages, splits and delays; a failure names its seed."""

import heapq
import itertools
import random

import pytest

from cosem.errors import TimedOut
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected
from cosem.protocol.link.hdlc import ClientSettings, HdlcAddress, HdlcClient, HdlcServer, Parameters, ServerSettings


class Wire:
    """Carries octets in both directions in order, with the faults of a bad line."""

    def __init__(self, seed, *, loss=0.0, double=0.0, damage=0.0, noise=0.0, latency=0.05, thinking=0.0):
        self.chance = random.Random(seed)
        self.loss, self.double, self.damage, self.noise = loss, double, damage, noise
        self.latency, self.thinking = latency, thinking
        self.now = 0.0
        self.queue = []
        self.number = itertools.count()
        self.last = {}

    def at(self, time, action):
        heapq.heappush(self.queue, (time, next(self.number), action))

    def carry(self, octets, receive):
        chance = self.chance
        if chance.random() < self.noise:
            octets = chance.randbytes(chance.randrange(12)) + octets
        if chance.random() < self.loss:
            octets = octets[: chance.randrange(len(octets))]  # all of it, or its end
        if chance.random() < self.damage:
            spoilt = bytearray(octets)
            for _ in range(min(len(spoilt), 3)):
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
            octets = bytes(spoilt)
        for _ in range(1 + (chance.random() < self.double)):
            time = max(self.last.get(receive, 0.0), self.now + self.latency * (0.5 + chance.random()))
            at = 0
            while at < len(octets):
                size = chance.randrange(1, 40)
                self.at(time, lambda piece=octets[at : at + size]: receive(piece))
                at += size
                time += 0.001
            self.last[receive] = time


def talk(wire, requests, client, server, *, connect=True):
    """Let the client put its requests one after the other; return what the server took and the client got."""
    taken, got, seen = [], [], []
    left = iter(requests)

    def respond(apdu):
        server.send(b"\xc4" + apdu[::-1], wire.now, client=16, server=1)

    def flush():
        for event in server.events():
            if isinstance(event, ApduReceived):
                taken.append(event.apdu)
                if wire.thinking:
                    wire.at(wire.now + wire.thinking * wire.chance.random(), lambda apdu=event.apdu: respond(apdu))
                else:
                    respond(event.apdu)
        for event in client.events():
            seen.append(type(event))
            if isinstance(event, ApduReceived):
                got.append(event.apdu)
            if isinstance(event, LinkConnected | ApduReceived):
                apdu = next(left, None)
                if apdu is None:
                    client.disconnect(wire.now)
                else:
                    client.send(apdu, wire.now)
        for engine, receive in ((client, server.receive), (server, client.receive)):
            octets = engine.outgoing()
            if octets:
                wire.carry(octets, carriers[receive])

    carriers = {}
    for receive in (server.receive, client.receive):
        carriers[receive] = lambda piece, receive=receive: receive(piece, wire.now)

    client.connect(wire.now)
    flush()
    for _ in range(200_000):
        due = [time for time in (client.deadline(), server.deadline()) if time is not None]
        if wire.queue and (not due or wire.queue[0][0] <= min(due)):
            wire.now, _, action = heapq.heappop(wire.queue)
            action()
        else:
            wire.now = max(wire.now, min(due))
            client.tick(wire.now)
            server.tick(wire.now)
        flush()
        if LinkDisconnected in seen:
            return taken, got
    raise AssertionError("the talk does not end")


def pair(parameters=None, **settings):
    settings = {
        "response_time_out": 1.0,
        "retransmissions": 25,
        "poll_interval": 0.2,
        "inter_octet_time_out": 0.3,
    } | settings
    client = HdlcClient(16, HdlcAddress.of(1, 17), parameters, ClientSettings(**settings))
    server = HdlcServer({1}, 17, parameters, ServerSettings(inter_octet_time_out=0.3))
    return client, server


def requests(seed):
    chance = random.Random(seed)
    return [b"\xc0" + chance.randbytes(chance.choice((1, 20, 124, 125, 126, 300, 900))) for _ in range(8)]


FAULTS = {
    "clean": {},
    "loss": {"loss": 0.15},
    "doubled": {"double": 0.3},
    "damage": {"damage": 0.15},
    "noise": {"noise": 0.3},
    "slow line": {"latency": 1.5},
    "slow server": {"thinking": 3.0},
    "all": {"loss": 0.05, "double": 0.1, "damage": 0.05, "noise": 0.1, "latency": 0.8, "thinking": 1.0},
}
SIZES = {
    "128": Parameters(),
    "one-sided": Parameters(64, 1024),
    "2030": Parameters(2030, 2030),
    "window 3": Parameters(128, 128, 3, 3),
    "window 7": Parameters(64, 64, 7, 7),
}


@pytest.mark.parametrize("parameters", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("seed", range(6))
def test_every_apdu_arrives_once_and_in_order(seed, faults, parameters):
    client, server = pair(parameters)
    asked = requests(seed)
    taken, got = talk(Wire(seed, **faults), asked, client, server)
    assert taken == asked
    assert got == [b"\xc4" + apdu[::-1] for apdu in asked]
    assert client.outgoing() == server.outgoing() == b""
    assert client.deadline() is None
    if not faults:
        assert client.counters["retransmissions"] == 0
        assert client.counters["stale_frames"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_dead_line_times_out(seed):
    client, server = pair(retransmissions=3)
    with pytest.raises(TimedOut) as timed_out:
        talk(Wire(seed, loss=1.0), requests(seed), client, server)
    assert timed_out.value.phase == "link"


def test_a_line_that_dies_midway():
    client, server = pair(retransmissions=3)
    wire = Wire(1)
    wire.at(1.0, lambda: setattr(wire, "loss", 1.0))
    with pytest.raises(TimedOut):
        talk(wire, requests(1) * 20, client, server)
    assert client.state.value == "disconnected"
    limit = server.deadline()
    assert limit is not None
    server.tick(limit + 2.0)
    server.tick(limit + 200.0)
    assert LinkDisconnected(16, 1) in server.events()


def test_round_trips_of_a_clean_exchange():
    client, server = pair()
    talk(Wire(0), [b"\xc0" + bytes(10)] * 10, client, server)
    assert client.counters["polls"] == 12  # SNRM, ten requests, DISC
    assert server.counters["frames_received"] == 12
