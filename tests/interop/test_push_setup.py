"""What `cosem simulate` pushes by a push setup is understood by `pydlms push`.

It reads the list of version 0 from the meter; that of later versions it does not know, and is given. It takes
hexadecimal lines, so what the meter sends to a socket of ours is handed to it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cosem.meter.describe import parse
from interop.conftest import AUTHENTICATION_KEY, ENCRYPTION_KEY, peer
from interop.matrix import asks
from interop.served import served

METER = """
[meter]
name = "KFM1020012345678"

[[object]]
class = "Register"
instance = "1.0.1.8.0.255"
value = {{ double-long-unsigned = 12345678 }}
scaler_unit = [0, "Wh"]

[[object]]
class = 40
version = {version}
instance = "0.4.25.9.0.255"
push_object_list = [{rest}]
send_destination_and_method = [{service}, "127.0.0.1:{port}", 0]
number_of_retries = 3
{more}

[[push]]
instance = "0.4.25.9.0.255"
on = ["connected"]
{client}

[[association]]
client = 16
access = "read"

[[association]]
client = 1
{keys}
"""

SETUP = "0.4.25.9.0.255"
NULLS = f"""
[meter]
name = "KFM1020012345678"

[[object]]
class = 1
instance = "0.0.96.1.0.255"
value = {{}}

[[object]]
class = 1
instance = "0.0.96.1.1.255"
value = {{ structure = [{{ enum = 0 }}, {{}}] }}

[[object]]
class = "PushSetup"
version = 2
instance = "{SETUP}"
push_object_list = [[3, "1.0.1.8.0.255", 2, 0, [0, {{}}], []]]
"""

OBJECTS = ('[1, "0.0.42.0.0.255", 2, 0{rest}]', '[3, "1.0.1.8.0.255", 2, 0{rest}]')


def description(version: int, service: int, port: int, *, protected: bool) -> str:
    rest = {0: "", 1: ", [0, {}]", 2: ", [0, {}], []", 3: ", [0, {}], []"}[version]
    return METER.format(
        version=version,
        rest=", ".join(each.format(rest=rest) for each in OBJECTS),
        service=service,
        port=port,
        more="push_client_sap = 1" if version else "",
        client="" if version else "client = 1",
        keys='auth = "gmac"\nprotection = "auth+enc"\nkeys = "demo"' if protected else 'access = "read"',
    )


@contextmanager
def simulated(file: Path, *words: str) -> Iterator[str]:
    """Run `cosem simulate`, and say where its meter is."""
    command = [sys.executable, "-m", "cosem", "simulate", str(file), "--listen", "tcp://127.0.0.1:0", *words]
    environment = {**os.environ, "XDG_STATE_HOME": str(file.parent)}
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    patience = threading.Timer(60, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        found = re.search(r"tcp://127\.0\.0\.1:(\d+)", process.stdout.readline())
        assert found is not None
        yield found[0]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    finally:
        patience.cancel()
        process.kill()
        process.wait()


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("protected", [False, True])
@pytest.mark.parametrize(
    "version", [pytest.param(each, marks=asks("pydlms-client", "server", "DataNotification")) for each in (0, 2)]
)
def test_pydlms_push_reads_what_a_push_setup_pushes(
    tmp_path: Path, version: int, framing: str, protected: bool
) -> None:
    file = tmp_path / "meter.toml"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        port, service = listener.getsockname()[1], {"wrapper": 0, "hdlc": 5}[framing]
        file.write_text(description(version, service, port, protected=protected))
        with simulated(file, *(["--demo-keys"] if protected else [])) as place:
            connection, _ = listener.accept()
            with connection:
                octets = b"".join(iter(lambda: connection.recv(4096), b""))
            keys = ["--key", ENCRYPTION_KEY, "--auth-key", AUTHENTICATION_KEY] if protected else []
            listed = tmp_path / "list.txt"
            listed.write_text("1 0.0.42.0.0.255 2\n3 1.0.1.8.0.255 2\n")
            asked = ["--from-meter", place, "--push-setup", "0.4.25.9.0.255"]
            words = ["--framing", framing, "--once", *(["--capture-objects", str(listed)] if version else asked)]
            done = subprocess.run(
                [peer("pydlms"), "push", "-", *keys, *words],
                input=octets.hex() + "\n",
                capture_output=True,
                text=True,
                timeout=60,
            )
    assert done.returncode == 0, done.stderr
    assert re.search(r"1\.0\.1\.8\.0\.255\s+12345678", done.stdout), done.stdout + done.stderr
    assert "KFM1020012345678" in done.stdout, done.stdout


def test_gurux_reads_null_data_where_a_description_says_so(gurux: Any) -> None:
    meter = parse(NULLS)
    with served(meter) as port:
        asked = [["read", 1, "0.0.96.1.0.255", 2], ["read", 1, "0.0.96.1.1.255", 2], ["read", 40, SETUP, 2]]
        answer = gurux(port, asked, client=16)
    energy = {"octets": "0100010800ff"}
    assert [each["value"]["raw"] for each in answer["results"]] == [None, [0, None], [[3, energy, 2, 0, [0, None], []]]]
