"""The 22 situations of HDLC by which the industry knows a conforming meter, one test for each, named as it names them.

The names are identifiers of DLMS UA 1001-3, whose text is not public. What each is about is known from titles and one
sentence each in two public implementations of it, which do not always agree; the bodies are our own, and each says in
its first words what it takes the name to stand for. P is for what must work, N for what must be withstood. All ask the
server, as the tool does; the last test asks the client what becomes of the same.
"""

from __future__ import annotations

import pytest

from cosem.errors import CosemError, DecodeError, RemoteProtocolError
from cosem.protocol.link import ApduReceived, LinkConnected, LinkDisconnected
from cosem.protocol.link.hdlc import MOST, Frame, FrameReject, HdlcAddress, HdlcClient, HdlcServer, Kind, Parameters
from cosem.protocol.link.hdlc.fcs import check_sequence
from cosem.protocol.link.hdlc.frame import encode

CLIENT, METER = b"\x21", b"\x02\x23"  # client 16; logical device 1 of physical device 17
RR, SNRM, DISC, UA, DM, FRMR = 0x11, 0x93, 0x53, 0x73, 0x1F, 0x97
COMMAND, RESPONSE = b"\xe6\xe6\x00", b"\xe6\xe7\x00"
AARQ = bytes.fromhex("601DA109060760857405080101BE10040E01000000065F1F0400007E1F04B0")
"""As printed in worked examples everywhere: no authentication, logical names."""


class Meter:
    """The server of a meter, asked octets by octets."""

    def __init__(self, parameters: Parameters = MOST) -> None:
        self.engine = HdlcServer({1}, 17, parameters)
        self.now = 0.0

    def ask(self, octets: bytes) -> list[Frame]:
        """Return what is said to octets, as frames."""
        self.engine.receive(octets, self.now)
        return frames(self.engine.outgoing())

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.engine.tick(self.now)

    def connect(self, proposal: bytes = b"") -> Frame:
        (answer,) = self.ask(command(SNRM, proposal))
        assert answer.control == UA
        self.engine.events()
        return answer

    @property
    def connected(self) -> bool:
        """Ask by DISC, which a disconnected station answers by DM."""
        (answer,) = self.ask(command(DISC))
        assert answer.control in (UA, DM)
        return answer.control == UA


def frames(octets: bytes) -> list[Frame]:
    found: list[Frame] = []
    while octets:
        size = ((octets[1] & 7) << 8 | octets[2]) + 2
        found.append(Frame.decode(octets[:size]))
        octets = octets[size:]
    return found


def command(control: int, information: bytes = b"", *, meter: bytes = METER, client: bytes = CLIENT) -> bytes:
    return encode(meter, client, control, information)


def numbered(send: int, receive: int, information: bytes, *, segmented: bool = False, final: bool = True) -> bytes:
    return encode(METER, CLIENT, receive << 5 | final << 4 | send << 1, information, segmented)


def checked(header: bytes) -> bytes:
    """Return octets as a frame with flags and a right check, whatever they are."""
    return b"\x7e" + header + check_sequence(header) + b"\x7e"


def test_hdlc_frame_p1() -> None:
    """Connecting and disconnecting: DISC is answered DM, SNRM UA, RR by RR with N(R) 0; DISC UA, and again DM."""
    meter = Meter()
    said = [meter.ask(command(each))[0].control for each in (DISC, SNRM, RR, DISC, DISC)]
    assert said == [DM, UA, RR, UA, DM]


def test_hdlc_frame_p2() -> None:
    """The inter-octet time-out ends a frame that stops: DISC without its flag is forgotten, and RR finds us connected.

    One of the two implementations cuts octets off a second SNRM, the other takes the flag off DISC; both are asked.
    """
    for cut in (command(DISC)[:-1], command(SNRM)[:-2] + b"\x7e", command(SNRM)[:-3]):
        meter = Meter()
        meter.connect()
        assert meter.ask(cut) == []
        meter.wait(1.1)
        assert [frame.control for frame in meter.ask(command(RR))] == [RR]


@pytest.mark.parametrize(("silence", "answer"), [(0.9 * 120.0, UA), (1.1 * 120.0, DM)])
def test_hdlc_frame_p3(silence: float, answer: int) -> None:
    """The inactivity time-out disconnects: after it DISC is answered DM, before it UA."""
    meter = Meter()
    meter.connect()
    meter.wait(silence)
    assert [frame.control for frame in meter.ask(command(DISC))] == [answer]


