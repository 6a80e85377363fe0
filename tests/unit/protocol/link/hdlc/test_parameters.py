"""The parameter field of SNRM and UA."""

import json
from pathlib import Path

import pytest

from cosem.errors import ConfigurationError, DecodeError
from cosem.protocol.link.hdlc.parameters import Parameters, window_octets

VECTORS = json.loads((Path(__file__).parents[4] / "vectors/hdlc.json").read_text())["parameters"]
NAMES = ("maximum_information_transmit", "maximum_information_receive", "window_transmit", "window_receive")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector):
    octets = bytes.fromhex(vector["octets"])
    parameters = Parameters(*(vector[name] for name in NAMES))
    assert Parameters.decode(octets) == parameters
    assert parameters.encode(vector["window_octets"]) == octets
    assert window_octets(octets) == vector["window_octets"]


@pytest.mark.parametrize(
    ("octets", "parameters"),
    [
        ("8180120501f80601f0070400000001080400000001", Parameters(248, 240)),  # a Spanish meter
        ("818014050200f2060200f207040000000108040000 0001", Parameters(242, 242)),  # lengths in two octets
        ("8180140502020006020200070400000001080400000001", Parameters(512, 512)),
        ("", Parameters()),
        ("818000", Parameters()),
        ("818003060140", Parameters(128, 64)),
        ("81800905017e 0a02beef 0500", Parameters(126, 128)),  # unknown and empty parameters are passed over
        ("81800a 0502ffff 0704000000ff", Parameters(2030, 128, 7)),  # more than there can be
    ],
)
def test_what_stations_send(octets, parameters):
    assert Parameters.decode(bytes.fromhex(octets)) == parameters


@pytest.mark.parametrize(
    "octets", ["81", "8180", "828000", "818100", "818001", "81800105", "8180020504", "818003050200", "8180030501 00"]
)
def test_what_does_not_parse(octets):
    with pytest.raises(DecodeError) as refused:
        Parameters.decode(bytes.fromhex(octets))
    assert refused.value.layer == "HDLC"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_cut_short_at_every_length(vector):
    octets = bytes.fromhex(vector["octets"])
    for size in range(1, len(octets)):
        with pytest.raises(DecodeError):
            Parameters.decode(octets[:size])


def test_agreement_crosses_the_directions():
    client, server = Parameters(512, 1024, 1, 7), Parameters(2030, 256, 3, 2)
    assert client.agreed_with(server) == Parameters(256, 1024, 1, 3)
    assert server.agreed_with(client) == Parameters(1024, 256, 3, 1)


def test_edges():
    for values in ((8, 8, 1, 1), (2030, 2030, 7, 7)):
        assert Parameters.decode(Parameters(*values).encode()) == Parameters(*values)
    for values in ((7, 8, 1, 1), (2031, 8, 1, 1), (8, 7), (8, 2031), (8, 8, 0), (8, 8, 8), (8, 8, 1, 0), (8, 8, 1, 8)):
        with pytest.raises(ConfigurationError):
            Parameters(*values)
