"""Whatever the octets and however they are cut, links deliver the same, and raise nothing but what they promise."""

from collections import Counter
from contextlib import suppress
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from cosem.errors import LocalProtocolError, RemoteProtocolError, TimedOut
from cosem.protocol.link import ApduReceived, LinkConnected, dissect
from cosem.protocol.link.hdlc import (
    ClientSettings,
    Frame,
    FrameReader,
    HdlcAddress,
    HdlcClient,
    HdlcListener,
    HdlcServer,
    Parameters,
    Tolerance,
)
from cosem.protocol.link.hdlc.frame import encode
from cosem.protocol.link.wrapper import WrapperClient, WrapperServer

addresses = st.one_of(
    st.builds(lambda upper: HdlcAddress(upper, None, 1), st.integers(0, 0x7F)),
    st.builds(lambda upper, lower: HdlcAddress(upper, lower, 2), st.integers(0, 0x7F), st.integers(0, 0x7F)),
    st.builds(lambda upper, lower: HdlcAddress(upper, lower, 4), st.integers(0, 0x3FFF), st.integers(0, 0x3FFF)),
)
frames = st.builds(
    Frame,
    addresses.map(HdlcAddress.encode),
    addresses.map(HdlcAddress.encode),
    st.integers(0, 255),
    st.binary(max_size=200),
    st.booleans(),
)
information = st.one_of(
    st.binary(max_size=140),
    st.binary(max_size=20).map(lambda octets: b"\xe6\xe6\x00" + octets),
    st.binary(max_size=20).map(lambda octets: b"\xe6\xe7\x00" + octets),
    st.just(Parameters(256, 256, 3, 3).encode()),
)
controls = st.one_of(st.sampled_from([0x93, 0x53, 0x73, 0x1F, 0x97, 0x13, 0x03, 0x10, 0x11, 0x15]), st.integers(0, 255))
noise = st.one_of(
    st.binary(max_size=30), st.just(b"\x7e"), st.just(b"\x7e\xa0\x40"), st.builds(lambda f: f.encode()[:-4], frames)
)


def streams(*kinds):
    return st.lists(st.one_of(*kinds), max_size=12).map(b"".join)


def cut(octets, points):
    points = sorted({point % (len(octets) + 1) for point in points} | {0, len(octets)})
    return [octets[start:stop] for start, stop in pairwise(points)]


cuts = st.lists(st.integers(0, 5000), max_size=20)


@given(addresses)
def test_addresses_round_trip(address):
    assert HdlcAddress.decode(address.encode()) == address


@given(frames)
def test_frames_round_trip(frame):
    assert Frame.decode(frame.encode()) == frame


@given(st.builds(Parameters, *[st.integers(8, 2030)] * 2, *[st.integers(1, 7)] * 2), st.sampled_from([1, 4]))
def test_parameters_round_trip(parameters, octets):
    assert Parameters.decode(parameters.encode(octets)) == parameters


def read(pieces):
    reader = FrameReader(Counter())
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.frame()) is not None:
            found.append(frame)
        assert reader.waiting <= 2 * 2047
    return found, reader.counters


@given(streams(frames.map(Frame.encode), noise), cuts)
def test_frames_are_the_same_however_they_are_cut(octets, points):
    found, counters = read([octets])
    pieces, counted = read(cut(octets, points))
    assert pieces == found
    assert counted["frames_received"] == counters["frames_received"]


@given(st.lists(frames, max_size=6), st.binary(max_size=40).filter(lambda octets: 0x7E not in octets))
def test_frames_between_garbage_are_all_found(sent, garbage):
    found, _ = read([garbage.join([b"", *(frame.encode() for frame in sent), b""])])
    assert found == sent


@given(frames, st.integers(0, 10_000), st.integers(0, 7))
def test_one_damaged_bit_is_never_accepted(frame, at, bit):
    octets = bytearray(frame.encode())
    octets[at % len(octets)] ^= 1 << bit
    found, _ = read([bytes(octets)])
    assert found == []


@given(streams(frames.map(Frame.encode), noise))
def test_dissection_covers_everything(octets):
    for dissected in (dissect.hdlc(octets), dissect.wrapped(octets)):
        end = 0
        for node in dissected:
            assert end - 1 <= node.offset <= end
            end = node.offset + node.length
        assert end == len(octets)


def from_client(own=b"\x02\x23", peer=b"\x21"):
    return st.builds(encode, st.just(own), st.just(peer), controls, information, st.booleans())