def test_hdlc_frame_n1() -> None:
    """Frames without one of their flags: the meter stays disconnected, and hears the next good frame."""
    for damaged in (command(SNRM)[1:], command(SNRM)[:-1]):
        meter = Meter()
        assert meter.ask(damaged) == []
        meter.wait(1.1)
        assert not meter.connected
        meter.connect()


def test_hdlc_frame_n2() -> None:
    """Frames that are too short to be any, and empty ones: no answer, and the SNRM behind them is answered UA."""
    whole = command(SNRM)
    for short in (b"\x7e\x7e", b"\x7e\xa0\x05\x03\x03\x93\x7e", checked(b"\xa0\x02"), checked(b"\xa0\x04\x03\x93")):
        meter = Meter()
        assert meter.ask(short) == []
        meter.wait(1.1)
        assert [frame.control for frame in meter.ask(whole)] == [UA]


@pytest.mark.parametrize("kind", [0x00, 0x40, 0x80, 0xB0, 0xC0, 0xF0])
def test_hdlc_frame_n3(kind: int) -> None:
    """A format type other than 3 (1010), with a right check: no answer, and nobody is connected."""
    meter = Meter()
    assert meter.ask(checked(bytes((kind, 8)) + METER + CLIENT + bytes((SNRM,)))) == []
    meter.wait(1.1)
    assert not meter.connected


@pytest.mark.parametrize("length", [0, 7, 9, 255, 0x7FF])
def test_hdlc_frame_n4(length: int) -> None:
    """A length that is not that of the frame, with a right check: no answer, and nobody is connected."""
    meter = Meter()
    start = (0xA000 | length).to_bytes(2, "big")
    assert meter.ask(checked(start + METER + CLIENT + bytes((SNRM,)))) == []
    meter.wait(1.1)
    assert not meter.connected


@pytest.mark.parametrize("control", [0x33, 0xFF, 0x1D, 0xBF])
def test_hdlc_frame_n5(control: int) -> None:
    """A control octet that nothing stands for: FRMR says so, and names it; without a connection DM."""
    meter = Meter()
    assert [frame.control for frame in meter.ask(command(control))] == [DM]
    meter.connect()
    (answer,) = meter.ask(command(control))
    assert answer.control == FRMR
    reject = FrameReject.decode(answer.information)
    assert (reject.control, reject.undefined_control) == (control, True)
    (answer,) = meter.ask(command(RR))
    assert answer.control == FRMR, "until SNRM or DISC nothing else is said"
    meter.connect()
    assert [frame.control for frame in meter.ask(command(RR))] == [RR]


def test_hdlc_frame_n7() -> None:
    """A wrong header check (HCS): no answer, whatever the frame check says, and the numbers stand still."""
    meter = Meter()
    meter.connect()
    octets = bytearray(numbered(0, 0, COMMAND + AARQ))
    octets[7] ^= 0xFF
    octets[-3:-1] = check_sequence(bytes(octets[1:-3]))
    assert meter.ask(bytes(octets)) == []
    meter.wait(1.1)
    assert meter.engine.events() == []
    assert meter.ask(command(RR)) == [Frame(CLIENT, METER, RR)]


def test_hdlc_frame_n8() -> None:
    """A wrong frame check (FCS), in SNRM and in information: no answer, nobody is connected, nothing is taken."""
    meter = Meter()
    damaged = bytearray(command(SNRM))
    damaged[-2] ^= 0x01
    assert meter.ask(bytes(damaged)) == []
    meter.wait(1.1)
    assert not meter.connected
    meter.connect()
    damaged = bytearray(numbered(0, 0, COMMAND + AARQ))
    damaged[-2] ^= 0x01
    assert meter.ask(bytes(damaged)) == []
    assert meter.ask(numbered(0, 0, COMMAND + AARQ)) == []
    assert meter.engine.events() == [ApduReceived(AARQ, 16, 1)]


@pytest.mark.parametrize("address", [HdlcAddress(1, None, 1), HdlcAddress(1, 17, 2), HdlcAddress(1, 17, 4)])
def test_hdlc_address_p1(address: HdlcAddress) -> None:
    """Right addresses of one, two and four octets: each is answered, in the size in which it was asked."""
    meter = Meter()
    assert meter.ask(command(SNRM, meter=address.encode())) == [Frame(CLIENT, address.encode(), UA)]


