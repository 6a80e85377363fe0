"""A trace reads back what it wrote, and a recorded session plays again."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError, ConnectionLost, LocalProtocolError
from cosem.io.blocking import run
from cosem.io.capture import Recorder, Replay, TraceEntry, parse_trace
from cosem.io.simulated import World
from cosem.io.stream import LineStream

# The form in which people paste traces: a mark, the time, octets, and remarks between.
SESSION = """
connecting to the meter
TX:\t09:35:09\t7E A0 07 03 21 93 0F 01 7E
RX:\t09:35:09\t7E A0 07 21 03 73 C3 7A 7E
  81 80
RX: 00 01
done
"""


def test_recorded_lines_have_the_form_that_people_paste() -> None:
    world = World(1)
    near, far = world.pair()
    lines: list[str] = []
    stream = Recorder(near, lines.append, lambda: datetime(2024, 2, 29, 9, 35, 9, 123999))
    assert isinstance(stream, LineStream)

    async def main() -> None:
        await stream.write(b"\x7e\xa0\x07")
        await far.write(b"\x7e\xff")
        assert await stream.read(None) == b"\x7e\xff"
        assert await stream.read(stream.now() + 1) == b""
        await stream.configure(300, "7E1")
        assert near.line == (300, "7E1")
        await stream.close()

    world.run(main())
    assert lines == ["TX: 09:35:09.123 7E A0 07", "RX: 09:35:09.123 7E FF"]


def test_only_a_line_is_configured() -> None:
    class Plain:
        def now(self) -> float:
            return 0.0

    with pytest.raises(LocalProtocolError, match="serial line"):
        run(Recorder(Plain(), print).configure(300))  # type: ignore[arg-type]


def test_parse() -> None:
    assert parse_trace(SESSION) == [
        TraceEntry("TX", bytes.fromhex("7EA0070321930F017E"), "09:35:09"),
        TraceEntry("RX", bytes.fromhex("7EA0072103 73C37A7E 8180"), "09:35:09"),
        TraceEntry("RX", b"\x00\x01"),
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("TX: 09:35:09.123 7E A0", TraceEntry("TX", b"\x7e\xa0", "09:35:09.123")),
        ("tx: 7ea0", TraceEntry("TX", b"\x7e\xa0")),
        ("TX 7E A0", TraceEntry("TX", b"\x7e\xa0")),
        ("Send: 0x7E 0xA0", TraceEntry("TX", b"\x7e\xa0")),
        ("Received: 7E:A0", TraceEntry("RX", b"\x7e\xa0")),
        ("-> 7E-A0", TraceEntry("TX", b"\x7e\xa0")),
        ("<-7E A0", TraceEntry("RX", b"\x7e\xa0")),
        ("RX: 2024-02-29 09:35:09 7E A0", TraceEntry("RX", b"\x7e\xa0", "09:35:09")),
        ("09:35:09 RX: 7E A0", TraceEntry("RX", b"\x7e\xa0")),
        ("RX: 09:35:09", TraceEntry("RX", b"", "09:35:09")),
    ],
)
def test_parse_what_other_tools_write(line: str, expected: TraceEntry) -> None:
    assert parse_trace(line) == [expected]


@pytest.mark.parametrize("line", ["", "# a remark", "retransmit after 3 s", "TXT: 7E", "receiver: 7E"])
def test_remarks_are_no_entries(line: str) -> None:
    assert parse_trace([line]) == []


@pytest.mark.parametrize("line", ["TX: 7E A", "RX: 09:35:09 hello", "TX: 7G"])
def test_a_marked_line_without_octets_is_refused(line: str) -> None:
    with pytest.raises(ConfigurationError, match=r"line 2 .*TX: 09:35:09.123"):
        parse_trace(f"\n{line}\n")


_entries = st.lists(
    st.builds(
        TraceEntry,
        st.sampled_from(["TX", "RX"]),
        st.binary(min_size=1),
        st.sampled_from(["", "09:35:09", "23:59:59.999"]),
    )
)


@given(_entries)
def test_round_trip(entries: list[TraceEntry]) -> None:
    assert parse_trace("\n".join(map(str, entries))) == entries


@given(st.text())
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        parse_trace(text)
    except ConfigurationError as refused:
        assert "line" in str(refused)


def replay() -> Replay:
    return Replay(parse_trace("TX: 01 02\nRX: 03\nRX: 04\nTX: 05 06\nTX: 07\nRX: 08"))


def test_replay_however_the_caller_cuts() -> None:
    stream = replay()
    assert isinstance(stream, LineStream)
    run(stream.write(b"\x01"))
    assert run(stream.read(5.0)) == b""
    assert stream.now() == 5.0
    run(stream.write(b"\x02"))
    assert run(stream.read(None)) == b"\x03"
    assert run(stream.read(None)) == b"\x04"
    run(stream.write(b"\x05\x06\x07"))
    assert not stream.finished
    assert run(stream.read(None)) == b"\x08"
    assert stream.finished
    with pytest.raises(ConnectionLost, match="ends here"):
        run(stream.read(None))
    run(stream.close())
    for action in (stream.read(None), stream.write(b"\x01")):
        with pytest.raises(ConnectionLost, match="this side"):
            run(action)


def test_replay_complains_about_anything_else() -> None:
    stream = replay()
    with pytest.raises(LocalProtocolError, match=r"entry 1 .* sends 01 02, but the caller sends 01 03"):
        run(stream.write(b"\x01\x03"))
    stream = replay()
    with pytest.raises(LocalProtocolError, match="peer speaks now"):
        run(stream.write(b"\x01\x02\x03"))
    stream = replay()
    with pytest.raises(LocalProtocolError, match="waits for the caller to send 01 02"):
        run(stream.read(None))
    with pytest.raises(LocalProtocolError, match="has ended"):
        run(Replay([]).write(bytes(17)))
