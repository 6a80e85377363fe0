"""Blocking streams against real sockets and a real pseudo-terminal."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from cosem.errors import ConnectionFailed, ConnectionLost, LocalProtocolError, TimedOut
from cosem.io import blocking
from cosem.io.stream import LineStream, Stream


@pytest.fixture(params=["as this system waits", "as any system waits"])
def pair(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[blocking.SocketStream, socket.socket]]:
    if request.param == "as any system waits":
        monkeypatch.setattr(blocking, "_TIMEVAL", None)
    near, far = socket.socketpair()
    stream = blocking.SocketStream(near)
    yield stream, far
    blocking.run(stream.close())
    far.close()


def soon(stream: Stream, seconds: float = 5.0) -> float:
    return stream.now() + seconds


def test_what_one_side_writes_the_other_reads(pair: tuple[blocking.SocketStream, socket.socket]) -> None:
    stream, far = pair
    blocking.run(stream.write(b"\x7e\xa0\x07"))
    assert far.recv(16) == b"\x7e\xa0\x07"
    far.sendall(b"\x7e")
    assert blocking.run(stream.read(soon(stream))) == b"\x7e"
    far.sendall(b"\x01")
    assert blocking.run(stream.read(None)) == b"\x01"


def test_a_deadline_gives_nothing(pair: tuple[blocking.SocketStream, socket.socket]) -> None:
    stream, far = pair
    start = stream.now()
    assert blocking.run(stream.read(start + 0.05)) == b""
    assert 0.04 < stream.now() - start < 1
    assert blocking.run(stream.read(start - 1)) == b""
    far.sendall(b"\x01")
    assert blocking.run(stream.read(start - 1)) == b"\x01", "what is there already is returned even so"


def test_every_read_has_a_deadline_of_its_own(pair: tuple[blocking.SocketStream, socket.socket]) -> None:
    stream, far = pair
    for seconds in (0.2, 0.02, 0.02, 0.1):
        start = stream.now()
        assert blocking.run(stream.read(start + seconds)) == b""
        assert seconds <= stream.now() - start < seconds + 0.1
    later = threading.Timer(0.1, far.sendall, (b"\x01",))
    later.start()
    assert blocking.run(stream.read(None)) == b"\x01", "without a deadline, the one before does not count"
    later.join()


def test_the_end_comes_after_the_last_octets(pair: tuple[blocking.SocketStream, socket.socket]) -> None:
    stream, far = pair
    far.sendall(b"\x01\x02")
    far.close()
    assert blocking.run(stream.read(soon(stream))) == b"\x01\x02"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="peer closed"):
            blocking.run(stream.read(soon(stream)))
    with pytest.raises(ConnectionLost):
        blocking.run(stream.write(b"\x01"))


def test_after_our_own_close(pair: tuple[blocking.SocketStream, socket.socket]) -> None:
    stream, _ = pair
    blocking.run(stream.close())
    blocking.run(stream.close())
    with pytest.raises(ConnectionLost, match="this side"):
        blocking.run(stream.read(None))
    with pytest.raises(ConnectionLost, match="this side"):
        blocking.run(stream.write(b"\x01"))


def test_a_large_write_waits_for_a_slow_peer(pair: tuple[blocking.SocketStream, socket.socket]) -> None:
    stream, far = pair
    sent = bytes(range(256)) * 16384
    got = bytearray()

    def drain() -> None:
        while len(got) < len(sent):
            got.extend(far.recv(100_000))

    reader = threading.Thread(target=drain)
    reader.start()
    blocking.run(stream.write(sent))
    reader.join(10)
    assert bytes(got) == sent


def test_a_write_that_nobody_takes_times_out(
    pair: tuple[blocking.SocketStream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = pair
    monkeypatch.setattr(blocking, "WRITE_TIMEOUT", 0.05)
    with pytest.raises(TimedOut) as late:
        blocking.run(stream.write(bytes(8_000_000)))
    assert late.value.phase == "write"
    assert blocking.run(stream.read(soon(stream, 0.02))) == b"", "a deadline is one as before"


def test_a_reset_is_a_lost_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = blocking.connect_tcp("127.0.0.1", server.getsockname()[1])
        accepted, _ = server.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        accepted.close()
        with pytest.raises(ConnectionLost, match="broke"):
            blocking.run(stream.read(soon(stream)))
        blocking.run(stream.close())


def test_connected_without_delay() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = blocking.connect_tcp("localhost", server.getsockname()[1])
        assert stream._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        blocking.run(stream.close())


def test_connected_from_one_of_our_addresses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        stream = blocking.connect_tcp("127.0.0.1", port, bind="127.0.0.2")
        accepted, (address, _) = server.accept()
        assert address == "127.0.0.2"
        accepted.close()
        blocking.run(stream.close())
        for wrong in ("192.0.2.1", "::1"):
            with pytest.raises(ConnectionFailed, match=f"{wrong} is no address of this machine that leads there"):
                blocking.connect_tcp("127.0.0.1", port, bind=wrong)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_refusals_say_what_to_try() -> None:
    with pytest.raises(ConnectionFailed, match=r"refused.*port") as refused:
        blocking.connect_tcp("127.0.0.1", free_port())
    assert isinstance(refused.value.__cause__, ConnectionRefusedError)
    with pytest.raises(ConnectionFailed, match="known host"):
        blocking.connect_tcp("no-such-host.invalid", 4059)
    with pytest.raises(ConnectionFailed, match="known host"):
        blocking.connect_udp("x" * 64 + ".invalid", 4059)


def test_a_silent_address_times_out() -> None:
    with socket.socket() as full, contextlib.ExitStack() as stack:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # fill the queue that nobody empties
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(ConnectionFailed, match=r"did not answer within 0.1 s"):
            blocking.connect_tcp("127.0.0.1", full.getsockname()[1], timeout=0.1)


def test_udp_keeps_datagrams_apart() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as meter:
        meter.bind(("127.0.0.1", 0))
        stream = blocking.connect_udp("127.0.0.1", meter.getsockname()[1])
        blocking.run(stream.write(b"\x01\x02"))
        octets, client = meter.recvfrom(100)
        assert octets == b"\x01\x02"
        for datagram in (b"", b"\x03", b"\x04\x05"):
            meter.sendto(datagram, client)
        assert blocking.run(stream.read(soon(stream))) == b"\x03"
        assert blocking.run(stream.read(soon(stream))) == b"\x04\x05"
        assert blocking.run(stream.read(stream.now() + 0.01)) == b""
        blocking.run(stream.close())
        blocking.run(stream.close())
        with pytest.raises(ConnectionLost):
            blocking.run(stream.read(None))


def test_udp_to_nobody() -> None:
    stream = blocking.connect_udp("127.0.0.1", free_port(socket.SOCK_DGRAM))
    blocking.run(stream.write(b"\x01"))
    with pytest.raises(ConnectionLost, match="nothing listens"):
        blocking.run(stream.read(soon(stream)))
    blocking.run(stream.close())


def test_an_operation_that_suspends_is_refused() -> None:
    class Suspends:
        def __await__(self) -> Iterator[None]:
            yield

    async def operation() -> None:
        await Suspends()

    with pytest.raises(LocalProtocolError, match="asyncio client"):
        blocking.run(operation())


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    meter, line = os.openpty()
    os.set_blocking(meter, False)
    yield meter, os.ttyname(line)
    os.close(line)
    with contextlib.suppress(OSError):  # a test may have closed it: that is how the line is unplugged
        os.close(meter)


def test_serial_line(terminal: tuple[int, str]) -> None:
    meter, path = terminal
    stream = blocking.open_serial(path, 9600)
    assert isinstance(stream, LineStream)
    blocking.run(stream.write(bytes(range(256))))
    time.sleep(0.01)
    assert os.read(meter, 1000) == bytes(range(256)), "no octet is translated on the way"
    os.write(meter, b"\x7e\x0d\x0a\x11\x13\x03\x00\xff")
    got = b""
    while len(got) < 8:
        got += blocking.run(stream.read(soon(stream)))
    assert got == b"\x7e\x0d\x0a\x11\x13\x03\x00\xff"
    assert blocking.run(stream.read(stream.now() + 0.02)) == b""
    assert blocking.run(stream.read(stream.now() - 1)) == b""
    blocking.run(stream.configure(300, "8N2"))
    assert stream._port.baudrate == 300
    assert (stream._port.bytesize, stream._port.parity, stream._port.stopbits) == (8, "N", 2)
    blocking.run(stream.close())
    with pytest.raises(ConnectionLost, match="this side"):
        blocking.run(stream.read(None))


def test_serial_line_unplugged(terminal: tuple[int, str]) -> None:
    meter, path = terminal
    stream = blocking.open_serial(path, 9600)
    os.close(meter)
    with pytest.raises(ConnectionLost, match="plugged in"):
        blocking.run(stream.read(soon(stream)))
    blocking.run(stream.close())


def test_serial_port_that_is_not_there_or_taken(terminal: tuple[int, str]) -> None:
    with pytest.raises(ConnectionFailed, match="does not open"):
        blocking.open_serial("/dev/no-such-port", 9600)
    stream = blocking.open_serial(terminal[1], 9600)
    with pytest.raises(ConnectionFailed, match="another program"):
        blocking.open_serial(terminal[1], 9600)
    blocking.run(stream.close())