@pytest.mark.parametrize("client", ["0021", "2021", "00000021"])
def test_hdlc_address_n1(client: str) -> None:
    """A client address of more than one octet: no answer."""
    meter = Meter()
    assert meter.ask(command(SNRM, client=bytes.fromhex(client))) == []
    assert not meter.connected


@pytest.mark.parametrize(
    "address",
    [
        HdlcAddress(2, 17, 2),
        HdlcAddress(1, 18, 2),
        HdlcAddress(1, 18, 4),
        HdlcAddress(300, 17, 4),
        HdlcAddress(0, 17, 2),
        HdlcAddress(1, 0, 2),
        HdlcAddress(127, 127, 2),
        HdlcAddress(1, 126, 2),
    ],
)
def test_hdlc_address_n4(address: HdlcAddress) -> None:
    """A destination that is not there, no station, all stations, or whoever calls: no answer to SNRM."""
    meter = Meter()
    assert meter.ask(command(SNRM, meter=address.encode())) == []
    assert not meter.connected


def test_hdlc_address_n6() -> None:
    """One octet where two or four are expected.

    A meter that must be told from others on its line may keep silent then; ours answers, as the standard lets it: the
    lower part may be left out where there is one physical device. Another logical device is not answered.
    """
    meter = Meter()
    assert meter.ask(command(SNRM, meter=b"\x03")) == [Frame(CLIENT, b"\x03", UA)]
    assert meter.ask(command(SNRM, meter=b"\x05")) == []


@pytest.mark.parametrize("octets", ["000223", "0000000023", "000000000023"])
def test_hdlc_address_n7(octets: str) -> None:
    """A server address of three, five or six octets, with right checks: no answer."""
    meter = Meter()
    header = bytes.fromhex(octets) + CLIENT + bytes((SNRM,))
    start = (0xA000 | len(header) + 4).to_bytes(2, "big")
    assert meter.ask(checked(start + header)) == []
    meter.wait(1.1)
    assert not meter.connected


def test_hdlc_ndm2nrm_p1() -> None:
    """From disconnected to normal response mode: UA, with what was agreed where 2030 octets are proposed."""
    meter = Meter()
    assert meter.connect().information == b""
    meter = Meter()
    agreed = Parameters.decode(meter.connect(Parameters(2030, 2030).encode()).information)
    assert agreed == Parameters(2030, 2030)
    assert meter.ask(numbered(0, 0, COMMAND + bytes(2027))) == []
    assert meter.engine.events() == [ApduReceived(bytes(2027), 16, 1)]


def test_hdlc_ndm2nrm_p2() -> None:
    """From disconnected to normal response mode with parameters: a window of four, and no more than either can do."""
    meter = Meter(Parameters(256, 512, 4, 3))
    assert Parameters.decode(meter.connect(Parameters(1024, 1024, 7, 7).encode()).information) == Parameters(
        256, 512, 4, 3
    )
    meter.ask(numbered(0, 0, COMMAND + AARQ))
    meter.engine.send(bytes(2000), 0.0, client=16, server=1)
    window = frames(meter.engine.outgoing())
    assert [(len(frame.information), frame.final) for frame in window] == [(256, False)] * 3 + [(256, True)]


def test_hdlc_info_p1() -> None:
    """Information is taken and answered with the right numbers: an AARQ in one frame, and one in segments."""
    meter = Meter()
    meter.connect()
    assert meter.ask(numbered(0, 0, COMMAND + AARQ)) == []
    assert meter.engine.events() == [ApduReceived(AARQ, 16, 1)]
    meter.engine.send(b"\x61\x00", 0.0, client=16, server=1)
    assert frames(meter.engine.outgoing()) == [Frame(CLIENT, METER, 0x30, RESPONSE + b"\x61\x00")]
    meter.connect()
    parts = [(COMMAND + AARQ)[at : at + 12] for at in range(0, 34, 12)]
    for number, part in enumerate(parts):
        said = meter.ask(numbered(number, 0, part, segmented=number < len(parts) - 1))
        assert said == ([Frame(CLIENT, METER, RR | (number + 1) << 5)] if number < len(parts) - 1 else [])
    assert meter.engine.events() == [ApduReceived(AARQ, 16, 1)]


def test_hdlc_info_n1() -> None:
    """More information than was agreed: FRMR says so, and nothing is taken; as much as agreed is taken."""
    meter = Meter()
    meter.connect()
    (answer,) = meter.ask(numbered(0, 0, COMMAND + bytes(126)))
    assert answer.control == FRMR
    assert FrameReject.decode(answer.information).information_too_long
    assert meter.engine.events() == []
    meter.connect()
    assert meter.ask(numbered(0, 0, COMMAND + bytes(125))) == []


