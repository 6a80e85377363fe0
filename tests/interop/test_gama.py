"""The gurux-dlms client reads simulated GAMA 100 and GAMA 300 meters by short names, over HDLC with long addresses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cosem.meter import describe, serving
from cosem.protocol.elgama import gama
from interop.served import running

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SERIAL = 2141421


@pytest.mark.parametrize("model", gama.PHASES)
def test_gurux_reads_a_gama(gurux: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch, model: str) -> None:
    monkeypatch.setenv("GAMA_PASSWORD", "OPERATOR")
    meter = describe.load(EXAMPLES / f"{model}.toml")
    operations = [
        ["objects"],
        ["read", 3, "1.0.32.7.0.255", 2],
        ["read", 3, "1.0.1.8.0.255", 3],
        ["read", 8, "0.0.1.0.0.255", 2],
    ]
    with running(serving(meter, "hdlc+tcp://127.0.0.1:0?physical=2421&address_size=4")) as port:
        answer = gurux(
            port,
            operations,
            framing="hdlc",
            client=gama.CLIENT,
            physical=gama.lower_address(SERIAL),
            address_size=gama.ADDRESS_SIZE,
            information=gama.MAXIMUM_INFORMATION,
            auth="low",
            password="OPERATOR",
            naming="sn",
        )
    assert "error" not in answer, answer
    objects, voltage, scaler, clock = answer["results"]
    assert [3, "1.0.32.7.0.255"] in [[each["class_id"], each["obis"]] for each in objects["value"]]
    assert voltage["value"]["raw"] == 23_011
    assert scaler["value"]["raw"] == [-1, 30]
    assert "value" in clock
    assert answer["released"]
