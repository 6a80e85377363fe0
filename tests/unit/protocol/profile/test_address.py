"""Connection URLs read back what they print, and refuse what does not fit with a right URL in the message."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosem.errors import ConfigurationError
from cosem.protocol.profile.address import ConnectionUrl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "tcp://127.0.0.1:4059?client=16&server=1",
            ConnectionUrl(framing="wrapper", medium="tcp", host="127.0.0.1", port=4059, client=16, server=1),
        ),
        ("wrapper+tcp://meter", ConnectionUrl(framing="wrapper", medium="tcp", host="meter")),
        ("udp://meter:4060", ConnectionUrl(framing="wrapper", medium="udp", host="meter", port=4060)),
        ("tls://meter", ConnectionUrl(framing="wrapper", medium="tls", host="meter")),
        ("TCP://Meter", ConnectionUrl(framing="wrapper", medium="tcp", host="meter")),
        (
            "hdlc+tcp://[2001:DB8:0::7]:4059?client=0x10&server=0X1&physical=17&address_size=2",
            ConnectionUrl(framing="hdlc", medium="tcp", host="2001:db8::7", physical=17),
        ),
        (
            "hdlc+serial:///dev/ttyUSB0?baud=19200",
            ConnectionUrl(framing="hdlc", medium="serial", path="/dev/ttyUSB0", baud=19200),
        ),
        ("hdlc+serial://COM3", ConnectionUrl(framing="hdlc", medium="serial", path="COM3")),
        (
            "hdlc+serial:///dev/serial/by-id/usb%20head",
            ConnectionUrl(framing="hdlc", medium="serial", path="/dev/serial/by-id/usb head"),
        ),
        (
            "iec21+serial:///dev/ttyS0?mode=c",
            ConnectionUrl(framing="iec21", medium="serial", path="/dev/ttyS0", mode="C"),
        ),
        ("sml+serial:///dev/ttyUSB0", ConnectionUrl(framing="sml", medium="serial", path="/dev/ttyUSB0", baud=9600)),
        (
            "han+serial:///dev/ttyUSB0?lists=norway:aidon",
            ConnectionUrl(
                framing="han", medium="serial", path="/dev/ttyUSB0", baud=2400, format="8E1", lists="norway:aidon"
            ),
        ),
        ("p1+file://telegrams.txt", ConnectionUrl(framing="p1", medium="file", path="telegrams.txt")),
        ("tic+file://-", ConnectionUrl(framing="tic", medium="file", path="-")),
        (
            "tcp://[fe80::1%eth0]",
            ConnectionUrl(framing="wrapper", medium="tcp", host="fe80::1%eth0"),
        ),
    ],
)
def test_parse(text: str, expected: ConnectionUrl) -> None:
    assert ConnectionUrl.parse(text) == expected


def test_what_is_left_out_is_filled_in() -> None:
    url = ConnectionUrl.parse("tcp://meter")
    assert (url.port, url.client, url.server, url.physical, url.address_size, url.baud) == (
        4059,
        16,
        1,
        None,
        None,
        None,
    )
    line = ConnectionUrl.parse("hdlc+serial:///dev/ttyUSB0")
    assert (line.port, line.address_size, line.baud, line.format, line.sign_on) == (None, 1, 9600, "8N1", None)
    sign_on = ConnectionUrl.parse("hdlc+serial:///dev/ttyUSB0?sign_on=iec21")
    assert (sign_on.baud, sign_on.format, sign_on.sign_on) == (300, "7E1", "iec21")
    assert ConnectionUrl.parse("iec21+serial:///dev/ttyUSB0").mode == "auto"


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ("", 1),
        ("?server=127", 1),
        ("?physical=17", 2),
        ("?physical=127&server=127", 2),
        ("?physical=128", 4),
        ("?server=128&physical=1", 4),
        ("?physical=0x3FFF", 4),
        ("?physical=17&address_size=4", 4),
    ],
)
def test_the_smallest_hdlc_address_that_fits(query: str, size: int) -> None:
    assert ConnectionUrl.parse("hdlc+tcp://meter" + query).address_size == size


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("wrapper+tcp://127.0.0.1:4059?server=1&client=16", "tcp://127.0.0.1"),
        ("udp://meter:4060?server=2&client=0x20", "udp://meter:4060?client=32&server=2"),
        ("hdlc+tcp://m?address_size=2&physical=17&client=1", "hdlc+tcp://m?client=1&physical=17"),
        ("hdlc+tcp://m?address_size=4&physical=17", "hdlc+tcp://m?physical=17&address_size=4"),
        ("hdlc+serial:///dev/ttyUSB0?baud=9600&format=8n1", "hdlc+serial:///dev/ttyUSB0"),
        ("hdlc+serial://COM3?sign_on=iec21&baud=300", "hdlc+serial://COM3?sign_on=iec21"),
        ("tcp://[2001:DB8::7]:4059/", "tcp://[2001:db8::7]"),
    ],
)
def test_printed_in_one_form(text: str, printed: str) -> None:
    assert str(ConnectionUrl.parse(text)) == printed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("127.0.0.1:4059", "connection URL"),
        ("", "connection URL"),
        ("http://meter", "http"),
        ("serial:///dev/ttyUSB0", "which framing"),
        ("hdlc://meter", "which medium"),
        ("hdlc+carrier://meter", "medium"),
        ("dlms+tcp://meter", "framing"),
        ("tcp://", "host"),
        ("tcp://me ter", "host"),
        ("tcp://müller", "host"),
        ("tcp://meter:port", "port"),
        ("tcp://meter:65536", "port"),
        ("tcp://meter:-1", "port"),
        ("tcp://user:secret@meter", "password"),
        ("tcp://meter/path", "path"),
        ("tcp://meter#1", "#"),
        ("tcp://::1:4059", "brackets"),
        ("tcp://[::1:4059", "brackets"),
        ("tcp://[meter]", "IPv6"),
        ("tcp://[::zz]", "IPv6"),
        ("tcp://meter?clent=16", "clent"),
        ("tcp://meter?client", "client"),
        ("tcp://meter?client=", "client"),
        ("tcp://meter?client=1&client=2", "client"),
        ("tcp://meter?client=sixteen", "client"),
        ("tcp://meter?client=١٦", "client"),
        ("tcp://meter?client=1_6", "client"),
        ("tcp://meter?client=-1", "client"),
        ("tcp://meter?client=0", "client"),
        ("tcp://meter?client=65536", "client"),
        ("tcp://meter?server=0x10000", "server"),
        ("tcp://meter?physical=17", "physical"),
        ("tcp://meter?baud=9600", "baud"),
        ("hdlc+tcp://meter?client=127", "client"),
        ("hdlc+tcp://meter?server=128", "physical"),
        ("hdlc+tcp://meter?server=16384&physical=1", "server"),
        ("hdlc+tcp://meter?physical=16384", "physical"),
        ("hdlc+tcp://meter?physical=128&address_size=2", "address_size=4"),
        ("hdlc+tcp://meter?server=128&physical=1&address_size=2", "address_size=4"),
        ("hdlc+tcp://meter?physical=1&address_size=3", "address_size"),
        ("hdlc+tcp://meter?physical=1&address_size=1", "address_size"),
        ("hdlc+tcp://meter?address_size=2", "physical"),
        ("hdlc+udp://meter?sign_on=iec21", "sign_on"),
        ("hdlc+tcp://meter?address=1", "add sign_on=iec21"),
        ("hdlc+serial:///dev/ttyUSB0?wake=fast", "add sign_on=iec21"),
        ("iec21+tcp://meter:1?address=a!", "the address"),
        ("iec21+tcp://meter:1?data_baud=1000", "a speed from 300 to 19200"),
        ("iec21+tcp://meter:1?bcc=crc", "xor, sum, absent"),
        ("iec21+tcp://meter:1?wake=slow", "none, normal, fast"),
        ("tcp://meter?bcc=xor", "is not a parameter of wrapper+tcp"),
        ("hdlc+serial://", "serial port"),
        ("hdlc+serial:///dev/tty%FF", "port name"),
        ("hdlc+serial:///dev/tty%00", "port name"),
        ("hdlc+serial:///dev/tty%", "port name"),
        ("hdlc+serial:///dev/tty%2", "port name"),
        ("hdlc+serial:///dev/ttyUSB0?baud=49", "baud"),
        ("hdlc+serial:///dev/ttyUSB0?format=9N1", "format"),
        ("hdlc+serial:///dev/ttyUSB0?sign_on=yes", "sign_on"),
        ("hdlc+serial:///dev/ttyUSB0?mode=A", "mode"),
        ("iec21+serial:///dev/ttyUSB0?mode=F", "mode"),
        ("iec21+serial:///dev/ttyUSB0?parity=even", "parity"),
        ("iec21+serial:///dev/ttyUSB0?parity=software&format=8E1", "7E1"),
        ("tcp://meter?parity=software", "parity"),
        ("hdlc+udp://meter?echo=strip", "echo"),
        ("hdlc+tcp://meter?rs485=yes", "rs485"),
        ("hdlc+tcp://meter?flow=rtscts", "flow"),
        ("hdlc+serial:///dev/ttyS1?flow=xonxoff", "octets 11 and 13"),
        ("iec21+serial:///dev/ttyS1?flow=dtr", "none, rtscts or xonxoff"),
        ("hdlc+serial:///dev/ttyS1?bind=192.0.2.1", "bind"),
        ("tcp://meter?bind=here", "an IP address of this machine"),
        ("hdlc+serial:///dev/ttyS1?rs485=rts", "no, yes or inverted"),
        ("hdlc+serial:///dev/ttyUSB0?echo=yes", "echo"),
        ("hdlc+serial:///dev/ttyUSB0?number=123", "number"),
        ("hdlc+modem:///dev/ttyUSB0?number=12;34", "number"),
        ("hdlc+modem:///dev/ttyUSB0?pin=1234", "PIN"),
        ("hdlc+modem:///dev/ttyUSB0?init=reboot", "init"),
        ("hdlc+modem:///dev/ttyUSB0?init=AT%0AATD1", "init"),
        ("hdlc+modem:///dev/ttyUSB0?answer_wait=0", "answer_wait"),
        ("iec21+serial:///dev/ttyUSB0?client=1", "client"),
        ("p1+tcp://meter", "port"),
        ("p1+file://", "name of the file"),
        ("p1+file://telegrams.txt?baud=9600", "baud"),
        ("tcp+file://telegrams.txt", "framing"),
        ("wrapper+file://telegrams.txt", "file"),
    ],
)
def test_refusals_name_the_fault_and_show_a_right_url(text: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        ConnectionUrl.parse(text)
    reason, separator, example = str(refusal.value).rpartition("; a right ")
    assert separator
    assert named in reason
    ConnectionUrl.parse(example.split()[-1])  # what is offered as right must be right


def test_what_the_wire_does_on_its_own() -> None:
    server = ConnectionUrl.parse("iec21+tcp://192.0.2.7:2000?parity=SOFTWARE&echo=strip")
    assert (server.parity, server.echo, server.line, server.baud) == ("software", "strip", (300, "7E1"), None)
    assert str(server) == "iec21+tcp://192.0.2.7:2000?parity=software&echo=strip"
    assert "parity of 7E1 made and checked here, its echo taken away" in server.interpreted()
    usual = ConnectionUrl.parse("iec21+serial:///dev/ttyUSB0?parity=hardware&echo=keep&rs485=NO")
    assert (usual.parity, usual.echo, usual.rs485) == (None, None, None)
    assert str(usual) == "iec21+serial:///dev/ttyUSB0"


@pytest.mark.parametrize(("word", "level"), [("yes", "on"), ("inverted", "off")])
def test_the_direction_of_rs485(word: str, level: str) -> None:
    steered = ConnectionUrl.parse(f"hdlc+serial:///dev/ttyS1?rs485={word.upper()}")
    assert steered.rs485 == word
    assert str(steered) == f"hdlc+serial:///dev/ttyS1?rs485={word}"
    assert f"RS-485 with RTS {level} while sending" in steered.interpreted()


@pytest.mark.parametrize("framing", ["hdlc", "iec21"])
def test_a_modem_has_a_line_of_its_own(framing: str) -> None:
    assert ConnectionUrl.parse(f"{framing}+modem:///dev/ttyUSB0?number=1").line == (9600, "8N1")
    chosen = ConnectionUrl.parse(f"{framing}+modem:///dev/ttyUSB0?number=1&baud=2400&format=7E1")
    assert chosen.line == (2400, "7E1")
    assert ConnectionUrl.parse(str(chosen)) == chosen


def test_behind_a_modem_the_sign_on_has_the_parity_that_is_asked_for() -> None:
    assert ConnectionUrl.parse("hdlc+modem:///dev/ttyUSB0?number=1&sign_on=iec21").line == (9600, "8N1")
    url = ConnectionUrl.parse("iec21+modem:///dev/ttyUSB0?number=1&parity=software")
    assert url.line == (9600, "7E1")
    assert ConnectionUrl.parse(str(url)) == url


def test_a_modem_is_told_whom_to_dial() -> None:
    text = "hdlc+modem:///dev/ttyUSB0?number=*99%23&pin=env:SIM&init=AT%26F E0&answer_wait=90"
    url = ConnectionUrl.parse(text)
    assert (url.number, url.pin, url.init, url.answer_wait) == ("*99#", "env:SIM", "AT&F E0", 90)
    assert str(url) == text.replace(" ", "%20")
    assert "dials *99#" in url.interpreted()


def test_what_a_constructor_is_given_is_checked_too() -> None:
    with pytest.raises(ConfigurationError):
        ConnectionUrl(framing="wrapper", medium="tcp", host="meter", path="/dev/ttyUSB0")
    with pytest.raises(ConfigurationError):
        ConnectionUrl(framing="hdlc", medium="serial", path="/dev/ttyUSB0", host="meter")
    with pytest.raises(ConfigurationError):
        ConnectionUrl(framing="p1", medium="tcp", host="meter", port=1, client=17)
    with pytest.raises(ConfigurationError):
        ConnectionUrl(framing="wrapper", medium="udp", host="meter", address_size=1)


def test_interpreted_says_everything() -> None:
    said = ConnectionUrl.parse("hdlc+tcp://meter?client=0x20&physical=17").interpreted()
    for word in (
        "HDLC",
        "TCP",
        "meter",
        "4059",
        "client 32 (0x20)",
        "server 1 (0x01)",
        "physical 17 (0x11)",
    ):
        assert word in said
    assert "server 02 23 and client 41" in said, "the octets of jDLMS' HdlcAddressTest for (1, 17)"
    assert "9600 baud 8N1" in ConnectionUrl.parse("hdlc+serial://COM3").interpreted()


_hosts = st.one_of(
    st.ip_addresses().map(str),
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?(\.[a-z]{1,9}){0,3}", fullmatch=True),
)
_paths = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40)


@st.composite
def _urls(draw: st.DrawFn) -> ConnectionUrl:
    framing = draw(st.sampled_from(["wrapper", "hdlc", "iec21", "p1", "tic", "sml", "han", "mbus"]))
    media = [
        "tcp",
        "udp",
        "tls",
        "serial",
        "rfc2217",
        "modem",
        *(["file"] if framing in ("p1", "tic", "sml", "han") else []),
    ]
    medium = draw(st.sampled_from(media))
    fields: dict[str, object] = {}
    if medium in ("serial", "modem", "file"):
        fields["path"] = draw(_paths)
    else:
        fields["host"] = draw(_hosts)
        fields["port"] = draw(st.integers(0, 65535))
    if medium in ("serial", "modem", "rfc2217"):
        fields["baud"] = draw(st.none() | st.integers(50, 4_000_000))
        fields["format"] = draw(st.none() | st.from_regex(r"[5-8][NEO][12]", fullmatch=True))
        if framing == "hdlc":
            fields["sign_on"] = draw(st.sampled_from([None, "iec21", "none"]))
    if framing != "wrapper" and medium not in ("udp", "file"):
        fields["echo"] = draw(st.sampled_from([None, "strip", "keep"]))
    if medium == "serial" and framing != "wrapper":
        fields["rs485"] = draw(st.sampled_from([None, "no", "yes", "inverted"]))
        fields["flow"] = draw(st.sampled_from([None, "none", "rtscts"]))
    if medium in ("tcp", "rfc2217"):
        fields["bind"] = draw(st.none() | st.ip_addresses().map(str))
    if medium == "modem":
        fields["number"] = draw(st.none() | st.from_regex(r"[0-9+*#,]{1,20}", fullmatch=True))
        fields["init"] = draw(st.none() | st.from_regex(r"AT[ -~]{0,20}", fullmatch=True))
    if framing in ("wrapper", "mbus"):
        fields["client"] = draw(st.integers(1, 255))
        fields["server"] = draw(st.integers(0, 255))
    if framing == "hdlc":
        fields["client"] = draw(st.integers(1, 0x7E))
        fields["physical"] = draw(st.none() | st.integers(0, 0x3FFF))
        fields["server"] = draw(st.integers(0, 0x7F if fields["physical"] is None else 0x3FFF))
        if fields["physical"] is not None:
            fields["address_size"] = draw(st.sampled_from([None, 4]))
    if framing == "iec21":
        fields["mode"] = draw(st.sampled_from([None, "auto", "A", "B", "C", "D", "E"]))
    if (framing == "iec21" or fields.get("sign_on") == "iec21") and medium != "udp":
        fields["address"] = draw(st.none() | st.from_regex(r"[0-9A-Za-z]{0,32}", fullmatch=True))
        fields["data_baud"] = draw(st.sampled_from([None, "auto", "fixed", "300", "19200"]))
        fields["wake"] = draw(st.sampled_from([None, "none", "normal", "fast"]))
        if framing == "iec21":
            fields["bcc"] = draw(st.sampled_from([None, "xor", "sum", "absent"]))
    return ConnectionUrl(framing=framing, medium=medium, **fields)  # type: ignore[arg-type]


def test_the_sign_on_of_a_local_port() -> None:
    url = ConnectionUrl.parse("iec21+serial:///dev/ttyUSB0?address=0012345678&data_baud=FIXED&bcc=xor&wake=normal")
    assert (url.address, url.data_baud, url.bcc, url.wake) == ("0012345678", "fixed", None, "normal")
    assert str(url) == "iec21+serial:///dev/ttyUSB0?address=0012345678&data_baud=fixed&wake=normal"
    assert url.interpreted().endswith("300 baud 7E1, mode auto, meter 0012345678")
    assert str(ConnectionUrl.parse("iec21+serial:///dev/ttyUSB0?address=0")) == "iec21+serial:///dev/ttyUSB0"
    assert ConnectionUrl.parse("hdlc+tcp://meter?sign_on=iec21&address=7").address == "7"


@given(_urls())
def test_round_trip(url: ConnectionUrl) -> None:
    assert ConnectionUrl.parse(str(url)) == url
    assert str(ConnectionUrl.parse(str(url))) == str(url)
    assert url.interpreted()


@given(st.text() | st.text(st.sampled_from("tcphdl+:/?&=[]0123456789x%#@.")).map("hdlc+tcp://".__add__))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        url = ConnectionUrl.parse(text)
    except ConfigurationError:
        return
    assert ConnectionUrl.parse(str(url)) == url


@pytest.mark.parametrize(
    ("query", "physical", "printed"),
    [
        ("serial_number=02141421", 2421, "?serial_number=02141421"),
        ("serial_number=02141421&rule=elgama", 2421, "?serial_number=02141421&rule=elgama"),
        ("serial_number=12345678&rule=emh&client=32", 5934, "?client=32&serial_number=12345678&rule=emh"),
        ("serial_number=12345678&rule=100000+16", 45694, None),
    ],
)
def test_the_lower_address_from_the_serial_number(query: str, physical: int, printed: str | None) -> None:
    text = f"hdlc+serial:///dev/ttyUSB0?{query}"
    if printed is None:
        with pytest.raises(ConfigurationError, match="physical=45694 is out of range"):
            ConnectionUrl.parse(text)
        return
    url = ConnectionUrl.parse(text)
    assert (url.physical, url.address_size) == (physical, 4)
    assert str(url) == "hdlc+serial:///dev/ttyUSB0" + printed
    assert ConnectionUrl.parse(str(url)) == url == replace(url)
    assert f"physical {physical}" in url.interpreted()
    assert "serial number" in url.interpreted()


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("rule=emh", "rule needs a serial number"),
        ("serial_number=12&rule=hexing", "it is landis-gyr"),
        ("serial_number=AB12", "decimal digits"),
        ("serial_number=12&physical=17", "is not 1012"),
        ("window=8", "window=8 is out of range: 1 to 7"),
        ("window=0", "window=0 is out of range"),
        ("information=2031", "information=2031 is out of range: 8 to 2030"),
        ("information=7", "information=7 is out of range"),
        ("address_size=3", "1, 2 or 4 octets, or auto"),
        ("window=auto", "write a decimal number"),
    ],
)
def test_what_does_not_fit_on_hdlc(query: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        ConnectionUrl.parse(f"hdlc+tcp://meter?{query}")


@pytest.mark.parametrize("word", ["window=1", "information=128", "serial_number=1", "address_size=auto"])
def test_words_of_hdlc_alone(word: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a parameter of wrapper"):
        ConnectionUrl.parse(f"tcp://meter?{word}")
    with pytest.raises(ConfigurationError, match="a parameter of HDLC"):
        ConnectionUrl(framing="wrapper", medium="tcp", host="meter", window=1)


def test_the_address_size_that_is_to_be_found_out() -> None:
    url = ConnectionUrl.parse("hdlc+tcp://meter?physical=17&address_size=auto")
    assert url.address_size == 0
    assert str(url) == "hdlc+tcp://meter?physical=17&address_size=auto"
    assert ConnectionUrl.parse(str(url)) == url
    assert "in the address size it answers to" in url.interpreted()


def test_what_is_agreed_to_at_most() -> None:
    url = ConnectionUrl.parse("hdlc+tcp://meter")
    assert (url.window, url.information) == (7, 2030)
    assert str(url) == "hdlc+tcp://meter"
    url = ConnectionUrl.parse("hdlc+tcp://meter?window=1&information=128")
    assert str(url) == "hdlc+tcp://meter?window=1&information=128"