def test_hdlc_info_n2() -> None:
    """An N(R) that acknowledges what was not sent, in RR and in information: FRMR says so, and nothing is taken."""
    for octets in (command(RR | 1 << 5), numbered(0, 7, COMMAND + AARQ)):
        meter = Meter()
        meter.connect()
        (answer,) = meter.ask(octets)
        assert answer.control == FRMR
        assert FrameReject.decode(answer.information).invalid_receive_sequence
        assert meter.engine.events() == []


def test_hdlc_info_n3() -> None:
    """An N(S) that is not next: it is not taken, RR names the one that is missing (REJ is not of this profile)."""
    meter = Meter()
    meter.connect()
    assert meter.ask(numbered(5, 0, COMMAND + AARQ)) == [Frame(CLIENT, METER, RR)]
    assert meter.engine.events() == []
    meter.ask(numbered(0, 0, COMMAND + AARQ))
    assert meter.engine.events() == [ApduReceived(AARQ, 16, 1)]


def test_hdlc_ndmop_n1() -> None:
    """What is not SNRM while disconnected: information, RR and XID are answered DM when polled, and nothing is taken.

    One of the two implementations asks an AARQ without SNRM, the other XID, which is not of this profile.
    """
    meter = Meter()
    for octets in (numbered(0, 0, COMMAND + AARQ), command(RR), command(0xBF), command(DISC)):
        assert [frame.control for frame in meter.ask(octets)] == [DM]
    assert meter.ask(numbered(0, 0, COMMAND + AARQ, final=False)) == []
    assert meter.engine.events() == []


class TestTheClient:
    """What becomes of the same when a meter does it: damage is not there, the rest is a named error."""

    def connected(self) -> HdlcClient:
        client = HdlcClient(16, HdlcAddress.of(1, 17))
        client.connect(0.0)
        client.outgoing()
        client.receive(encode(CLIENT, METER, UA), 0.0)
        assert client.events() == [LinkConnected(16, 1)]
        client.send(b"\xc0\x01\xc1", 0.0)
        client.outgoing()
        return client

    @pytest.mark.parametrize(
        "octets",
        [
            encode(CLIENT, METER, 0x30, RESPONSE + b"\xc4")[2:],
            b"\x7e\x7e",
            checked(b"\x40\x08" + CLIENT + METER + b"\x11"),
            encode(CLIENT, METER, 0x30, RESPONSE + b"\xc4")[:-3] + b"\x00\x00\x7e",
            encode(CLIENT, b"\x02\x25", 0x30, RESPONSE + b"\xc4"),
            encode(b"\x23", METER, 0x30, RESPONSE + b"\xc4"),
            encode(CLIENT, METER, 0x33),
            encode(CLIENT, METER, 0x3A, RESPONSE + b"\xc4"),
        ],
    )
    def test_what_is_not_there(self, octets: bytes) -> None:
        client = self.connected()
        client.receive(octets, 1.0)
        assert client.events() == []
        client.tick(2.5)
        client.receive(encode(CLIENT, METER, 0x30, RESPONSE + b"\xc4\x01"), 3.0)
        assert client.events() == [ApduReceived(b"\xc4\x01", 16, 1)]

    @pytest.mark.parametrize(
        ("octets", "error", "says"),
        [
            (encode(CLIENT, METER, DM), RemoteProtocolError, "is disconnected"),
            (encode(CLIENT, METER, FRMR, b"\x10\x00\x04"), RemoteProtocolError, "longer than agreed"),
            (encode(CLIENT, METER, FRMR, b"\x10\x00\x08"), RemoteProtocolError, "acknowledges what was not sent"),
            (encode(CLIENT, METER, FRMR, b"\x10\x00\x03"), RemoteProtocolError, "not defined .* and .*must not have"),
            (encode(CLIENT, METER, FRMR, b"\x10"), DecodeError, "need 3 octets"),
        ],
    )
    def test_what_ends_the_connection(self, octets: bytes, error: type[CosemError], says: str) -> None:
        client = self.connected()
        with pytest.raises(error, match=says):
            client.receive(octets, 1.0)
        assert client.events() == [LinkDisconnected(16, 1)]
        assert all(frame.kind is Kind.DISCONNECT for frame in frames(client.outgoing()))
