"""The table [local] of a description: each of its keys, and everything that is wrong with it at once."""

from __future__ import annotations

import pytest

from behaving import Now
from cosem.errors import ConfigurationError
from cosem.meter import LocalPort, Meter, Server
from cosem.meter.describe import parse
from cosem.protocol.iec21.message import BlockCheck, Mode, Option
from cosem.protocol.iec21.settings import ServerSettings, WakeUp
from cosem.protocol.values.obis import Obis
from described import HEAD, NOON, thing

ENERGY, VOLTAGE = Obis("1.0.1.8.0.255"), Obis("1.0.32.7.0.255")
OBJECTS = thing("Register", str(ENERGY), "value = 1") + thing("Register", str(VOLTAGE), "value = 2")
READING = '[[association]]\nclient = 2\naccess = "read"\n'
SOME = f"""
[local]
identification = 'KFm5\\2SHOP'
address = "12345678"
mode = "E"
client = 2
readout = ["{ENERGY}", "0-0:42.0.0"]
manufacturer = {{ 6 = ["{VOLTAGE}"], 9 = [] }}
partial_octets = 512
block_check = "sum"
wake_up = "fast"
character_format = "8N1"
initial_baud = 9600
reaction = 0.5
acknowledgement = 3
unasked = false
inactivity = 90.5
inter_octet = 1
repeats = 0
line_octets = 70
block_octets = 1000
total_octets = 8
"""


def made(text: str) -> Meter:
    return parse(HEAD + OBJECTS + text, clock=Now(NOON))


def test_each_key_is_read() -> None:
    port = made(READING + SOME).local_port
    assert port == LocalPort(
        identification="KFm5\\2SHOP",
        address="12345678",
        mode=Mode.E,
        client=2,
        readout=(ENERGY, Obis("0.0.42.0.0.255")),
        manufacturer={Option.MANUFACTURER_6: (VOLTAGE,), Option.MANUFACTURER_9: ()},
        partial_octets=512,
        settings={
            "block_check": BlockCheck.SUM,
            "wake_up": WakeUp.FAST,
            "character_format": "8N1",
            "initial_baud": 9600,
            "reaction": 0.5,
            "acknowledgement": 3.0,
            "unasked": False,
            "inactivity": 90.5,
            "inter_octet": 1.0,
            "repeats": 0,
            "line_octets": 70,
            "block_octets": 1000,
            "total_octets": 8,
        },
    )
    assert port is not None
    left = {"switches"}  # which is for the line to say
    of_port = {"identification", "address", "mode", "partial_octets"}
    assert set(ServerSettings.__slots__) | set(ServerSettings.__mro__[1].__slots__) == {*port.settings, *left, *of_port}


def test_a_meter_of_mode_d_speaks_by_itself() -> None:
    port = made('[local]\nmode = "D"\ninterval = 2.5\n').local_port
    assert port is not None
    assert (port.mode, port.interval) == (Mode.D, 2.5)


def test_without_the_table_the_port_is_as_ever() -> None:
    assert made("").local_port is None


def test_whoever_serves_a_meter_has_the_port_that_is_described_or_one_of_his_own() -> None:
    meter = made(READING + SOME)
    assert _address(Server(meter, "iec21+tcp://127.0.0.1:0")) == "12345678"
    assert _address(Server(meter, "iec21+tcp://127.0.0.1:0", port=LocalPort(address="77"))) == "77"
    assert Server(meter, "tcp://127.0.0.1:0")  # whose other places are no local ports


def test_who_reads_a_port_is_told_what_it_takes_to_do_so() -> None:
    meter = made(READING + SOME)
    assert str(Server(meter, "iec21+tcp://127.0.0.1:0").url) == "iec21+tcp://127.0.0.1:0?mode=E&bcc=sum&wake=fast"
    line = Server(meter, "iec21+serial:///dev/none", beyond_loopback=True).url
    assert (line.baud, line.format, line.bcc, line.wake) == (9600, "8N1", "sum", "fast")
    usual = Server(made('[local]\nblock_check = "xor"\nwake_up = "none"\n'), "iec21+tcp://127.0.0.1:0").url
    assert str(usual) == "iec21+tcp://127.0.0.1:0"


def _address(server: Server) -> str | None:
    return server._port.address  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("identification = 'KFM'", "[local]: identification: the identification 'KFM'"),
        ('identification = "KFM5AN UNREASONABLE WORD"', "up to 16 printable characters"),
        ('address = "1/2"', "[local]: address: the address '1/2'"),
        ('mode = "F"', "[local]: mode: 'F' is not known: write A or B or C or D or E"),
        ("client = 7", "[local]: client: client 7 has no association"),
        ("client = 0", "[local]: client: expected 1 or more"),
        (f'readout = "{ENERGY}"', "[local]: readout: expected a list"),
        ("readout = [1]", "[local]: readout: expected OBIS codes"),
        ('readout = ["1.0.2.8.0.255"]', "[local]: readout: there is no object 1.0.2.8.0.255"),
        ('manufacturer = { 5 = ["1.0.1.8.0.255"] }', "[local]: manufacturer: 5: this key is not known here"),
        ('manufacturer = { 7 = ["8.0.1.0.0.255"] }', "[local]: manufacturer: 7: there is no object 8.0.1.0.0.255"),
        ("partial_octets = -1", "[local]: partial_octets: expected 0 or more, not -1"),
        ("interval = 5", "[local]: interval: a meter speaks by itself in mode D alone"),
        ('mode = "D"\ninterval = 0', "[local]: interval: expected seconds, more than 0"),
        ('block_check = "crc"', "[local]: block_check: 'crc' is not known: write xor or sum or absent"),
        ('wake_up = "slow"', "[local]: wake_up: 'slow' is not known: write none or normal or fast"),
        ('character_format = "8"', "[local]: character_format: '8' is no character format"),
        ("initial_baud = 0", "[local]: initial_baud: expected 1 or more, not 0"),
        ('unasked = "no"', "[local]: unasked: expected true or false"),
        ("reaction = true", "[local]: reaction: expected a number"),
        ("inactivity = inf", "[local]: inactivity: expected seconds, more than 0"),
        ("acknowledgement = nan", "[local]: acknowledgement: expected seconds, more than 0"),
        ("reaction = 1.6", "[local]: reaction: expected 0.2 to 1.5 s, not 1.6"),
        ("line_octets = 7", "[local]: line_octets: expected 8 or more, not 7"),
        ("repeats = -1", "[local]: repeats: expected 0 or more, not -1"),
        ("algorithm = 1", "[local]: algorithm: this key is not known here"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(line: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        made(f"[local]\n{line}\n")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_the_client_of_readouts_may_not_read_is_no_part_of_one() -> None:
    with pytest.raises(ConfigurationError, match=r"readout: client 16, who reads it out, may not read 1\.0\.1\.8\.0"):
        made(f'{READING}[local]\nreadout = ["0.0.1.0.0.255", "{ENERGY}"]\n')


def test_all_that_is_wrong_is_told_at_once() -> None:
    lines = ('mode = "F"', "client = 7", 'readout = ["1.0.2.8.0.255", 5]', "reaction = 0", "colour = 1")
    with pytest.raises(ConfigurationError) as refused:
        made("[local]\n" + "\n".join(lines))
    first, *rest = str(refused.value).splitlines()
    assert first == "6 things are wrong:"
    keys = sorted(each.split("[local]: ")[1].split(":")[0] for each in rest)
    assert keys == ["client", "colour", "mode", "reaction", "readout", "readout"]
