"""Whatever comes over an optical line, and however it is cut: the engines of IEC 62056-21 go on, or say why not."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import CosemError
from cosem.protocol.iec21.client import HandHeldUnit
from cosem.protocol.iec21.client_events import ReadoutReceived
from cosem.protocol.iec21.message import Block, BlockCheck, Check, Command, Identification, Option, SignOn
from cosem.protocol.iec21.reader import Message, MessageReader
from cosem.protocol.iec21.server import TariffDevice
from cosem.protocol.iec21.settings import ClientSettings, ServerSettings, Settings

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="()/!*"), max_size=20)
PLAIN = TEXT.map(lambda text: text.encode("ascii"))
COMMANDS = st.builds(Command, st.from_regex(r"[PWREB][0-9]", fullmatch=True), st.none() | PLAIN, st.booleans())
BLOCKS = st.builds(Block, PLAIN, st.booleans())
NOISE = st.binary(max_size=60) | st.lists(st.sampled_from(b"/?!\r\n\x01\x02\x03\x04\x06\x15()05P"), max_size=60).map(
    bytes
)


@given(COMMANDS | BLOCKS, st.sampled_from(BlockCheck))
def test_messages_survive(message: Command | Block, check: BlockCheck) -> None:
    reader = MessageReader(Counter(), Settings(block_check=check))
    reader.feed(message.encode(check))
    found = reader.message()
    assert found is not None
    assert getattr(found, "message", None) == message
    assert not reader.partial


@given(st.lists(COMMANDS | BLOCKS, max_size=5), st.lists(st.integers(1, 9), min_size=1), NOISE)
def test_cutting_changes_nothing(messages: list[Command | Block], sizes: list[int], noise: bytes) -> None:
    octets = b"".join(each.encode() for each in messages) + noise
    whole, pieces = (MessageReader(Counter(), Settings()) for _ in range(2))
    whole.feed(octets)
    expected = _all(whole)
    found: list[Message] = []
    at = 0
    for turn in range(len(octets)):
        size = sizes[turn % len(sizes)]
        pieces.feed(octets[at : at + size])
        found += _all(pieces)
        at += size
    assert found == expected


@given(NOISE, NOISE, NOISE, st.sampled_from(Option))
def test_the_reader_never_hangs(first: bytes, second: bytes, third: bytes, option: Option) -> None:
    unit = HandHeldUnit(ClientSettings(answer=20.0))
    now = 0.0
    unit.sign_on(now, option)
    with suppress(CosemError):
        for octets in (first, b"/KFM5MT100\r\n", second, third):
            now += 0.5
            unit.receive(octets, now)
            unit.tick(now)
            unit.outgoing()
        for _ in range(500):
            due = unit.deadline()
            if due is None or now > 5000.0:
                break
            now = max(now, due)
            unit.tick(now)
        assert unit.deadline() is None or option is Option.PROGRAMMING
    for event in unit.events():
        if isinstance(event, ReadoutReceived) and event.check is Check.RIGHT:
            assert event.data in second + third


@given(st.lists(NOISE, max_size=6), st.booleans())
def test_the_meter_takes_anything(pieces: list[bytes], called: bool) -> None:
    device = TariffDevice(ServerSettings(identification=Identification.of("KFM5MT100"), switches=False))
    now = 0.0
    if called:
        device.receive(SignOn().encode() + b"\x06051\r\n", now)
    for octets in pieces:
        now += 0.3
        device.receive(octets, now)
        _serve(device, now)
        device.tick(now)
        device.outgoing()
    for _ in range(20):
        due = device.deadline()
        if due is None:
            break
        now = max(now, due)
        device.tick(now)
        _serve(device, now)
    assert device.deadline() is None


def _serve(device: TariffDevice, now: float) -> None:
    for event in device.events():
        name = type(event).__name__
        if name == "ReadoutWanted":
            device.readout(b"1.8.0(1)\r\n", now)
        elif name == "ProgrammingWanted":
            device.enter(b"", now)
        elif name == "CommandReceived":
            device.acknowledge(now)


def _all(reader: MessageReader) -> list[Message]:
    return list(iter(reader.message, None))
