"""The peers agree with each other, so that a failure against one of them is ours (or theirs, but known)."""

from __future__ import annotations

import pytest

ENERGY = "1.0.1.8.0.255"
PROFILE = "1.0.99.1.0.255"
SECRETS = {
    "none": {},
    "low": {"password": "12345678"},
    "gmac": {
        "ek": "000102030405060708090A0B0C0D0E0F",
        "ak": "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF",
        "system_title": "4D4D4D0000BC614E",
        "counter": 0x01234567,
    },
}


@pytest.mark.parametrize("auth", ["none", "low", "gmac"])
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_the_gurux_client_reads_the_pydlms_simulator(pydlms_simulator, gurux, framing, auth):
    meter = pydlms_simulator(framing, auth)
    answer = gurux(
        meter.port,
        [
            ["read", 3, ENERGY, 3],
            ["read", 3, ENERGY, 2],
            ["list", [[3, ENERGY, 2], [3, "1.0.32.7.0.255", 2]]],
            ["objects"],
            ["profile", PROFILE],
            ["entries", PROFILE, 2, 3],
            ["range", PROFILE, "2024-05-01T00:15:00+00:00", "2024-05-01T01:00:00+00:00"],
            ["read", 3, "1.0.9.9.9.255", 2],
        ],
        framing=framing,
        client=meter.client,
        auth=auth,
        **SECRETS[auth],
    )
    assert "error" not in answer
    scaler, energy, both, objects, whole, by_entry, by_range, absent = answer["results"]
    assert scaler["value"]["raw"] == [0, 30]
    assert energy["value"]["raw"] == 12345678
    assert both["value"] == [12345678, 2301]
    assert [3, ENERGY] in [[item["class_id"], item["obis"]] for item in objects["value"]]
    rows = whole["value"]["rows"]
    assert len(rows) == 96
    assert rows[0] == [{"time": "2024-05-01T00:00:00+00:00", "status": 0xFF}, 1000]
    assert whole["exchanges"] > 1  # it came in blocks
    assert by_entry["value"]["rows"] == rows[1:4]
    assert by_range["value"]["rows"] == rows[1:5]
    assert absent["refused"] == 4  # object-undefined
    assert answer["released"]


def test_a_wrong_password_is_rejected(pydlms_simulator, gurux):
    meter = pydlms_simulator("wrapper", "low")
    answer = gurux(meter.port, [], client=meter.client, auth="low", password="87654321")
    assert answer["error"]["phase"] == "associate"
    assert "Authentication failure" in answer["error"]["text"]
