"""Which models are read, and that nothing is without the permission."""

from __future__ import annotations

import pytest

from cosem.errors import ConfigurationError
from cosem.protocol.elgama import models
from cosem.protocol.profile.address import ConnectionUrl

PLACE = "elgama+tcp://192.0.2.7:4001"


@pytest.mark.parametrize(("word", "model"), [("epqs", models.EPQS), ("LZQM", models.EPQM), ("0", models.EPQM)])
def test_models_by_word_and_number(word: str, model: models.Model) -> None:
    assert models.named(word, experimental=True) is model


@pytest.mark.parametrize("word", ["epqs", "epqm", "1"])
def test_nothing_without_permission(word: str) -> None:
    with pytest.raises(ConfigurationError, match="experimental"):
        models.named(word)


@pytest.mark.parametrize("word", ["4", "ITS cl", "its-cl", "its"])
def test_its_cl_is_refused_with_the_reason(word: str) -> None:
    with pytest.raises(ConfigurationError, match="ITS cl: nothing is public"):
        models.named(word, experimental=True)


@pytest.mark.parametrize("word", ["2", "gama300", "GAMA100"])
def test_gama_is_sent_to_short_names(word: str) -> None:
    with pytest.raises(ConfigurationError, match="short names"):
        models.named(word, experimental=True)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="write epqs or epqm"):
        models.named("7", experimental=True)


def test_a_url() -> None:
    url = ConnectionUrl.parse(f"{PLACE}?model=lzqm&serial=925948&experimental=YES")
    assert (url.model, url.serial, url.experimental) == ("epqm", 925948, "yes")
    assert ConnectionUrl.parse(str(url)) == url
    assert "EXPERIMENTAL" in url.interpreted()
    line = ConnectionUrl.parse("elgama+serial:///dev/ttyUSB0?model=epqs&serial=1&experimental=yes")
    assert (line.baud, line.format) == (9600, "8N1")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("model=epqs&serial=1", "say experimental=yes"),
        ("model=epqs&serial=1&experimental=no", "say experimental=yes"),
        ("model=epqs&serial=1&experimental=perhaps", "it is yes or no"),
        ("serial=1&experimental=yes", "model is missing"),
        ("model=epqs&experimental=yes", "serial is missing"),
        ("model=epqs&serial=1234567890123&experimental=yes", "out of range"),
        ("model=its-cl&serial=1&experimental=yes", "nothing is public"),
        ("model=epqs&serial=1&experimental=yes&client=1", "not a parameter"),
    ],
)
def test_urls_that_are_refused(query: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        ConnectionUrl.parse(f"{PLACE}?{query}")


def test_other_framings_do_not_take_the_words() -> None:
    with pytest.raises(ConfigurationError, match="'experimental' is not a parameter"):
        ConnectionUrl.parse("tcp://192.0.2.7?experimental=yes")