@given(streams(from_client(), from_client(), noise), cuts, st.lists(st.floats(0, 3), max_size=5), st.booleans())
def test_no_octets_upset_a_server(octets, points, pauses, answers):
    server = HdlcServer({1, 2}, 17, Parameters(256, 256, 3, 3))
    now = 0.0
    for number, piece in enumerate(cut(octets, points)):
        server.receive(piece, now)
        if pauses:
            now += pauses[number % len(pauses)]
            server.tick(now)
        for event in server.events():
            if isinstance(event, ApduReceived) and not event.unsolicited and answers:
                with suppress(LocalProtocolError):  # the connection may have gone away in the same piece
                    server.send(b"\xc4" * 300, now, client=event.client, server=event.server)
        assert all(frame.destination == b"\x21" for frame in read([server.outgoing()])[0])


@given(
    streams(from_client(b"\x21", b"\x02\x23"), from_client(b"\x21", b"\x02\x23"), noise),
    cuts,
    st.lists(st.floats(0, 10), max_size=5),
    st.sampled_from([Tolerance.NONE, ClientSettings().tolerances]),
    st.sampled_from(["connecting", "connected", "asking", "leaving"]),
)
def test_octets_upset_a_client_only_as_promised(octets, points, pauses, tolerances, state):
    client = HdlcClient(
        16, HdlcAddress.of(1, 17), settings=ClientSettings(tolerances=tolerances, response_time_out=4.0)
    )
    client.connect(0.0)
    if state != "connecting":
        client.receive(encode(b"\x21", b"\x02\x23", 0x73), 0.0)
    if state == "asking":
        client.send(b"\xc0" * 300, 0.0)
    if state == "leaving":
        client.disconnect(0.0)
    now = 0.0
    try:
        for number, piece in enumerate(cut(octets, points)):
            client.receive(piece, now)
            if pauses:
                now += pauses[number % len(pauses)]
                client.tick(now)
    except (RemoteProtocolError, TimedOut) as error:
        assert getattr(error, "layer", "HDLC") == "HDLC"
        assert client.state.value == "disconnected"
        assert client.deadline() is None or client.deadline() > now
    client.events()
    client.outgoing()


@given(streams(from_client(b"\x21", b"\x02\x23"), frames.map(Frame.encode), noise), cuts)
def test_a_listener_hears_the_same_however_it_is_cut(octets, points):
    whole, pieces = HdlcListener(), HdlcListener()
    whole.receive(octets, 0.0)
    for piece in cut(octets, points):
        pieces.receive(piece, 0.0)
    assert pieces.events() == whole.events()


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=300), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))), cuts)
def test_wrapped_apdus_are_the_same_however_they_are_cut(apdus, points):
    sender, receiver = WrapperServer(), WrapperServer()
    for apdu, client, server in apdus:
        sender.send(apdu, 0.0, client=server, server=client)
    for piece in cut(sender.outgoing(), points):
        receiver.receive(piece, 0.0)
    assert receiver.events() == [ApduReceived(*apdu) for apdu in apdus]


@given(st.binary(max_size=100), cuts, st.booleans())
def test_octets_upset_a_wrapper_only_as_promised(octets, points, datagram):
    client = WrapperClient(16, 1, datagram=datagram)
    client.connect(0.0)
    assert client.events() == [LinkConnected(16, 1)]
    try:
        for piece in cut(octets, points):
            client.receive(piece, 0.0)
        client.tick(100.0)
    except RemoteProtocolError as error:
        assert error.layer == "wrapper"
    except TimedOut as error:
        assert error.phase == "link"


@given(st.lists(st.binary(min_size=1, max_size=700), max_size=5), st.integers(8, 300), st.integers(1, 7), cuts)
def test_apdus_pass_whole_whatever_was_agreed(apdus, size, window, points):
    assume(apdus)
    parameters = Parameters(size, size, window, window)
    client, server = HdlcClient(16, HdlcAddress.of(1, 17), parameters), HdlcServer({1}, 17, parameters)
    client.connect(0.0)
    taken, got, left = [], [], list(apdus)
    while True:
        for piece in cut(client.outgoing(), points):
            server.receive(piece, 0.0)
        for event in server.events():
            if isinstance(event, ApduReceived):
                taken.append(event.apdu)
                server.send(event.apdu[::-1], 0.0, client=16, server=1)
        octets = server.outgoing()
        if not octets:
            break
        for piece in cut(octets, points):
            client.receive(piece, 0.0)
        for event in client.events():
            if isinstance(event, ApduReceived):
                got.append(event.apdu)
            if left:
                client.send(left.pop(0), 0.0)
    assert taken == apdus
    assert got == [apdu[::-1] for apdu in apdus]
