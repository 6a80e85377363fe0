"""What is said when something fails: where dialects of the maker may help, they are named."""

from __future__ import annotations

import pytest

from cosem.cli.failure import DEVIATIONS, Phase, complain
from cosem.errors import CosemError, DataAccessError, DecodeError, SecurityError, TimedOut
from cosem.protocol.apdu.get import DataAccessResult
from cosem.protocol.dialect import known_dialects, known_of


@pytest.mark.parametrize("error", [DecodeError("no", 0), SecurityError("no"), TimedOut("response", 1.0)])
def test_known_dialects_of_the_maker_are_named(error: CosemError, capsys: pytest.CaptureFixture[str]) -> None:
    complain(error, Phase.CONNECTED, None, "EGM")
    said = capsys.readouterr().err
    assert [each.name in said for each in known_of("egm")] == [True, True]
    assert "--dialect EGM/G35 (github.com/UtilitechAS" in said
    complain(error, Phase.CONNECTED, None, "KFM")
    assert "--dialect" not in capsys.readouterr().err


def test_a_refusal_of_the_meter_is_no_deviation(capsys: pytest.CaptureFixture[str]) -> None:
    error = DataAccessError(DataAccessResult.READ_WRITE_DENIED, "3/1.0.1.8.0.255/2")
    assert not isinstance(error, DEVIATIONS)
    complain(error, Phase.CONNECTED, None, "EGM")
    assert "known:" not in capsys.readouterr().err


def test_every_line_of_the_table_is_found_by_its_maker() -> None:
    assert all(each in known_of(each.maker.lower()) for each in known_dialects())
    assert known_of("") == ()
